"""A detector's predictions, and all given boxes of the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import fiftyone as fo
import numpy as np
from bson import ObjectId

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading.prediction_fields import field_type, fields_of_type
from fiftyone_dfaulo.adapter.storage.documents import batches
from fiftyone_dfaulo.adapter.targets.boxes import bounds, box_problem, in_pixels
from fiftyone_dfaulo.adapter.targets.object import ObjectTarget
from fiftyone_dfaulo.errors import InputError

CROWD = "it is marked as a crowd (iscrowd), not as one object"
"""Reason for leaving out a box."""


@dataclass(frozen=True)
class Found:
    """Boxes in some images, and what they are.

    Attributes:
        ids: ids of the N boxes.
        images: int64 (N,), positions of their samples.
        boxes: float64 (N, 4), left, top, width and height.
        labels: their classes; None for a box without one.
        confidence: float64 (N,), in [0, 1]; 1 where there is none.
        crowds: bool (N,), whether a box is marked as a crowd.
    """

    ids: list[str]
    images: np.ndarray
    boxes: np.ndarray
    labels: list[str | None]
    confidence: np.ndarray
    crowds: np.ndarray

    def take(self, rows: np.ndarray) -> Found:
        """Some of the boxes: int64, their positions."""
        return Found(
            [self.ids[n] for n in rows],
            self.images[rows],
            self.boxes[rows],
            [self.labels[n] for n in rows],
            self.confidence[rows],
            self.crowds[rows],
        )


def check_detections(samples: Samples, field: str, label_field: str) -> None:
    """Makes sure that a field holds a detector's predictions.

    Raises:
        InputError: if there is no such field, it is the label field or of another type,
            or these are patches, which do not show what is missing.
    """
    check_no_patches(samples)
    kind = field_type(samples, field, label_field, "a detector's", _choices)
    if not issubclass(kind, fo.Detections):
        raise InputError(
            f"predictions={field!r} is a {kind.__name__} field, and "
            f"{label_field!r} holds objects; expected a Detections field. "
            f"{_choices(samples, label_field)}"
        )


def check_no_patches(samples: Samples) -> None:
    """Raises InputError if these are patches, which show parts of images."""
    if samples._is_patches:
        raise InputError(
            "this is a view of patches, which does not hold the predictions of whole "
            "images; pass the dataset, or a view of its samples"
        )


def list_detections(samples: Samples, label_field: str) -> dict[str, str]:
    """The Detections fields that may hold a detector's predictions, and ``"boxes"``."""
    names = fields_of_type(samples, label_field, fo.Detections)
    return dict.fromkeys(names, "boxes")


def _choices(samples: Samples, label_field: str) -> str:
    names = ", ".join(list_detections(samples, label_field))
    return f"Detections fields here: {names or 'none'}"


def read_predicted(samples: Samples, field: str, ids: Sequence[str]) -> Found:
    """The predictions of some samples, those without a confidence left out if others
    have one.

    Args:
        samples: a dataset or view.
        field: a field that :func:`check_detections` accepts.
        ids: of samples, whose positions are the images.

    Raises:
        InputError: if there is none with a box and a class; if a confidence is not in
            [0, 1]; if boxes are in pixels.
    """
    number = {one: n for n, one in enumerate(ids)}
    at = f"{field}.detections"
    parts = ("id", "label", "bounding_box", "confidence")
    columns = samples.values(["id", *(f"{at}.{part}" for part in parts)])
    rows: list[tuple[str, int, str, list[float], float | None]] = []
    boxes = [box for sample in columns[3] for box in sample or ()]
    check_fractions(f"predictions={field!r}", boxes)
    for sample, *lists in zip(*columns):
        for one, label, box, sure in zip(*(values or () for values in lists)):
            if sample in number and isinstance(label, str) and box_problem(box) is None:
                rows.append((one, number[sample], label, box, sure))
        number.pop(sample, None)  # a view may show a sample twice
    rows.sort(key=lambda row: (row[1], row[0]))  # whatever the order of a view
    if any(row[4] is not None for row in rows):
        rows = [row for row in rows if row[4] is not None]
    if not rows:
        raise InputError(
            f"predictions={field!r} holds no box with a class and a place in its image "
            f"on any of the {len(ids)} samples with labels; apply the detector first. "
            "Boxes are left, top, width and height, fractions of the image's size"
        )
    confidence = np.array([1.0 if row[4] is None else row[4] for row in rows], float)
    if not ((confidence >= 0) & (confidence <= 1)).all():
        odd = confidence[~((confidence >= 0) & (confidence <= 1))][0]
        raise InputError(
            f"predictions={field!r} has a confidence of {odd:.4g}; expected numbers "
            "from 0 to 1"
        )
    return Found(
        [row[0] for row in rows],
        np.array([row[1] for row in rows], np.int64),
        np.array([row[3] for row in rows], float),
        [row[2] for row in rows],
        confidence,
        np.zeros(len(rows), bool),
    )


def check_fractions(what: str, boxes: Sequence[object]) -> None:
    """Makes sure that boxes are fractions of their images.

    Raises:
        InputError: if one is far larger than its image.
    """
    odd = [box for box in boxes if in_pixels(box)]
    if odd:
        raise InputError(
            f"{what} holds {len(odd)} boxes in pixels, it seems, such as "
            f"{str(odd[0])[:80]}; FiftyOne's boxes are left, top, width and height, "
            "fractions of the image's size"
        )


def read_given(target: ObjectTarget, samples: Samples) -> tuple[list[str], Found]:
    """All given boxes of the samples, also those that a view filters out.

    What a view hides is there all the same: nothing is missing in its place.

    Returns:
        ids of the samples that are labelled, if only by an empty list; and their boxes.

    Raises:
        InputError: if two objects of a sample have the same id; if boxes are in pixels.
    """
    storage = target.storage(samples._root_dataset)
    field, shape = target.label_field, target.shape_name
    documents: list[str] = []
    rows: list[tuple[str, int, str | None, object, bool]] = []
    for part in batches(sorted({*samples.values("id")})):
        wanted = {"_id": {"$in": [ObjectId(one) for one in part]}}
        for document in storage.collection.find(wanted, {field: 1}).sort("_id", 1):
            label: object = document
            for name in field.split("."):
                label = label.get(name) if isinstance(label, dict) else None
            if not isinstance(label, dict):
                continue
            sample = str(document["_id"])
            objects = label.get(target.list_name) or []
            _check_ids(field, sample, [one["_id"] for one in objects])
            if shape != "points":
                check_fractions(
                    f"label_field={field!r}", [one.get(shape) for one in objects]
                )
            for one in objects:
                box = one.get(shape)
                box = bounds(box) if shape == "points" else box
                if box_problem(box) is None:
                    crowd = bool(one.get("iscrowd"))
                    at = len(documents)
                    name = one.get("label")
                    text = name if isinstance(name, str) else None
                    rows.append((str(one["_id"]), at, text, box, crowd))
            documents.append(sample)
    found = Found(
        [row[0] for row in rows],
        np.array([row[1] for row in rows], np.int64),
        np.array([row[3] for row in rows], float).reshape(-1, 4),
        [row[2] for row in rows],
        np.ones(len(rows)),
        np.array([row[4] for row in rows], bool),
    )
    return documents, found


def _check_ids(field: str, sample: str, ids: list[ObjectId]) -> None:
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise InputError(
            f"sample {sample} holds two objects with the same id {twice} in {field!r}, "
            "so that scores cannot tell them apart; give one of them an id of its own, "
            "as label.copy() does, and save it"
        )
