"""How many threads work, whether they sleep, and that nobody else's are touched."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from bench.busy import one_core_busy
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import threads as engine_threads
from fiftyone_dfaulo.engine.network.training import train_network
from fiftyone_dfaulo.engine.threads import (
    PIXELS_PER_THREAD,
    Shared,
    one_blas_thread,
    sharing_cores,
    sharing_when_busy,
    threads_for,
)

CPU = torch.device("cpu")


@contextmanager
def openmp_threads(count: int) -> Iterator[None]:
    torch.get_num_threads()  # or torch would set its own number later
    with ThreadpoolController().limit(limits=count, user_api="openmp"):
        yield


def crowds() -> int:
    return [thread.name for thread in threading.enumerate()].count("dfaulo-crowd")


def blas_threads() -> set[int]:
    return {
        lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"
    }


@pytest.mark.parametrize(
    ("pixels", "threads"),
    [
        (1, 1),
        (15 * 8 * 8, 1),
        (2 * PIXELS_PER_THREAD - 1, 1),
        (2 * PIXELS_PER_THREAD, 2),
        (3 * PIXELS_PER_THREAD, 3),
        (100 * PIXELS_PER_THREAD, 4),
    ],
)
def test_threads_go_by_the_work_of_a_step(pixels: int, threads: int) -> None:
    with openmp_threads(4):
        with threads_for(pixels, CPU):
            assert torch.get_num_threads() == threads
        assert torch.get_num_threads() == 4


def test_on_another_device_the_threads_stay() -> None:
    with openmp_threads(4), threads_for(1, torch.device("meta")):
        assert torch.get_num_threads() == 4


def test_the_threads_of_other_threads_stay_as_they_are() -> None:
    with ThreadPoolExecutor(1) as older, ThreadPoolExecutor(1) as newer:
        usual = older.submit(torch.get_num_threads).result()
        with openmp_threads(usual + 1), threads_for(1, CPU), sharing_cores:
            assert torch.get_num_threads() == 1
            assert older.submit(torch.get_num_threads).result() == usual
            assert newer.submit(torch.get_num_threads).result() == usual
        assert newer.submit(torch.get_num_threads).result() == usual


def test_a_small_training_gives_the_same_bits_whatever_the_threads() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 8, 8, 3)).astype(np.uint8)
    labels = np.arange(64) % 4
    learned = []
    for count in (1, 2, 3):
        with openmp_threads(count):
            settings = Settings(device="cpu", epochs=2)
            learned.append(train_network(pixels, labels, 4, settings=settings).learning)
            assert torch.get_num_threads() == count
    assert (learned[0] == learned[1]).all()
    assert (learned[0] == learned[2]).all()


def naps() -> int:
    """How often any thread of this process has gone to sleep by itself."""
    return sum(
        int(line.split()[1])
        for status in Path("/proc/self/task").glob("*/status")
        for line in status.read_text().splitlines()
        if line.startswith("voluntary_ctxt_switches")
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; spins by libgomp")
def test_threads_sleep_while_they_wait_for_each_other() -> None:
    numbers = torch.zeros(1 << 17)
    with openmp_threads(2), sharing_cores:
        numbers.add_(1)
        before = naps()
        for _ in range(400):
            numbers.add_(1)
        assert naps() - before > 200


def test_threads_sleep_only_while_others_leave_too_few_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    def free_cores() -> Iterator[float]:
        wanted = torch.get_num_threads()
        for left in (wanted, wanted - 0.4, wanted - 1.0, wanted - 0.6, wanted + 1.0):
            yield left
            seen.append(crowds())  # as the look before this one left it
        looked.set()
        ended.wait(60)
        yield wanted

    looked, ended = threading.Event(), threading.Event()
    monkeypatch.setattr(engine_threads, "_free_cores", free_cores)
    monkeypatch.setattr(engine_threads, "LOOK", 0.001)
    with sharing_when_busy:
        assert looked.wait(60)
        ended.set()
    assert seen == [0, 0, 1, 1, 0]
    assert crowds() == 0


def test_cores_are_free_that_are_idle_or_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(ours=5.0, idle=10.0, others=3.0)

    class Process:
        def cpu_affinity(self) -> list[int]:
            return [0, 2]

        def cpu_times(self) -> SimpleNamespace:
            return SimpleNamespace(user=clock.ours, system=1.0)

    class Core(tuple[float, ...]):
        idle, iowait = property(lambda core: core[0]), 0.0

    def cpu_times(percpu: bool) -> list[Core]:
        theirs = Core((0.0, 99.0 * clock.others))  # not ours to use
        busy = clock.ours + clock.others
        return [Core((clock.idle, busy)), theirs, Core((0.0, 0.0))]

    monkeypatch.setattr(psutil, "Process", Process)
    monkeypatch.setattr(psutil, "cpu_times", cpu_times)
    free = engine_threads._free_cores()
    clock.ours, clock.idle, clock.others = 6.0, 10.5, 3.5  # two core seconds passed
    next_free = next(free)
    assert next_free == 0.0  # nothing had passed at the first look
    clock.ours, clock.idle, clock.others = 7.0, 11.0, 4.0
    assert next(free) == pytest.approx(2 * (0.5 + 1.0) / 2.0)


def test_no_core_counts_as_free_where_no_accounts_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(percpu: bool) -> None:
        raise PermissionError("/proc/stat")

    monkeypatch.setattr(psutil, "cpu_times", refused)
    free = engine_threads._free_cores()
    assert [next(free), next(free)] == [0.0, 0.0]


@pytest.mark.skipif(sys.platform != "linux", reason="only there are cores chosen")
def test_a_busy_process_takes_the_core_that_it_runs_on() -> None:
    free = engine_threads._free_cores()
    next(free)
    with one_core_busy() as busy:
        own = psutil.Process(busy.pid)
        while own.cpu_times().user < 0.2:
            time.sleep(0.01)
        next(free)
        before, start = own.cpu_times(), time.perf_counter()
        while own.cpu_times().user - before.user < 0.5:
            time.sleep(0.01)
        taken = 0.5 / (time.perf_counter() - start)
        assert next(free) < len(os.sched_getaffinity(0)) - taken + 0.2


def test_the_crowd_goes_when_the_last_of_several_runs_ends() -> None:
    with sharing_cores:
        with ThreadPoolExecutor(1) as pool, sharing_cores:
            pool.submit(sharing_cores(lambda: None)).result()
            assert crowds() == 1
        assert crowds() == 1
    assert crowds() == 0


def test_a_failed_run_leaves_nothing_behind() -> None:
    def fail() -> None:
        with threads_for(1, CPU):
            raise KeyError

    usual = torch.get_num_threads()
    with pytest.raises(KeyError):
        sharing_cores(fail)()
    assert crowds() == 0
    assert torch.get_num_threads() == usual


def test_of_two_runs_that_overlap_the_last_restores_what_was_before() -> None:
    with threadpool_limits(2, user_api="blas"):
        one_blas_thread.__enter__()  # the first run starts
        with one_blas_thread:  # the second starts
            one_blas_thread.__exit__()  # the first ends
            assert blas_threads() == {1}
        assert blas_threads() == {2}


def test_a_shared_context_that_cannot_be_made_can_be_tried_again() -> None:
    tries = []

    @contextmanager
    def second_time_lucky() -> Iterator[None]:
        tries.append(1)
        if len(tries) == 1:
            raise MemoryError
        yield

    shared = Shared(second_time_lucky)
    with pytest.raises(MemoryError), shared:
        pass
    with shared:
        assert len(tries) == 2
