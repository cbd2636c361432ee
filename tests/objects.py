"""Real digits pasted on canvases: a dataset of objects, some with a wrong label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

SIDE = 64
CELL = 16
"""Each canvas is a grid of cells, of which some hold a digit of 8 to 12 pixels."""


def paste_digits(
    folder: Path, count: int = 1797, *, rate: float = 0.05, name: str | None = None
) -> Any:
    """A dataset of canvases with scikit-learn's digits in the field ``boxes``.

    Args:
        folder: where to write the canvases; it must not exist.
        count: how many digits.
        rate: the share of them that get a random other label; they have the tag
            ``"wrong"``.
        name: the dataset's name.
    """
    folder.mkdir()
    rng = np.random.default_rng(51)
    digits = load_digits()
    wrong = set(rng.choice(count, round(rate * count), replace=False).tolist())
    cells = [(x, y) for x in range(0, SIDE, CELL) for y in range(0, SIDE, CELL)]
    dataset = fo.Dataset(name)
    samples, number = [], 0
    while number < count:
        canvas = rng.integers(0, 40, (SIDE, SIDE), dtype=np.uint8)
        objects = []
        for cell in rng.choice(len(cells), rng.integers(3, 9), replace=False):
            if number == count:
                break
            box = _paste(canvas, digits.images[number], cells[cell], rng)
            label = int(digits.target[number])
            if number in wrong:
                label = int((label + rng.integers(1, 10)) % 10)
            tags = ["wrong"] if number in wrong else []
            objects.append(fo.Detection(label=str(label), bounding_box=box, tags=tags))
            number += 1
        path = folder / f"{len(samples):04}.png"
        Image.fromarray(canvas).save(path)
        boxes = fo.Detections(detections=objects)
        samples.append(fo.Sample(filepath=str(path), boxes=boxes))
    dataset.add_samples(samples)
    return dataset


def _paste(
    canvas: np.ndarray, pixels: np.ndarray, cell: tuple[int, int], rng: Any
) -> list[float]:
    size = int(rng.integers(8, 13))
    left, top = (int(c + rng.integers(0, CELL - size + 1)) for c in cell)
    digit = Image.fromarray((pixels * 255 / 16).astype(np.uint8)).resize((size, size))
    place = canvas[top : top + size, left : left + size]
    np.maximum(place, np.asarray(digit), out=place)
    return [left / SIDE, top / SIDE, size / SIDE, size / SIDE]
