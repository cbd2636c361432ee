"""Cases: images, the labels to be checked, and which samples are faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import fiftyone as fo
import fiftyone.zoo as foz
import numpy as np
from sklearn.datasets import load_digits, load_sample_images

from fiftyone_dfaulo.engine.images import decode_images

LEAK = 0.15
"""Share of a class that the kind ``pair`` gives the label of a confusable class."""

IMBALANCE = 10.0
"""Size of the largest class by that of the smallest, in the kind ``imbalanced``."""


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
        rate: share of faults in every class that has some.
        seed: of the choice of samples and labels.
        pairs: class and the one it is most often confused with, the most confused
            first; for the kinds that name classes.
    """
    rng = np.random.default_rng(seed)
    planted = KINDS[kind](clean, rate, rng, pairs)
    return replace(planted, name=f"{clean.name}-{kind}-{rate:g}-{seed}")


Pairs = list[tuple[int, int]]
Kind = Callable[[Case, float, np.random.Generator, Pairs], Case]


def _some(members: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(members)[: round(rate * len(members))]


def _of_every_class(
    case: Case, rate: float, rng: np.random.Generator, classes: list[int] | None = None
) -> np.ndarray:
    wanted = range(int(case.labels.max()) + 1) if classes is None else classes
    parts = [_some(np.flatnonzero(case.labels == k), rate, rng) for k in wanted]
    return np.concatenate(parts)


def _relabelled(case: Case, chosen: np.ndarray, new: np.ndarray) -> Case:
    labels, faults = case.labels.copy(), case.faults.copy()
    labels[chosen], faults[chosen] = new, True
    return replace(case, labels=labels, faults=faults)


def _repainted(case: Case, chosen: np.ndarray, new: np.ndarray) -> Case:
    images, faults, truth = case.images.copy(), case.faults.copy(), case.truth.copy()
    images[chosen], faults[chosen], truth[chosen] = new, True, -1
    return replace(case, images=images, faults=faults, truth=truth)


def random_label(case: Case, rate: float, rng: np.random.Generator, _: Pairs) -> Case:
    """In every class, some get a uniformly drawn other label."""
    return _with_other_labels(case, _of_every_class(case, rate, rng), rng)


def _with_other_labels(
    case: Case, chosen: np.ndarray, rng: np.random.Generator
) -> Case:
    count = int(case.labels.max()) + 1
    moved = case.labels[chosen] + rng.integers(1, count, len(chosen))
    return _relabelled(case, chosen, moved % count)


def specific_label(
    case: Case, rate: float, rng: np.random.Generator, pairs: Pairs
) -> Case:
    """Some of the two most confused classes get each other's label."""
    first, second = pairs[0]
    a = _of_every_class(case, rate, rng, [first])
    b = _of_every_class(case, rate, rng, [second])
    new = np.repeat([second, first], [len(a), len(b)])
    return _relabelled(case, np.concatenate([a, b]), new)


def pair(case: Case, _: float, rng: np.random.Generator, pairs: Pairs) -> Case:
    """A third of the classes leak 15 % into the class they are confused with."""
    for source, target in pairs[: (int(case.labels.max()) + 1) // 3]:
        members = np.flatnonzero((case.labels == source) & ~case.faults)
        case = _relabelled(case, _some(members, LEAK, rng), np.int64(target))
    return case


def imbalanced(case: Case, rate: float, rng: np.random.Generator, _: Pairs) -> Case:
    """Classes shrunk to sizes from 1 down to a tenth; then random labels."""
    count = int(case.labels.max()) + 1
    sizes = IMBALANCE ** -np.linspace(0, 1, count)
    parts = [
        _some(np.flatnonzero(case.labels == k), size, rng)
        for k, size in zip(rng.permutation(count), sizes)
    ]
    kept = np.sort(np.concatenate(parts))
    small = _clean(case.name, case.images[kept], case.labels[kept])
    return random_label(small, rate, rng, [])


def random_data(case: Case, rate: float, rng: np.random.Generator, _: Pairs) -> Case:
    """In every class, some get the image of another dataset, the label kept."""
    chosen = _of_every_class(case, rate, rng)
    return _repainted(case, chosen, photo_crops(case.images, len(chosen), rng))


def specific_data(
    case: Case, rate: float, rng: np.random.Generator, pairs: Pairs
) -> Case:
    """The same in one class only."""
    chosen = _of_every_class(case, rate, rng, [pairs[0][0]])
    return _repainted(case, chosen, photo_crops(case.images, len(chosen), rng))


def mixture(case: Case, rate: float, rng: np.random.Generator, _: Pairs) -> Case:
    """Half random labels, half images of another dataset."""
    chosen = rng.permutation(_of_every_class(case, rate, rng))
    half = len(chosen) // 2
    crops = photo_crops(case.images, len(chosen) - half, rng)
    case = _with_other_labels(case, chosen[:half], rng)
    return _repainted(case, chosen[half:], crops)


def corrupt(case: Case, rate: float, rng: np.random.Generator, _: Pairs) -> Case:
    """In every class, some images become blank, black, white or noise."""
    chosen = _of_every_class(case, rate, rng)
    shape = (len(chosen), *case.images.shape[1:])
    new = rng.integers(0, 256, shape, dtype=np.uint8)
    for tone, part in enumerate(np.array_split(np.arange(len(chosen)), 4)[:3]):
        new[part] = (0, 128, 255)[tone]
    return _repainted(case, chosen, new)


def duplicates(case: Case, rate: float, rng: np.random.Generator, _: Pairs) -> Case:
    """Some become a noisy copy of an image of another class, the label kept."""
    chosen = _of_every_class(case, rate, rng)
    others = np.setdiff1d(np.arange(len(case.labels)), chosen)
    copied = np.array(
        [rng.choice(others[case.labels[others] != case.labels[i]]) for i in chosen]
    )
    noise = rng.normal(scale=8, size=(len(chosen), *case.images.shape[1:]))
    copies = np.clip(case.images[copied] + noise, 0, 255).astype(np.uint8)
    truth = case.labels[copied]
    case = _repainted(case, chosen, copies)
    case.truth[chosen] = truth
    return case


KINDS: dict[str, Kind] = {
    "random-label": random_label,
    "specific-label": specific_label,
    "pair": pair,
    "imbalanced": imbalanced,
    "random-data": random_data,
    "specific-data": specific_data,
    "mixture": mixture,
    "corrupt": corrupt,
    "duplicates": duplicates,
}
"""The paper's four kinds, and five more. The rate of ``pair`` is fixed."""


def photo_crops(like: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Crops, of the shape of the images, out of scikit-learn's two photographs."""
    photos = load_sample_images().images
    height, width = like.shape[1:3]
    crops = np.empty((count, *like.shape[1:]), np.uint8)
    for n in range(count):
        photo = photos[rng.integers(len(photos))]
        top = rng.integers(photo.shape[0] - 2 * height)
        left = rng.integers(photo.shape[1] - 2 * width)
        crop = photo[top : top + 2 * height : 2, left : left + 2 * width : 2]
        crops[n] = crop if like.ndim == 4 else crop.mean(2)
    return crops
