"""Kills runs at random moments, calls them again, and says how much was done twice.

    python tools/isolated.py python tools/resumed.py [--trials N] [--size S] [WAY ...]

Each trial starts a run in a process of its own, with an empty cache, ends that process
(SIGKILL) once it has taken a random share of the CPU time of an unbroken run, and calls
the run again. The work of a trial is the CPU time of both calls, threads included; what
a process needs to start is left out. The ways are a given model (``model``), the
network trained here (``train``) and the detectors trained here (``detector``).

The exit status is 1 if a run that was killed gives other bits than the unbroken one.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from PIL import Image

KEY = "dfaulo"
PATIENCE = 600.0
"""Seconds that a call may take on a busy machine."""

PRELOADED = [
    "fiftyone.brain",
    "fiftyone.utils.torch",
    "torchvision",
    "fiftyone_dfaulo.adapter.scoring.boxes.trained",
    "fiftyone_dfaulo.adapter.scoring.compute",
    "fiftyone_dfaulo.engine.detector.training",
    "fiftyone_dfaulo.engine.method.single_label",
    "fiftyone_dfaulo.engine.models.torch_embedder",
    "fiftyone_dfaulo.engine.network.finetuning",
]
CLASSES = [f"class {n}" for n in range(4)]


class Way(NamedTuple):
    """A way to score.

    Attributes:
        images: how many, for each unit of size.
        side: theirs in pixels.
        call: the keywords of the call.
    """

    images: int
    side: int
    call: Callable[[int], dict[str, Any]]


def with_model(size: int) -> dict[str, Any]:
    """A network of the size of ResNet-18, its weights drawn at random."""
    import torch
    from torchvision.models import resnet18

    from fiftyone_dfaulo.config import Preprocessing

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(51)
        model = resnet18()
    own = Preprocessing(64)
    return {"model": model, "preprocessing": own, "batch_size": 64}


def with_training(size: int) -> dict[str, Any]:
    """The network trained here."""
    return {"embeddings": None}


def with_detector(size: int) -> dict[str, Any]:
    """Detectors trained here, for fewer steps than usual."""
    from fiftyone_dfaulo.engine.detector import training

    training.PASSES = 200 * size
    return {"predictions": "auto"}


WAYS = {
    "model": Way(500, 64, with_model),
    "train": Way(60, 32, with_training),
    "detector": Way(10, 64, with_detector),
}


def make_dataset(way: Way, size: int, folder: Path) -> Any:
    """Images of noise with a bright square, whose place tells the class; and boxes."""
    import fiftyone as fo

    rng, samples = np.random.default_rng(51), []
    for number in range(way.images * size):
        label, side = number % len(CLASSES), way.side
        pixels = rng.integers(0, 120, (side, side, 3), np.uint8)
        corner = (np.array([label % 2, label // 2]) + rng.uniform(0, 0.4, 2)) / 2
        left, top = (corner * side).astype(int)
        pixels[top : top + side // 4, left : left + side // 4] += 120
        path = folder / f"{number:06}.png"
        Image.fromarray(pixels).save(path)
        box = [left / side, top / side, 0.25, 0.25]
        found = fo.Detection(label=CLASSES[label], bounding_box=box)
        samples.append(
            fo.Sample(
                str(path),
                ground_truth=fo.Classification(label=CLASSES[label]),
                boxes=fo.Detections(detections=[found]),
            )
        )
    dataset = fo.Dataset()
    dataset.add_samples(samples)
    return dataset


def work(line: Any, name: str, way: str, size: int, cache: str) -> None:
    """A process of its own: calls the run when it is told to."""
    os.environ["DFAULO_CACHE_DIR"] = cache
    os.environ.pop("DFAULO_CACHE_GB", None)
    import fiftyone as fo

    import fiftyone_dfaulo as fd

    dataset, how = fo.load_dataset(name), WAYS[way].call(size)
    field = "boxes" if "predictions" in how else "ground_truth"
    line.send(time.process_time())
    line.recv()
    start = time.process_time()
    results = fd.compute_suspiciousness(
        dataset, field, brain_key=KEY, progress=False, **how
    )
    spent = time.process_time() - start
    bits = hashlib.sha256(repr(results.ids).encode())
    for array in (results.suspiciousness, results.confidence, results.signals):
        bits.update(np.ascontiguousarray(array).tobytes())
    line.send((spent, bits.hexdigest(), list(results.notes)))


class Call:
    """A run in a process of its own."""

    def __init__(self, name: str, way: str, size: int, cache: str) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._line, other = context.Pipe()
        self._process = context.Process(
            target=work, args=(other, name, way, size, cache), daemon=True
        )
        self._process.start()
        other.close()
        assert self._line.poll(PATIENCE), f"{way} does not start"
        self._before = float(self._line.recv())
        self._line.send("go")

    def finish(self) -> tuple[float, str, list[str]]:
        """CPU seconds, a hash of the results, and the notes."""
        if not self._line.poll(PATIENCE):
            raise TimeoutError("the run does not end")
        spent, bits, notes = self._line.recv()
        self._process.join()
        return float(spent), str(bits), list(notes)

    def kill(self, after: float) -> float | None:
        """Kills it after so many CPU seconds, and says how many it had taken.

        None if it came to its end before.
        """
        process = psutil.Process(self._process.pid)
        while not self._line.poll(0.002):
            times = process.cpu_times()
            spent = times.user + times.system - self._before
            if spent >= after:
                self._process.kill()
                self._process.join()
                return float(spent)
        return None


class Trial(NamedTuple):
    """What came of a run that was killed and called again.

    Attributes:
        killed_at: share of the CPU time of an unbroken run.
        work: CPU time of both calls by that of an unbroken run.
        same: whether the results are the same to the bit.
        notes: of the second call.
    """

    killed_at: float
    work: float
    same: bool
    notes: list[str]


def measure(
    way: str, trials: int, size: int, seed: int = 51, unbroken: int = 3
) -> tuple[list[float], list[Trial]]:
    """Kills runs of a way.

    Args:
        way: one of :data:`WAYS`.
        trials: how many are killed.
        size: of the dataset; see :class:`Way`.
        seed: of the moments.
        unbroken: how many are not killed.

    Returns:
        CPU seconds of unbroken runs, and the trials.
    """
    rng = random.Random(f"{seed} {way}")
    with tempfile.TemporaryDirectory(prefix="dfaulo-resumed-") as folder:
        images = Path(folder, "images")
        images.mkdir()
        dataset = make_dataset(WAYS[way], size, images)

        def call(cache: str) -> Call:
            dataset.reload()
            if KEY in dataset.list_brain_runs():
                dataset.delete_brain_run(KEY)
            return Call(dataset.name, way, size, str(Path(folder, cache)))

        usual = [call(f"unbroken {n}").finish() for n in range(unbroken)]
        seconds = [spent for spent, _, _ in usual]
        assert len({bits for _, bits, _ in usual}) == 1, "unbroken runs differ"
        whole, found, begun = statistics.median(seconds), list[Trial](), 0
        while len(found) < trials:
            begun += 1  # each has a cache of its own
            moment, cache = rng.uniform(0, whole), f"killed {begun}"
            spent = call(cache).kill(moment)
            if spent is None:  # it was faster than the others
                continue
            rest, bits, notes = call(cache).finish()
            share = (spent + rest) / whole
            found.append(Trial(spent / whole, share, bits == usual[0][1], notes))
        dataset.delete()
    return seconds, found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=30, help="of each way")
    parser.add_argument("--size", type=int, default=10, help="of the datasets")
    parser.add_argument("--unbroken", type=int, default=3, help="runs, of each way")
    parser.add_argument("--seed", type=int, default=51)
    parser.add_argument("ways", nargs="*", metavar="WAY", help=", ".join(WAYS))
    options = parser.parse_args(arguments)
    if not set(options.ways) <= set(WAYS):
        parser.error(f"expected some of {', '.join(WAYS)}")
    os.environ["FIFTYONE_SHOW_PROGRESS_BARS"] = "false"
    wrong = 0
    for way in options.ways or WAYS:
        seconds, trials = measure(
            way, options.trials, options.size, options.seed, options.unbroken
        )
        for n, one in enumerate(trials):
            bits = "same bits" if one.same else "OTHER BITS"
            print(f"{way} {n}: at {one.killed_at:.2f}: {one.work:.3f}, {bits}")
        work = [one.work for one in trials]
        same = sum(one.same for one in trials)
        wrong += len(trials) - same
        print(
            f"{way}: unbroken {min(seconds):.1f} to {max(seconds):.1f} s of CPU; "
            f"killed {len(trials)} times: work {statistics.mean(work):.3f} of it on "
            f"average, {max(work):.3f} at most; same bits {same} times",
            flush=True,
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
