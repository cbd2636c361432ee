"""Threads that share the cores with all else that runs: a server, a browser, a test.

1. At the end of every operation torch's OpenMP threads wait for each other, by default
   in a loop that keeps a core. If a core is taken, the thread that is waited for does
   not run, and a training takes 25 times as long. Inside :data:`sharing_cores` they
   sleep instead.
2. To wake them takes time, too. A training step of little work has fewer threads, down
   to one: :func:`threads_for`.
3. The products of heads and outliers are small. They have one thread each, and folds
   run side by side: :data:`one_blas_thread`.

Nothing here looks at the load or at a clock: the number of threads, on which the last
bits depend, comes from the work and the machine alone. What the caller's and other
threads have set in torch stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ContextDecorator,
    contextmanager,
    nullcontext,
)
from functools import cache
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

import scipy.linalg  # noqa: F401 - loads scipy's own BLAS, which has a limit too
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:  # heads alone do without it, and it takes seconds to load
    import torch

PIXELS_PER_THREAD = 8_192
"""Of a training step. On two cores, two threads that sleep were faster than one from
8,000 to 16,000 pixels on, and slower below."""

_GRAIN = 32_768  # numbers of a tensor that torch gives a thread at least


class Shared(ContextDecorator):
    """A context for several threads: the first one in makes it, the last one ends it.

    Without the count, the second of two overlapping runs would restore what the first
    had set. It decorates functions as well.
    """

    def __init__(self, make: Callable[[], AbstractContextManager[object]]) -> None:
        self._make = make
        self._lock = Lock()
        self._inside = 0
        self._context: AbstractContextManager[object] = nullcontext()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._context = self._make()
                self._context.__enter__()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._context.__exit__(None, None, None)


@contextmanager
def _crowd() -> Iterator[None]:
    """Keeps more OpenMP threads than there are cores, all asleep.

    libgomp's threads spin only while it manages no more of them than there are cores
    (GOMP_SPINCOUNT in its manual). The environment can say so as well, but is read when
    torch is loaded, which is long before. Other libraries than libgomp are left alone.
    """
    import torch

    if not _openmp().select(internal_api="openmp", prefix="libgomp").lib_controllers:
        yield
        return
    started, ended = Event(), Event()

    def sleep() -> None:
        try:
            count = (os.cpu_count() or 1) + 1
            torch.get_num_threads()  # torch sets a thread's number at its first use
            with _openmp().limit(limits=count):
                torch.zeros(count * _GRAIN, dtype=torch.uint8).add_(1)
        finally:
            started.set()
        ended.wait()

    # Its OpenMP threads end with it.
    sleeper = Thread(target=sleep, name="dfaulo-crowd", daemon=True)
    sleeper.start()
    started.wait()
    try:
        yield
    finally:
        ended.set()
        sleeper.join()


sharing_cores = Shared(_crowd)
"""Inside it, torch's threads sleep while they wait for each other."""


def threads_for(pixels: int, device: torch.device) -> AbstractContextManager[object]:
    """As many of torch's threads as a training step needs, in the calling thread.

    Args:
        pixels: in all images of a step.
        device: on others than the CPU nothing is changed.
    """
    import torch

    most = torch.get_num_threads()
    if device.type != "cpu":
        return nullcontext()
    # torch.set_num_threads would also set what threads that start now begin with.
    wanted = min(most, max(1, pixels // PIXELS_PER_THREAD))
    limits: AbstractContextManager[object] = _openmp().limit(limits=wanted)
    return limits


@cache
def _blas() -> ThreadpoolController:
    """BLAS libraries: numpy's and scipy's, which are loaded by now."""
    return ThreadpoolController().select(user_api="blas")


def blas_kernels() -> list[str]:
    """What decides the last bits of products: libraries, and for which processor."""
    names = ("internal_api", "version", "architecture")
    return [str([one.get(name) for name in names]) for one in _blas().info()]


def _one_blas_thread() -> AbstractContextManager[object]:
    limits: AbstractContextManager[object] = _blas().limit(limits=1)
    return limits


one_blas_thread = Shared(_one_blas_thread)
"""Inside it, products of numpy, scipy and scikit-learn take one thread each."""


@cache
def _openmp() -> ThreadpoolController:
    """OpenMP libraries, torch's among them, once it is loaded."""
    return ThreadpoolController().select(user_api="openmp")
