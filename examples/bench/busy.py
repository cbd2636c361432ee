"""What one busy core costs each way to score.

Each way is run with the cores as they are, and then with one of them kept busy by
another process; several times in turn, since others load a machine as well. The
shortest of the runs counts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

import fiftyone_dfaulo as dfaulo
from bench.cases import Case

Way = Callable[[Any], object]
SIDE = 32  # of the larger images, in pixels


def ways(count: int) -> dict[str, tuple[Way, int | None]]:
    """Name to what is run on a dataset, and the side its images are enlarged to."""

    def scored(**how: Any) -> Way:
        return lambda dataset: dfaulo.compute_suspiciousness(
            dataset, overwrite=True, progress=False, **how
        )

    embeddings = np.random.default_rng(0).normal(size=(count, 512)).astype(np.float32)
    model = nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)),
    )
    network = {"model": model, "preprocessing": dfaulo.Preprocessing(size=SIDE)}
    return {
        "network trained here, 8 px": (scored(), None),
        f"network trained here, {SIDE} px, 3 epochs": (scored(epochs=3), SIDE),
        "full mutant": (scored(depth="full"), None),
        "paper's method": (scored(method="paper", epochs=3), None),
        f"model given, {SIDE} px": (scored(**network), SIDE),
        "model given, full mutant": (scored(depth="full", **network), SIDE),
        "embeddings of 512 numbers": (scored(embeddings=embeddings), None),
    }


@contextmanager
def one_core_busy() -> Iterator[subprocess.Popen[bytes]]:
    """Another process counts on one core, where the system lets it choose one."""
    program = "while True: pass"
    if hasattr(os, "sched_setaffinity"):
        core = max(os.sched_getaffinity(0))
        program = f"import os; os.sched_setaffinity(0, {{{core}}})\n{program}"
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def measure(
    case: Case, build: Callable[[Case, Path], Any], runs: int, chosen: list[str]
) -> Iterator[str]:
    """Lines of a table: each way, idle and busy, the shortest of some runs.

    Args:
        case: images and labels.
        build: makes a dataset of them, with the files in a folder.
        runs: how many of each.
        chosen: words; a way is run if one of them is in its name; no words are all.
    """
    yield f"| way, {len(case.labels)} images | idle, s | one core busy, s | ratio |"
    yield "|---|---|---|---|"
    for name, (way, side) in ways(len(case.labels)).items():
        if chosen and not any(word in name for word in chosen):
            continue
        with tempfile.TemporaryDirectory() as folder:
            dataset = build(case, Path(folder))
            try:
                if side:
                    _enlarge(dataset.values("filepath"), side)
                idle, busy = _shortest(lambda: way(dataset), runs)  # noqa: B023
            finally:
                dataset.delete()
        yield f"| {name} | {idle:.1f} | {busy:.1f} | {busy / idle:.2f} |"


def _shortest(run: Callable[[], object], runs: int) -> tuple[float, float]:
    contexts: list[Callable[[], AbstractContextManager[object]]]
    contexts = [nullcontext, one_core_busy]
    run()  # loads the libraries
    seconds = np.empty((runs, 2))
    for row in seconds:
        for column, context in enumerate(contexts):
            with context():
                start = time.perf_counter()
                run()
                row[column] = time.perf_counter() - start
    idle, busy = seconds.min(0)
    return float(idle), float(busy)


def _enlarge(paths: list[str], side: int) -> None:
    for path in paths:
        with Image.open(path) as image:
            image.resize((side, side)).save(path)
