"""Real digits in pairs, each image with two tags, some of them wrong or missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


class Pairs(NamedTuple):
    """N images of two digits, K = 10 tags."""

    pixels: np.ndarray  # uint8 (N, 16, 16, 3)
    given: np.ndarray  # bool (N, 10), the tags as they are given
    wrong: np.ndarray  # bool (N, 10), where these are wrong


def draw_pairs(count: int, faults: int) -> Pairs:
    """Digits side by side; every fault is one tag too many, one too few, or both."""
    digits, rng = load_digits(), np.random.default_rng(51)
    chosen = rng.integers(0, len(digits.target), (count, 2))
    images = (digits.images[chosen] * 15).astype(np.uint8)
    pixels = np.zeros((count, 16, 16, 3), np.uint8)
    pixels[:, 4:12] = np.concatenate(list(images.swapaxes(0, 1)), 2)[..., None]
    truth = np.zeros((count, 10), bool)
    truth[np.arange(count)[:, None], digits.target[chosen]] = True
    given = truth.copy()
    rows = rng.choice(count, faults, replace=False)
    for row, kind in zip(rows, np.arange(faults) % 3):
        if kind != 0:
            given[row, rng.choice(np.flatnonzero(truth[row]))] = False
        if kind != 1:
            given[row, rng.choice(np.flatnonzero(~truth[row]))] = True
    return Pairs(pixels, given, given != truth)


def as_tags(names: Iterable[str]) -> Any:
    """Tags as FiftyOne has them."""
    import fiftyone as fo

    return fo.Classifications(
        classifications=[fo.Classification(label=name) for name in names]
    )


def build_pairs(folder: Path, pairs: Pairs, name: str | None = None) -> Any:
    """A dataset of these images with their tags in the field ``digits``.

    The field ``fault`` says whether any tag of a sample is wrong or missing.

    Args:
        folder: where to write the images; it must not exist.
        pairs: the images.
        name: the dataset's name.
    """
    import fiftyone as fo

    folder.mkdir()
    samples = []
    for number, (pixels, given) in enumerate(zip(pairs.pixels, pairs.given)):
        path = folder / f"{number:04}.png"
        Image.fromarray(pixels).save(path)
        tags = as_tags(str(digit) for digit in np.flatnonzero(given))
        fault = bool(pairs.wrong[number].any())
        samples.append(fo.Sample(filepath=str(path), digits=tags, fault=fault))
    dataset = fo.Dataset(name)
    dataset.add_samples(samples)
    return dataset
