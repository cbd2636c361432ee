"""Whether anything is in a given box, and whether it was counted twice.

A box that no prediction matches is around nothing, or it is one of two around a thing,
or the detector has overlooked its object. How likely it is *around nothing*, probes
tell: :mod:`.nothing`. They take each object that the detector does not see at all for
nothing. How likely the detector overlooks an object is learned by :mod:`.trust`, to
which all boxes of a size are alike that nothing matches, so that the probes' chance to
overlap other boxes is to be added. An object is there that looks like nothing, or one
that was overlooked: the odds of both, against nothing, add. A closer look overlooks
nothing, as it is told where to look. With the overlaps, the same curve tells what was
*counted twice*.
"""

from __future__ import annotations

import numpy as np

from fiftyone_dfaulo.engine.boxes.doubles import around_one_thing, find_doubles
from fiftyone_dfaulo.engine.boxes.matching import Matching
from fiftyone_dfaulo.engine.boxes.nothing import find_empty
from fiftyone_dfaulo.engine.boxes.overlaps import (
    Boxes,
    find_pairs,
    intersection_over_union,
)
from fiftyone_dfaulo.engine.boxes.probes import CloserLook
from fiftyone_dfaulo.engine.boxes.trust import learn_trust

_LEAST = 1e-9  # of a probability that divides


def find_nothing(
    given: Boxes,
    labels: np.ndarray,
    features: np.ndarray,
    found: Matching,
    predicted: Boxes,
    confidence: np.ndarray,
    seed: int,
    closer: CloserLook | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How likely nothing is in given boxes, or it was counted twice.

    Args:
        given: N boxes.
        labels: int64 (N,), their classes, at least 0.
        features: float (N, D), what the detector's recall may depend on.
        found: how they are matched with M predictions.
        predicted: these.
        confidence: float64 (M,), in [0, 1].
        seed: as of :func:`.trust.learn_trust`.
        closer: what is seen at the boxes, if each was looked at.

    Returns:
        float64 (N,), in [0, 1]: nothing is there; float64 (N,), in [0, 1]: it was
        counted twice; and int64 (N,), the other box then, -1 for none.
    """
    matched = found.partner >= 0
    empty = find_empty(given, predicted, confidence, seed, closer)
    recall = learn_trust(
        matched.astype(float),
        features,
        labels,
        given.images,
        seed,
        worth=_alone(given, labels),
        faulty=empty.share,
    )
    # what was counted twice is matched by chance alone
    chance = found.chance / recall.right
    ratio = np.where(matched, chance, 1 / (1 - recall.right))
    # a box of nothing that overlaps another one is not matched either
    unmatched = 1 - recall.right * (1 - recall.faulty)
    support = found.iou
    if closer is not None:
        support = support + intersection_over_union(given.boxes, closer.boxes)
    pair, first = find_doubles(
        given, labels, support, np.where(matched, chance, 1 / unmatched)
    )
    doubled = pair / np.maximum(1 - pair, _LEAST) * ratio
    odds = empty.likely / np.maximum(1 - empty.likely, _LEAST)
    if empty.beside is not None:
        # where nothing matches, an object may have been overlooked as well
        against = np.where(matched, 0.0, (1 - recall.blame()) / recall.blame())
        odds = odds / (1 + odds * against / empty.beside)
    # of what is counted twice, something is there
    total = 1 + odds + doubled
    return odds / total, doubled / total, first


def _alone(given: Boxes, labels: np.ndarray) -> np.ndarray:
    """Float64 (N,), in [0, 1]: how likely no other box is around the same thing.

    By the overlap alone, as the detector is what is judged by these.
    """
    pairs = find_pairs(given, given)
    pairs = pairs.take(np.flatnonzero(pairs.first != pairs.second))
    same = labels[pairs.first] == labels[pairs.second]
    twice = np.zeros(len(labels))
    for kind in (same, ~same):
        likely = around_one_thing(pairs.iou[kind], np.ones(int(kind.sum())))
        np.maximum.at(twice, pairs.first[kind], likely)
    return 1 - twice
