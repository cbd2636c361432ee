"""The boxes of objects, and whether they hold a part of their image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from fiftyone_dfaulo.adapter.targets.labels import Rows
from fiftyone_dfaulo.engine.images.decoding import Crop
from fiftyone_dfaulo.errors import InputError

_LARGEST = 2.0
"""No object is larger than so many images, however far it sticks out."""

Found: TypeAlias = tuple[str, str, str, Any, Any]
"""Ids of a sample and of an object in it, the image, the class, the box or points."""


def read_boxes(found: Iterable[Found], label_field: str, shape_name: str) -> Rows:
    """The objects with a crop each, in the order of the samples' ids, then their own.

    Args:
        found: objects, in any order; the same one may come twice.
        label_field: the field that they are in.
        shape_name: what their shapes are, ``"bounding_box"`` or ``"points"``.

    Raises:
        InputError: if two objects have the same id.
    """
    rows: list[tuple[str, Crop, str | None]] = []
    unreadable: dict[str, str] = {}
    seen: dict[str, str] = {}
    for sample, one, path, label, shape in sorted(found, key=lambda row: row[:2]):
        if one in seen:
            if seen[one] != sample:
                raise InputError(_same_id(label_field, one, seen[one], sample))
            continue
        seen[one] = sample
        box = bounds(shape) if shape_name == "points" else shape
        problem = box_problem(box)
        if problem:
            unreadable[one] = problem
        else:
            rows.append((one, Crop(path, tuple(box)), label))
    return Rows(rows, unreadable)


def _same_id(label_field: str, one: str, first: str, second: str) -> str:
    return (
        f"samples {first} and {second} hold objects with the same id {one} in "
        f"{label_field!r}, so that scores cannot tell them apart; give copies "
        "ids of their own, as label.copy() does, and save them"
    )


def bounds(points: Any) -> Any:
    """The box around all points of a polyline; None if it has none."""
    flat = [point for shape in points or () for point in shape]
    if not flat:
        return None
    xs, ys = zip(*(point[:2] for point in flat))
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def box_problem(box: Any) -> str | None:
    """Why a box holds no part of its image; None if it does."""
    if box is None or not len(box):
        return "it has no box"
    if len(box) != 4 or not all(_is_finite(value) for value in box):
        return f"its box {list(box)} is not four finite numbers"
    x, y, width, height = box
    if width <= 0 or height <= 0:
        return "its box has no area"
    if in_pixels(box):
        return (
            f"its box {[*box]} is in pixels, it seems; expected left, top, width and "
            "height as fractions of the image's size"
        )
    if x >= 1 or y >= 1 or x + width <= 0 or y + height <= 0:
        return "its box lies outside the image"
    return None


def in_pixels(box: object) -> bool:
    """Whether a box is so much larger than its image that it must be in pixels."""
    if not isinstance(box, Sequence) or len(box) != 4:
        return False
    return all(map(_is_finite, box)) and max(box[2:]) > _LARGEST


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
