"""Reads the objects in samples: their ids, labels and boxes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import fiftyone as fo

from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.engine.images.decoding import Crop
from fiftyone_dfaulo.errors import InputError

LISTS = {fo.Detections: "detections", fo.Polylines: "polylines"}
"""Type of a label field to the attribute of it that lists the objects."""

_SHAPES = {"detections": "bounding_box", "polylines": "points"}

Box = tuple[float, float, float, float]


class Objects(NamedTuple):
    """The objects of a dataset or view, in the order of samples' ids, then their own.

    Attributes:
        rows: id of each object with a sound box, its crop, and its label or None.
        unreadable: id of each of the others to the reason.
    """

    rows: list[tuple[str, Crop, str | None]]
    unreadable: dict[str, str]


def read_objects(samples: Any, place: Place) -> Objects:
    """Reads the objects of a dataset, of a view of it, or of a view of patches of it.

    An object that a view holds twice is read once.

    Raises:
        InputError: if two objects have the same id.
    """
    rows: list[tuple[str, Crop, str | None]] = []
    unreadable: dict[str, str] = {}
    seen: dict[str, str] = {}
    found = _patches(samples, place) if samples._is_patches else _lists(samples, place)
    for sample, one, path, label, shape in sorted(found, key=lambda row: row[:2]):
        if one in seen:
            if seen[one] != sample:
                raise InputError(_same_id(place, one, seen[one], sample))
            continue
        seen[one] = sample
        box = _bounds(shape) if _shape(place) == "points" else shape
        problem = _box_problem(box)
        if problem:
            unreadable[one] = problem
        else:
            rows.append((one, Crop(path, tuple(box)), label))
    return Objects(rows, unreadable)


def _same_id(place: Place, one: str, first: str, second: str) -> str:
    return (
        f"samples {first} and {second} hold objects with the same id {one} in "
        f"{place.label_field!r}, so that scores cannot tell them apart; give copies "
        "ids of their own, as label.copy() does, and save them"
    )


def _shape(place: Place) -> str:
    assert place.list_path is not None
    return _SHAPES[place.list_path.rpartition(".")[2]]


def _lists(samples: Any, place: Place) -> Iterator[tuple[str, str, str, Any, Any]]:
    parts = [place.path(name) for name in ("id", "label", _shape(place))]
    columns = samples.values(["id", "filepath", *parts])
    for sample, path, ids, labels, shapes in zip(*columns):
        for one, label, shape in zip(ids or (), labels or (), shapes or ()):
            yield sample, one, path, label, shape


def _patches(samples: Any, place: Place) -> Iterator[tuple[str, str, str, Any, Any]]:
    parts = [f"{place.label_field}.{name}" for name in ("label", _shape(place))]
    owner = "frame_id" if samples._is_frames else "sample_id"
    yield from zip(*samples.values([owner, "id", "filepath", *parts]))


def _bounds(points: Any) -> Any:
    """The box around all points of a polyline; None if it has none."""
    flat = [point for shape in points or () for point in shape]
    if not flat:
        return None
    xs, ys = zip(*(point[:2] for point in flat))
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def _box_problem(box: Any) -> str | None:
    """Why a box holds no part of its image; None if it does."""
    if box is None or not len(box):
        return "it has no box"
    if len(box) != 4 or not all(_is_finite(value) for value in box):
        return f"its box {list(box)} is not four finite numbers"
    x, y, width, height = box
    if width <= 0 or height <= 0:
        return "its box has no area"
    if x >= 1 or y >= 1 or x + width <= 0 or y + height <= 0:
        return "its box lies outside the image"
    return None


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
