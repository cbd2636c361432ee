"""Boxes of nothing, as boxes that are put anywhere show what such ones look like.

As many boxes as are given, of their sizes, are put at random places of the images. What
the predictions, and a closer look, say of these :mod:`.probes` is what they say of
boxes of nothing, by chance too. Objects that neither sees at all count as nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, find_pairs
from fiftyone_dfaulo.engine.boxes.probes import (
    CloserLook,
    below_one,
    odds_of_probes,
    put_anywhere,
    wrong_as_probes,
)
from fiftyone_dfaulo.engine.boxes.trust import LEAST, MOST

_WHERE = slice(-3, None)
"""What :func:`_evidence` says without the predictions: other given boxes, and size."""


class Empty(NamedTuple):
    """How likely N given boxes are around nothing, doubles left aside.

    Attributes:
        likely: float64 (N,), in [0, 1], by curves that were not fitted on the box's
            image.
        share: in [0, 1], of all boxes.
        beside: float64 (N,), above 0: how much likelier a probe has such a size and is
            so near to given boxes than a given box, whatever the predictions say. None
            after a closer look, which overlooks no object.
    """

    likely: np.ndarray
    share: float
    beside: np.ndarray | None


def find_empty(
    given: Boxes,
    predicted: Boxes,
    confidence: np.ndarray,
    seed: int,
    closer: CloserLook | None = None,
) -> Empty:
    """How likely each given box is around nothing, doubles left aside.

    Args:
        given: N boxes, at least 1.
        predicted: M boxes.
        confidence: float64 (M,), in [0, 1].
        seed: puts the probes, and deals the images over the folds.
        closer: what else is seen at the boxes, and at its own probes.
    """
    rng = np.random.default_rng(seed)
    count = len(given.images)
    if closer is None:
        every = np.union1d(given.images, predicted.images)
        probes = put_anywhere(given, every, rng)
    else:
        probes = closer.empty
    none = np.full(len(probes.images), -1)
    says = np.concatenate(
        [
            _evidence(given, np.arange(count), given, predicted, confidence),
            _evidence(probes, none, given, predicted, confidence),
        ]
    )
    if closer is not None:
        says = np.column_stack([np.append(closer.there, closer.empty_there), says])
    probe = np.arange(len(says)) >= count
    images = np.append(given.images, probes.images)
    odds = odds_of_probes(says, probe, images, rng)
    likely = wrong_as_probes(odds[:count], odds[count:], np.ones(count))
    if closer is None:
        likely = np.minimum(likely, 1.0)
        beside = odds_of_probes(says[:, _WHERE], probe, images, rng)[:count]
    else:
        likely, beside = below_one(likely), None
    return Empty(likely, float(np.clip(likely.mean(), LEAST, MOST)), beside)


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
