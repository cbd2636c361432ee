"""Cases: images, the labels to be checked, and which samples are faults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import fiftyone as fo
import fiftyone.zoo as foz
import numpy as np
from sklearn.datasets import load_digits

from fiftyone_dfaulo.engine.images.batches import decode_images
from fiftyone_dfaulo.engine.injection import painting, plans

LEAK = 0.15
"""Share of a class that the kind ``pair`` gives the label of a confusable class."""


@dataclass(frozen=True)
class Case:
    """Samples of which some are faults.

    Attributes:
        name: of the case, usable in a file's name.
        images: uint8 (N, H, W) or (N, H, W, 3).
        labels: int64 (N,), in 0..K-1, the labels to be checked.
        faults: bool (N,).
        truth: int64 (N,), the true label; -1 where an image belongs to no class.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    faults: np.ndarray
    truth: np.ndarray


def read_digits() -> Case:
    """Scikit-learn's 1,797 handwritten digits, 8 x 8, as they are."""
    digits = load_digits()
    images = (digits.images * 15.9375).astype(np.uint8)
    return _clean("digits", images, digits.target.astype(np.int64))


def read_npz(path: Path, labels: str = "labels", truth: str | None = None) -> Case:
    """The images of an npz file.

    Args:
        path: the file; holds ``images``.
        labels: which of its arrays holds the labels.
        truth: which of them holds the true labels; None takes the labels for true.
    """
    with np.load(path, allow_pickle=False) as arrays:
        images, given = arrays["images"], arrays[labels].astype(np.int64)
        if truth is None:
            return _clean(path.stem, images, given)
        true = arrays[truth].astype(np.int64)
    return Case(f"{path.stem}-{labels}", images, given, given != true, true)


def read_folder(path: Path) -> Case:
    """A folder with one folder of image files for each class."""
    files = sorted(file for file in path.glob("*/*") if file.is_file())
    return _decode(path.name, list(map(str, files)), [f.parent.name for f in files])


def read_dataset(name: str, field: str = "ground_truth") -> Case:
    """A FiftyOne dataset, by its name or by its name in FiftyOne's zoo."""
    if fo.dataset_exists(name):
        dataset = fo.load_dataset(name)
    else:
        dataset = foz.load_zoo_dataset(name)
    paths, labels = dataset.exists(field).values(["filepath", f"{field}.label"])
    return _decode(name, paths, labels)


def _decode(name: str, paths: list[str], names: list[str]) -> Case:
    decoded = decode_images(paths, size=None, workers=2, memory_budget=8 * 1024**3)
    used = [names[n] for n in decoded.index]
    _, labels = np.unique(used, return_inverse=True)
    return _clean(name, decoded.pixels, labels.astype(np.int64))


def thinned(case: Case, count: int | None) -> Case:
    """At most ``count`` of a case's samples, drawn at random; None is all."""
    if count is None or count >= len(case.labels):
        return case
    chosen = np.sort(np.random.default_rng(0).permutation(len(case.labels))[:count])
    return Case(
        f"{case.name}-{count}",
        case.images[chosen],
        case.labels[chosen],
        case.faults[chosen],
        case.truth[chosen],
    )


def _clean(name: str, images: np.ndarray, labels: np.ndarray) -> Case:
    return Case(name, images, labels, np.zeros(len(labels), bool), labels.copy())


def plant(
    clean: Case, kind: str, rate: float, seed: int, pairs: list[tuple[int, int]]
) -> Case:
    """Plants faults of a kind.

    Args:
        clean: a case without faults.
        kind: one of :data:`KINDS`.
        rate: share of faults in every class that has some; in ``pair`` it is
            :data:`LEAK`, and in ``imbalanced`` samples are left out as well.
        seed: of the choice of samples and labels.
        pairs: class and the one it is most often confused with, the most confused
            first; for the kinds that name classes.
    """
    rng = np.random.default_rng(seed)
    rate_used = LEAK / plans.LEAK if kind == "pair" else rate
    name = kind.replace("-", "_")
    plan = plans.plan_faults(clean.labels, name, rate_used, rng, pairs)
    kept = plan.labels >= 0
    return Case(
        name=f"{clean.name}-{kind}-{rate:g}-{seed}",
        images=_paint(clean.images, plan, rng)[kept],
        labels=plan.labels[kept],
        faults=plan.faults[kept],
        truth=_truth(clean.truth, plan)[kept],
    )


def _paint(
    images: np.ndarray, plan: plans.Plan, rng: np.random.Generator
) -> np.ndarray:
    painted, shape = images.copy(), images.shape[1:]
    for position, what in plan.images.items():
        source = plan.sources.get(position)
        copied = None if source is None else images[source]
        painted[position] = painting.paint(what, shape, rng, copied)
    return painted


def _truth(truth: np.ndarray, plan: plans.Plan) -> np.ndarray:
    shown = truth.copy()
    for position in plan.images:
        source = plan.sources.get(position)
        shown[position] = -1 if source is None else truth[source]
    return shown


KINDS = [kind.replace("_", "-") for kind in plans.KINDS]
"""The engine's kinds of faults. The rate of ``pair`` is fixed."""
