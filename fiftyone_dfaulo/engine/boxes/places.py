"""Whether a box is where the object is seen.

Where a detector alone sees it, the overlap u of a given box with its prediction is that
of a right box, or that of a misplaced one:

- right: the log-odds of u are normal around a mean that depends on the prediction's
  confidence, the object's size and so on, as the detector places some objects better;
- misplaced: any u is as likely as any other.

Both shares, the means and the spread are fitted by expectation-maximisation. A box that
overlaps more than is usual is right.

A closer look has also seen the same boxes displaced: these are :mod:`.probes`. What is
told by them is the label's fault, as they show what the look and the detector say of
objects whose boxes are wrong.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, intersection_over_union
from fiftyone_dfaulo.engine.boxes.probes import (
    CloserLook,
    below_one,
    odds_of_probes,
    wrong_as_probes,
)

STEPS = 30
_EDGE = 1e-3  # overlaps are kept this far from 0 and 1, where log-odds are infinite
_FIRST = 0.05  # share of misplaced boxes to start from


def find_misplaced(iou: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Float64 (P,), in [0, 1]: how likely the boxes of a match differ in place.

    Whose fault that is, the label's or the detector's, this does not say.

    Args:
        iou: float (P,), in (0, 1].
        features: float (P, D), finite: what the detector's precision may depend on.
    """
    if not len(iou):
        return np.zeros(0)
    overlap = np.clip(iou, _EDGE, 1 - _EDGE)
    value = logit(overlap)
    spread = features.std(0)
    design = (features - features.mean(0)) / np.where(spread > 1e-9, spread, 1.0)
    design = np.column_stack([np.ones(len(iou)), design])
    ridge = np.diag([0.0, *np.ones(features.shape[1])])
    share, median = _FIRST, np.median(value)
    mean = np.full(len(iou), median)
    deviation = max(1.4826 * float(np.median(np.abs(value - median))), 1e-2)
    wrong = np.zeros(len(iou))
    for _ in range(STEPS):
        away = (value - mean) / deviation
        usual = np.exp(-0.5 * away**2) / (deviation * np.sqrt(2 * np.pi))
        usual /= overlap * (1 - overlap)
        wrong = share / (share + (1 - share) * np.maximum(usual, 1e-300))
        wrong = np.where(value >= mean, 0.0, wrong)
        # half of the right boxes overlap more than usual: share is that of all boxes
        share = float(np.clip(wrong.mean(), 1e-4, 0.5))
        right = 1 - wrong
        weighed = design * right[:, None]
        fit = np.linalg.solve(weighed.T @ design + ridge, weighed.T @ value)
        mean = design @ fit
        spent = (right * (value - mean) ** 2).sum() / max(right.sum(), 1.0)
        deviation = max(float(np.sqrt(spent)), 1e-2)
    return wrong


def find_displaced(
    given: Boxes,
    closer: CloserLook,
    predicted: np.ndarray,
    single: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Float64 (N,), in [0, 1]: how likely boxes are misplaced, if of one object each.

    Args:
        given: N boxes.
        closer: what was seen at them, and where they were displaced to.
        predicted: float64 (N, 4), where the detector sees the objects; NaN where not.
        single: float64 (N,), in [0, 1], how likely each is of one object.
        seed: deals the images over folds.
    """
    count = len(given.images)
    says = np.concatenate(
        [
            _overlaps(given.boxes, closer.boxes, predicted),
            _overlaps(closer.displaced, closer.displaced_boxes, predicted),
        ]
    )
    size = np.log(np.maximum(given.boxes[:, 2:], 1e-6)).sum(1)
    says = np.column_stack([says, np.tile(size, 2)])
    probe = np.arange(2 * count) >= count
    rng = np.random.default_rng(seed)
    odds = odds_of_probes(says, probe, np.tile(given.images, 2), rng)
    return below_one(wrong_as_probes(odds[:count], odds[count:], single))


def _overlaps(
    boxes: np.ndarray, closer: np.ndarray, predicted: np.ndarray
) -> np.ndarray:
    """Float64 (N, 3): log-odds of both overlaps, and whether there is the second.

    The size of a displaced box would tell that it is one: it is left out here.
    """
    seen = ~np.isnan(predicted[:, 0])
    found = np.column_stack(
        [
            intersection_over_union(boxes, closer),
            intersection_over_union(boxes, np.where(seen[:, None], predicted, boxes)),
        ]
    )
    odds = logit(np.clip(found, _EDGE, 1 - _EDGE))
    odds[~seen, 1] = 0.0
    return np.column_stack([odds, seen])
