"""Threads that share the cores with all else that runs: a server, a browser, a test.

1. At the end of every operation torch's OpenMP threads wait for each other, by default
   in a loop that keeps a core. If a core is taken, the thread that is waited for does
   not run, and a training takes 25 times as long. Inside :data:`sharing_cores` they
   sleep instead.
2. To wake them takes time, too: a fifth of a training step, where nobody else wants
   the cores. Inside :data:`sharing_when_busy` they sleep only while somebody does.
   A step of little work has fewer threads, down to one: :func:`threads_for`.
3. The products of heads and outliers are small. They have one thread each, and folds
   run side by side: :data:`one_blas_thread`.

The load decides how threads wait, never how many there are: on their number the last
bits depend, so it comes from the work and the machine alone. What the caller's and
other threads have set in torch stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ContextDecorator,
    ExitStack,
    contextmanager,
    nullcontext,
)
from functools import cache
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

import numpy as np
import psutil
import scipy.linalg  # noqa: F401 - loads scipy's own BLAS, which has a limit too
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:  # heads alone do without it, and it takes seconds to load
    import torch

PIXELS_PER_THREAD = 1_024
"""Of a training step. On two free cores, two threads were 1.4 times as fast as one at
2,048 pixels, as fast at 1,024; with one core busy, .8 times at both."""

LOOK = 0.25
"""Seconds between two looks at what others do: some 25 ticks of Linux's accounts."""

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


@contextmanager
def _crowd_while_busy() -> Iterator[None]:
    """A crowd, except while the cores that are free are enough for torch's threads."""
    import torch

    wanted = torch.get_num_threads()
    ended = Event()

    def watch() -> None:
        with ExitStack() as crowd:
            crowd.enter_context(_crowd())
            crowded, free_cores = True, _free_cores()
            while not ended.wait(LOOK):
                crowd_wanted = round(next(free_cores)) < wanted
                if crowd_wanted and not crowded:
                    crowd.enter_context(_crowd())
                elif crowded and not crowd_wanted:
                    crowd.close()
                crowded = crowd_wanted

    watcher = Thread(target=watch, name="dfaulo-watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _free_cores() -> Iterator[float]:
    """How many cores others left to us since the last look: those we used, or idle.

    None where the system keeps no accounts, as in some sandboxes.
    """
    process = psutil.Process()
    allowed = process.cpu_affinity() if hasattr(process, "cpu_affinity") else None

    def spent() -> np.ndarray:
        """Seconds that passed, were idle on our cores, and were ours."""
        try:
            cores = psutil.cpu_times(percpu=True)
        except OSError:
            cores = []
        if allowed is not None:
            cores = [times for n, times in enumerate(cores) if n in allowed]
        idle = sum(times.idle + getattr(times, "iowait", 0.0) for times in cores)
        ours = process.cpu_times()
        return np.array([sum(map(sum, cores)), idle, ours.user + ours.system])

    before, count = spent(), len(allowed or ()) or os.cpu_count() or 1
    while True:
        now = spent()
        passed, idle, ours = now - before
        yield count * (idle + ours) / passed if passed else 0.0
        before = now


sharing_when_busy = Shared(_crowd_while_busy)
"""Inside it, torch's threads sleep as in :data:`sharing_cores` while others are busy.

For work whose only threads are torch's. Beside threads of our own that decode, torch's
would take the cores from them.
"""


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
