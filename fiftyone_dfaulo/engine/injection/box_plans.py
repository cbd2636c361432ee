"""Plans faults of boxes: which objects get one, and of what kind.

Each kind is planted in a share of the objects, and no object gets two:

- *wrong class*: a random other class;
- *misplaced*: the box is shifted and scaled until it overlaps the old one by so much;
- *spurious*: a new box, of the size and class of some object, somewhere in some image;
- *doubled*: a second box around the object, which overlaps the first one by .6 to .95;
- *missing*: the object is taken away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fiftyone_dfaulo.engine.boxes.elsewhere import misplace, place_anywhere

WRONG_CLASS, MISPLACED, SPURIOUS, DOUBLED, MISSING = BOX_KINDS = (
    "wrong class",
    "misplaced",
    "spurious",
    "doubled",
    "missing",
)
"""What can be wrong with a box, or with there being none."""

_DOUBLED = (0.6, 0.95)


@dataclass(frozen=True)
class BoxPlan:
    """What should happen to N objects, and which A objects should be added.

    Attributes:
        labels: int64 (N,), the classes with the faults in them.
        boxes: float64 (N, 4), the boxes with the faults in them.
        kinds: object (N,), which of :data:`BOX_KINDS` each has; None for none.
        of: int64 (A,), which of the N objects each added one is like, or a double of.
        added_images: int64 (A,).
        added_boxes: float64 (A, 4).
        added_kinds: object (A,), :data:`DOUBLED` or :data:`SPURIOUS`.
    """

    labels: np.ndarray
    boxes: np.ndarray
    kinds: np.ndarray
    of: np.ndarray
    added_images: np.ndarray
    added_boxes: np.ndarray
    added_kinds: np.ndarray


def plan_boxes(
    images: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    *,
    classes: int,
    pictures: int,
    rates: Mapping[str, float],
    overlap: tuple[float, float],
    rng: np.random.Generator,
) -> BoxPlan:
    """Draws faults.

    Args:
        images: int64 (N,), in 0..pictures-1, which image each object is in.
        boxes: float64 (N, 4), left, top, width and height.
        labels: int64 (N,), in 0..classes-1.
        classes: how many classes there are; of one alone none is wrong.
        pictures: how many images there are, those without an object too.
        rates: kind to the share of the objects; all together 1 at most.
        overlap: the least and the largest IoU of misplaced boxes with the right ones.
        rng: what is drawn from.
    """
    count = len(labels)
    order, parts, start = rng.permutation(count), {}, 0
    for kind, rate in rates.items():
        parts[kind] = order[start : start + round(rate * count)]
        start += len(parts[kind])
    none = order[:0]
    labels, boxes = labels.copy(), boxes.copy()
    kinds = np.full(count, None, object)
    some = parts.get(WRONG_CLASS, none)
    labels[some] += rng.integers(1, max(classes, 2), len(some))
    labels %= classes
    kinds[some] = WRONG_CLASS
    some = parts.get(MISPLACED, none)
    boxes[some] = misplace(boxes[some], rng, *overlap)
    kinds[some] = MISPLACED
    kinds[parts.get(MISSING, none)] = MISSING
    double, like = parts.get(DOUBLED, none), parts.get(SPURIOUS, none)
    copies = misplace(boxes[double], rng, *_DOUBLED)
    anywhere = rng.integers(0, pictures, len(like))
    return BoxPlan(
        labels,
        boxes,
        kinds,
        np.append(double, like),
        np.append(images[double], anywhere),
        np.concatenate([copies, place_anywhere(boxes[like, 2:], rng)]),
        np.array([DOUBLED] * len(double) + [SPURIOUS] * len(like), object),
    )
