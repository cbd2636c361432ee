"""Boxes of nothing, as boxes that are put anywhere show what such ones look like.

As many boxes as are given, of their sizes, are put at random places of the images. What
the predictions say of these *probes* is what they say of boxes of nothing, by chance
too. A logistic curve on what they say tells how much likelier a probe looks so than a
given box,

    r(x) = P(x | probe) / P(x | given),

and if a share e of the given boxes are around nothing, each is with probability e r(x),
at most 1. No box that is around something looks emptier than the median probe, as far
as can be told, and half of those do that are around nothing: so e is at most twice the
share of given boxes that do. Objects that the detector does not see at all count too.

It is learning from positive and unlabelled examples, of which the positive are made.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, find_pairs
from fiftyone_dfaulo.engine.boxes.trust import FOLDS, LEAST, MOST

_WHERE = slice(-3, None)
"""What :func:`_evidence` says without the predictions: other given boxes, and size."""

LEAST_PROBES = 1_000
"""So many probes at least, where few boxes are given: they cost nothing."""


class Empty(NamedTuple):
    """How likely N given boxes are around nothing, doubles left aside.

    Attributes:
        likely: float64 (N,), in [0, 1], by curves that were not fitted on the box's
            image.
        share: in [0, 1], of all boxes.
        beside: float64 (N,), above 0: how much likelier a probe has such a size and is
            so near to given boxes than a given box, whatever the predictions say.
    """

    likely: np.ndarray
    share: float
    beside: np.ndarray


def find_empty(
    given: Boxes, predicted: Boxes, confidence: np.ndarray, seed: int
) -> Empty:
    """How likely each given box is around nothing, doubles left aside.

    Args:
        given: N boxes, at least 1.
        predicted: M boxes.
        confidence: float64 (M,), in [0, 1].
        seed: puts the probes, and deals the images over the folds.
    """
    rng = np.random.default_rng(seed)
    count = len(given.images)
    probes = _put(given, np.union1d(given.images, predicted.images), rng)
    says = np.concatenate(
        [
            _evidence(given, np.arange(count), given, predicted, confidence),
            _evidence(
                probes, np.full(len(probes.images), -1), given, predicted, confidence
            ),
        ]
    )
    probe = np.arange(len(says)) >= count
    images = np.append(given.images, probes.images)
    even = count / (len(says) - count)
    odds = even * _odds(says, probe, images, rng)
    share = 2 * float((odds[:count] >= np.median(odds[count:])).mean())
    likely = np.minimum(share * odds[:count], 1.0)
    beside = even * _odds(says[:, _WHERE], probe, images, rng)[:count]
    return Empty(likely, float(np.clip(likely.mean(), LEAST, MOST)), beside)


def _put(given: Boxes, images: np.ndarray, rng: np.random.Generator) -> Boxes:
    """Boxes of the given sizes anywhere in the images, each size equally often."""
    times = -(-LEAST_PROBES // len(given.images))
    sizes = np.tile(given.boxes[:, 2:], (times, 1))
    corners = rng.random(sizes.shape) * np.maximum(1 - sizes, 0)
    return Boxes(rng.choice(images, len(sizes)), np.column_stack([corners, sizes]))


def _evidence(
    boxes: Boxes,
    rows: np.ndarray,
    given: Boxes,
    predicted: Boxes,
    confidence: np.ndarray,
) -> np.ndarray:
    """What there is to see at Q boxes: float64 (Q, 8).

    Overlap and confidence of the best prediction that overlaps no other given box by
    more, and their product; both of the best of the others; how much another given box
    overlaps, and its square; and the size.

    Args:
        boxes: the boxes.
        rows: int64 (Q,), which given box each is; -1 for none.
        given, predicted, confidence: as of :func:`find_empty`.
    """
    pairs = find_pairs(boxes, predicted)
    nearest, next_one, owner = _claims(given, predicted)
    own = owner[pairs.second] == rows[pairs.first]
    others = np.where(own, next_one[pairs.second], nearest[pairs.second])
    free = pairs.iou > others
    sure = confidence[pairs.second]
    columns = []
    for some in (np.flatnonzero(free), np.flatnonzero(~free)):
        some = some[np.argsort((pairs.iou * sure)[some], kind="stable")]
        best = np.zeros((len(rows), 2))
        best[pairs.first[some]] = np.column_stack([pairs.iou[some], sure[some]])
        columns.append(best)
    beside = find_pairs(boxes, given)
    beside = beside.take(np.flatnonzero(beside.second != rows[beside.first]))
    covered = np.zeros(len(rows))
    np.maximum.at(covered, beside.first, beside.iou)
    size = np.log(np.maximum(boxes.boxes[:, 2:], 1e-6)).sum(1)
    return np.column_stack(
        [columns[0], columns[0].prod(1), columns[1], covered, covered**2, size]
    )


def _claims(
    given: Boxes, predicted: Boxes
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two largest overlaps of each prediction with given boxes, and the first box.

    Returns:
        float64 (M,) twice, 0 for none; and int64 (M,), the given box; -2 for none.
    """
    pairs = find_pairs(predicted, given)
    pairs = pairs.take(np.lexsort((-pairs.iou, pairs.first)))
    place = np.arange(len(pairs.first)) - np.searchsorted(pairs.first, pairs.first)
    count = len(predicted.images)
    overlaps, owner = np.zeros((2, count)), np.full(count, -2)
    for rank in range(2):
        some = place == rank
        overlaps[rank, pairs.first[some]] = pairs.iou[some]
    owner[pairs.first[place == 0]] = pairs.second[place == 0]
    return overlaps[0], overlaps[1], owner


def _odds(
    says: np.ndarray,
    probe: np.ndarray,
    images: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Float64 (Q,): the odds that each is a probe; no curve has seen its image."""
    known, at = np.unique(images, return_inverse=True)
    folds = rng.permutation(len(known))[at] % FOLDS
    spread = says.std(0)
    says = (says - says.mean(0)) / np.where(spread > 1e-9, spread, 1.0)
    odds = np.ones(len(says))
    for fold in range(FOLDS):
        held = folds == fold
        rest = ~held
        if not (rest & ~probe).any():  # one image alone vouches for itself
            rest = np.ones(len(says), bool)
        if held.any():
            curve = LogisticRegression(max_iter=1_000).fit(says[rest], probe[rest])
            odds[held] = np.exp(curve.decision_function(says[held]))
    return odds
