"""Images pasted on canvases: a dataset of objects, some with a wrong label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from PIL import Image

from bench.cases import Case

FIELD = "boxes"
WRONG = "wrong"
"""The tag of the objects that are faults."""

_GRID = 4  # each canvas has so many cells a side, of which 3 to 8 hold an object


def paste(case: Case, folder: Path, name: str | None = None, seed: int = 51) -> Any:
    """A dataset of canvases with a case's images, in their order, in ``boxes``.

    Objects are as large as the images or up to half as large again, somewhere in their
    cell, on dark noise; neighbours may touch.

    Args:
        case: the images, labels and faults.
        folder: where to write the canvases; it must not exist.
        name: the dataset's name.
        seed: of where the objects are and how large.
    """
    folder.mkdir()
    rng = np.random.default_rng(seed)
    side = case.images.shape[1]
    cell = 2 * side
    dataset = fo.Dataset(name)
    samples: list[fo.Sample] = []
    number = 0
    while number < len(case.labels):
        canvas = rng.integers(0, 40, (_GRID * cell, _GRID * cell), dtype=np.uint8)
        objects = []
        for square in rng.choice(_GRID**2, rng.integers(3, 9), replace=False):
            if number == len(case.labels):
                break
            corner = (cell * (int(square) % _GRID), cell * (int(square) // _GRID))
            size = int(rng.integers(side, side + side // 2 + 1))
            left, top = (c + int(rng.integers(0, cell - size + 1)) for c in corner)
            image = Image.fromarray(case.images[number]).convert("L")
            part = canvas[top : top + size, left : left + size]
            np.maximum(part, np.asarray(image.resize((size, size))), out=part)
            box = np.array([left, top, size, size]) / len(canvas)
            objects.append(
                fo.Detection(
                    label=str(case.labels[number]),
                    bounding_box=box.tolist(),
                    tags=[WRONG] if case.faults[number] else [],
                )
            )
            number += 1
        path = folder / f"{len(samples):05}.png"
        Image.fromarray(canvas).save(path)
        found = fo.Detections(detections=objects)
        samples.append(fo.Sample(filepath=str(path), **{FIELD: found}))
    dataset.add_samples(samples, progress=False)
    return dataset


def faults(dataset: Any) -> list[bool]:
    """Which of the objects are faults, in the dataset's order."""
    tags = dataset.values(f"{FIELD}.detections.tags")
    return [WRONG in some for sample in tags for some in sample]
