"""Boxes that are put elsewhere: beside where they are, or anywhere."""

from __future__ import annotations

import numpy as np

from fiftyone_dfaulo.engine.boxes.overlaps import intersection_over_union

OVERLAP = (0.3, 0.7)
"""How much misplaced boxes overlap the right ones, unless it is said."""


def place_anywhere(sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Boxes float64 (N, 4) of these widths and heights (N, 2), anywhere."""
    corner = rng.random(sizes.shape) * np.maximum(1 - sizes, 0)
    return np.column_stack([corner, sizes])


def misplace(
    boxes: np.ndarray, rng: np.random.Generator, low: float, high: float
) -> np.ndarray:
    """Boxes shifted and scaled so far that they overlap the old ones by so much.

    Args:
        boxes: float64 (N, 4).
        rng: what is drawn from.
        low, high: the overlap, IoU, is drawn evenly between these.
    """
    wanted = rng.uniform(low, high, len(boxes))
    angle = rng.uniform(0, 2 * np.pi, len(boxes))
    scale = rng.normal(size=(len(boxes), 2))
    move = np.column_stack([np.cos(angle), np.sin(angle)])

    def moved(far: np.ndarray) -> np.ndarray:
        size = boxes[:, 2:] * np.exp(far[:, None] * scale / 2)
        corner = boxes[:, :2] + (boxes[:, 2:] - size) / 2
        return np.column_stack([corner + far[:, None] * move * boxes[:, 2:], size])

    near, far = np.zeros(len(boxes)), np.full(len(boxes), 2.0)
    for _ in range(40):
        middle = (near + far) / 2
        close = intersection_over_union(boxes, moved(middle)) > wanted
        near, far = np.where(close, middle, near), np.where(close, far, middle)
    return moved(near)
