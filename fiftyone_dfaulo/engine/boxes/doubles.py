"""Objects that were counted twice: two given boxes around one thing.

Different objects overlap too, but the more, the more rarely: how much pairs of given
boxes overlap falls off exponentially. Boxes around one thing overlap by much: as the
third power of the overlap, which was chosen on planted ones. How steeply it falls, and
how many pairs are around one thing, is fitted by expectation-maximisation: once for
pairs of one class and once for others. The detector tells the two apart as well: of two
objects it finds both, mostly, and one thing once.

Of such a pair, one box is one too many: the one that no prediction matches; or else the
one that overlaps its prediction less; or else the later one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, find_pairs
from fiftyone_dfaulo.engine.boxes.reasons import DOUBLE, LEAST, LIKELY, REASONS
from fiftyone_dfaulo.engine.scores import Scores

STEPS = 30
_STEEP = 3  # the density of overlaps around one thing is as this power
_FIRST = 0.05  # share of pairs around one thing to start from
_FEW = 10  # fewer pairs tell nothing; all different objects then, or all the same


def find_doubles(
    given: Boxes, labels: np.ndarray, support: np.ndarray, ratio: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How likely each given box is the second one around a thing.

    Args:
        given: N boxes.
        labels: int64 (N,), their classes.
        support: float (N,), at least 0: how much each overlaps where the object is
            seen; 0 where none is.
        ratio: float (N,), above 0: how much likelier it is that each box is matched, or
            is not, as it is, if it has no object of its own than if it has.

    Returns:
        float64 (N,), in [0, 1]; and int64 (N,), the position of the first box, which
        may stay, or -1 where a box overlaps none.
    """
    pairs = find_pairs(given, given)
    pairs = pairs.take(np.flatnonzero(pairs.first < pairs.second))
    likely = np.zeros(len(pairs.iou))
    same = labels[pairs.first] == labels[pairs.second]
    later = support[pairs.first] >= support[pairs.second]
    extra = np.where(later, pairs.second, pairs.first)
    other = np.where(later, pairs.first, pairs.second)
    for kind in (same, ~same):
        likely[kind] = around_one_thing(pairs.iou[kind], ratio[extra[kind]])
    worst = np.zeros(len(labels))
    first = np.full(len(labels), -1)
    for row in np.argsort(likely, kind="stable"):
        worst[extra[row]], first[extra[row]] = likely[row], other[row]
    return worst, first


def with_doubles(scores: Scores, boxes: Boxes, labels: np.ndarray) -> Scores:
    """The scores of N objects, which may be counted twice as well, by overlaps alone.

    Only boxes of one class count: where a thing has a box for each of several classes,
    that is meant so. Of two boxes, the one whose class is less likely is one too many.

    Args:
        scores: of their classes.
        boxes: of the objects.
        labels: int64 (N,), the classes.

    Returns:
        the scores, with one more reason, ``"counted twice"``: where that is likely, or
        likelier than a wrong class. The suggestion is K there, the number of classes,
        for no object; its confidence is how likely the object is one too many.
    """
    # classes are kept apart as images are
    _, apart = np.unique(
        np.column_stack([boxes.images, labels]), axis=0, return_inverse=True
    )
    none = np.ones(len(labels))
    right = 1 - scores.suspiciousness
    alike = Boxes(apart.reshape(-1), boxes.boxes)
    twice, _ = find_doubles(alike, np.zeros_like(labels), right, none)
    likelier = (twice >= LEAST) & (twice > scores.suspiciousness)
    extra = (twice >= LIKELY) | likelier
    suspiciousness = 1 - right * (1 - twice)
    count, notes = round(float(twice.sum())), scores.notes
    if count:
        text = "object was" if count == 1 else "objects were"
        notes = (*notes, f"About {count:,} {text} probably counted twice.")
    return replace(
        scores,
        suspiciousness=suspiciousness,
        suggestion=np.where(extra, labels.max(initial=-1) + 1, scores.suggestion),
        confidence=np.where(extra, twice, scores.confidence).astype(np.float32),
        reasons=np.column_stack([scores.reasons, extra]),
        estimated_faults=round(float(suspiciousness.sum())),
        notes=notes,
        more_reasons=(*scores.more_reasons, REASONS[DOUBLE]),
    )


def around_one_thing(iou: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Float64 (P,), in [0, 1]: how likely two boxes that overlap are around one thing.

    By their overlap alone; it never falls where that rises.

    Args:
        iou: float (P,), in (0, 1].
        ratio: float (P,), above 0: how much likelier the detector's part is if they
            are than if they are not. It tells how common that is.
    """
    if len(iou) < _FEW:
        return iou.astype(float) ** 2
    share, steep, likely = _FIRST, 1 / max(float(np.median(iou)), 1e-3), iou
    same = (_STEEP + 1) * iou**_STEEP
    for _ in range(STEPS):
        chance = steep * np.exp(-steep * iou) / -np.expm1(-steep)
        odds = share / (1 - share) * same / np.maximum(chance, 1e-300)
        likely = odds / (1 + odds)
        seen = odds * ratio / (1 + odds * ratio)
        share = float(np.clip(seen.mean(), 1e-4, 1 - 1e-4))
        different = 1 - seen
        mean = float((different * iou).sum() / max(different.sum(), 1e-9))
        steep = _steepness(mean)
    return likely


def _steepness(mean: float) -> float:
    """Of the exponential on [0, 1] with this mean; none is flatter than even."""

    def off(steep: float) -> float:
        return 1 / steep - 1 / np.expm1(min(steep, 700.0)) - mean

    low, high = 1e-3, 1e4
    if off(low) <= 0:
        return low
    return float(brentq(off, low, high)) if off(high) < 0 else high
