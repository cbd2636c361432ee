"""How well faults are found, how long each stage takes, and how much memory.

    python examples/benchmark.py images [--npz FILE] [--seeds 3] [--method paper]
    python examples/benchmark.py embeddings [--counts 10000 100000]

``images`` writes the images out as files, plants faults, builds a FiftyOne dataset and
runs :func:`fiftyone_dfaulo.compute_suspiciousness` on it, once for each seed. Without
``--npz`` it takes scikit-learn's digits. An npz file holds ``images`` (N, H, W) or
(N, H, W, 3), uint8, and labels (N,); where ``--truth`` names true labels in it, nothing
is planted, and a fault is a label that differs from them.

``embeddings`` scores synthetic embeddings of growing number, without any image.

``make bench ARGS="..."`` runs it with a FiftyOne of its own.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

import fiftyone_dfaulo as dfaulo

BASE_STAGES = ("Training the network",)
OWN_STAGES = ("Scoring with mutants",)


@dataclass(frozen=True)
class Data:
    """Images, the labels to be checked, and which of those are wrong."""

    images: np.ndarray
    labels: np.ndarray
    faults: np.ndarray


def load(options: argparse.Namespace, seed: int) -> Data:
    """The images asked for, with faults as they are or planted."""
    if options.npz is None:
        digits = load_digits()
        images, labels = (digits.images * 15.9375).astype(np.uint8), digits.target
    else:
        with np.load(options.npz, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays[options.labels].astype(int)
            if options.truth is not None:
                return Data(images, labels, labels != arrays[options.truth])
    planted = plant(labels, options.rate, np.random.default_rng(seed))
    return Data(images, planted, planted != labels)


def plant(labels: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """In every class, gives a share of the samples a uniformly drawn other label."""
    planted, num_classes = labels.copy(), int(labels.max()) + 1
    for k in range(num_classes):
        members = rng.permutation(np.flatnonzero(labels == k))
        chosen = members[: round(rate * len(members))]
        planted[chosen] = (k + rng.integers(1, num_classes, len(chosen))) % num_classes
    return planted


def build_dataset(data: Data, folder: Path) -> Any:
    """Writes the images out as PNG files and makes a dataset of them."""
    samples = []
    for number, image in enumerate(data.images):
        path = folder / f"{number:06d}.png"
        Image.fromarray(image).save(path)
        label = fo.Classification(label=f"{data.labels[number]:03d}")
        samples.append(fo.Sample(filepath=str(path), ground_truth=label))
    dataset = fo.Dataset()
    dataset.add_samples(samples, progress=False)
    return dataset


def measure_images(options: argparse.Namespace, seed: int) -> float:
    """Runs one seed and prints its line; gives the average precision."""
    data = load(options, seed)
    with tempfile.TemporaryDirectory() as folder:
        dataset = build_dataset(data, Path(folder))
        try:
            results = dfaulo.compute_suspiciousness(
                dataset,
                method=options.method,
                max_epochs=options.max_epochs,
                seed=seed,
                progress=False,
            )
            position = {sample: n for n, sample in enumerate(dataset.values("id"))}
        finally:
            dataset.delete()
    faults = data.faults[[position[sample] for sample in results.ids]]
    precision = float(average_precision_score(faults, results.suspiciousness))
    own, base = (
        sum(results.seconds.get(stage, 0.0) for stage in stages)
        for stages in (OWN_STAGES, BASE_STAGES)
    )
    times = ", ".join(f"{stage} {s:.1f} s" for stage, s in results.seconds.items())
    print(
        f"seed {seed}: AP {precision:.3f}, {results.estimated_faults} faults estimated "
        f"of {faults.sum()}; {times}; scoring is {own / base:.0%} of training",
        flush=True,
    )
    return precision


def measure_embeddings(count: int, width: int, num_classes: int) -> None:
    """Scores Gaussian classes with 5 % wrong labels and prints a line."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, num_classes, count)
    centres = rng.normal(size=(num_classes, width)).astype(np.float32)
    embeddings = rng.normal(scale=5, size=(count, width)).astype(np.float32)
    embeddings += centres[truth]
    labels = plant(truth, 0.05, rng)
    dataset = fo.Dataset()
    try:
        dataset.add_samples(
            [
                fo.Sample(f"{n}.png", ground_truth=fo.Classification(label=f"{k:03d}"))
                for n, k in enumerate(labels)
            ],
            progress=False,
        )
        start = time.perf_counter()
        results = dfaulo.compute_suspiciousness(
            dataset, embeddings=embeddings, progress=False
        )
        seconds = time.perf_counter() - start
    finally:
        dataset.delete()
    precision = average_precision_score(labels != truth, results.suspiciousness)
    times = ", ".join(f"{stage} {s:.1f} s" for stage, s in results.seconds.items())
    print(
        f"{count} x {width}, {num_classes} classes: AP {precision:.3f}, "
        f"{seconds:.1f} s in all; {times}; peak memory {peak_gib():.2f} GiB",
        flush=True,
    )


def peak_gib() -> float:
    """The most memory that this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**3


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    images = commands.add_parser("images", help="train a network on images")
    images.add_argument("--npz", help="an npz file; scikit-learn's digits without")
    images.add_argument("--labels", default="labels", help="labels in the npz file")
    images.add_argument("--truth", help="true labels in it: plant nothing")
    images.add_argument("--rate", type=float, default=0.05, help="share of faults")
    images.add_argument("--seeds", type=int, default=3, help="how many")
    images.add_argument("--method", default="dfaulo", choices=["dfaulo", "paper"])
    images.add_argument("--max-epochs", type=int, default=30)
    embeddings = commands.add_parser("embeddings", help="score synthetic embeddings")
    embeddings.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000])
    embeddings.add_argument("--width", type=int, default=512)
    embeddings.add_argument("--classes", type=int, default=100)
    return parser.parse_args(arguments)


def main() -> None:
    options = read_options()
    if options.command == "embeddings":
        for count in sorted(options.counts):  # peak memory only ever grows
            measure_embeddings(count, options.width, options.classes)
        return
    found = [measure_images(options, seed) for seed in range(options.seeds)]
    print(
        f"AP {np.mean(found):.3f} (from {min(found):.3f} to {max(found):.3f}, "
        f"{len(found)} seeds); peak memory {peak_gib():.2f} GiB"
    )


if __name__ == "__main__":
    main()
