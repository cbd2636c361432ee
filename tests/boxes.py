"""Datasets of boxes with predictions: planted faults and a simulated detector."""

from __future__ import annotations

from typing import Any

import bson
import fiftyone as fo
import numpy as np
from bench.box_datasets import add_samples
from bench.boxes import KINDS, Objects, Predictions, detect, plant, right_objects


def scattered(count: int = 600, classes: int = 3, seed: int = 51) -> Objects:
    """Objects in the cells of a grid, four to eight an image, none over another."""
    rng = np.random.default_rng(seed)
    images: list[int] = []
    boxes: list[list[float]] = []
    while len(boxes) < count:
        number = images[-1] + 1 if images else 0
        for cell in rng.choice(16, rng.integers(4, 9), replace=False):
            size = rng.uniform(0.12, 0.2)
            corner = np.array([cell % 4, cell // 4]) / 4 + rng.uniform(
                0, 0.25 - size, 2
            )
            images.append(number)
            boxes.append([*corner.tolist(), size, size])
    names = list("abcdefghij"[:classes])
    labels = rng.integers(0, classes, len(boxes))
    paths = [f"/images/{n:04}.png" for n in range(images[-1] + 1)]
    return right_objects(paths, np.array(images), np.array(boxes), labels, names)


def planted(
    count: int = 600, classes: int = 3, *, skill: float = 2.0, seed: int = 51
) -> tuple[Objects, Predictions, np.ndarray]:
    """These with 5 % of each kind of fault, a detector's predictions of the true ones,
    and which of the predictions are of objects that are missing."""
    rng = np.random.default_rng(seed)
    true = scattered(count, classes, seed)
    found = detect(true, rng, skill=skill)
    kinds = KINDS if classes > 1 else KINDS[1:]
    given, missing = plant(true, rng, kinds, 0.05)
    return given, found, (found.of >= 0) & missing[found.of]


def make_boxes(given: Objects, found: Predictions) -> Any:
    """A dataset of them: ``boxes``, whose objects know their ``fault``, and
    ``predictions``."""
    dataset = fo.Dataset()
    add_samples(dataset, given, found)
    return dataset


def raw(dataset: Any) -> list[bytes]:
    """The samples byte for byte, but for verdicts and the time of the last change."""

    def kept(value: Any) -> Any:
        if isinstance(value, list):
            return [kept(one) for one in value]
        if not isinstance(value, dict):
            return value
        ours = ("_verdict", "_history", "last_modified_at")
        return {k: kept(one) for k, one in value.items() if not k.endswith(ours)}

    found = dataset._sample_collection.find().sort("_id", 1)
    return [bson.encode(kept(document)) for document in found]
