"""Whether anything is in a given box, and whether it was counted twice.

A box that no prediction matches is around nothing, or it is one of two around a thing,
or the detector has overlooked its object. How many are *around nothing*, e of all that
are alone, follows from how many of these are not matched, u, how many boxes at random
places would be, c, and how many objects the detector overlooks, o:

    1 - u = (1 - e) (1 - o) + e c.

Nothing in the boxes tells o. The predictions do: an object is overlooked as easily as
one that is seen looks like nothing, r being its probability. The least that o may be is
how often a prediction that is of an object is less confident than one that is of
nothing; the most is the mean of 1 - r. The middle of both is taken. Where that would
explain all boxes that are not matched, e is what :mod:`.trust` says of any labels.
"""

from __future__ import annotations

import numpy as np

from fiftyone_dfaulo.engine.boxes.doubles import around_one_thing, find_doubles
from fiftyone_dfaulo.engine.boxes.matching import Matching
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, find_pairs
from fiftyone_dfaulo.engine.boxes.trust import LEAST, MOST, Trust, learn_trust


def find_nothing(
    given: Boxes,
    labels: np.ndarray,
    features: np.ndarray,
    found: Matching,
    sure: np.ndarray,
    precision: Trust,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How likely nothing is in given boxes, or it was counted twice.

    Args:
        given: N boxes.
        labels: int64 (N,), their classes, at least 0.
        features: float (N, D), what the detector's recall may depend on.
        found: how they are matched with M predictions.
        sure: float (M,), how confident these are.
        precision: of the predictions.
        seed: as of :func:`.trust.learn_trust`.

    Returns:
        float64 (N,), in [0, 1]: nothing is there; float64 (N,), in [0, 1]: it was
        counted twice; and int64 (N,), the other box then, -1 for none.
    """
    matched = found.partner >= 0
    alone = _alone(given, labels)
    share = _share_of_nothing(matched, alone, found, sure, precision)
    recall = learn_trust(
        matched.astype(float),
        features,
        labels,
        given.images,
        seed,
        worth=alone,
        faulty=share if share > LEAST else None,
    )
    blame = np.where(matched, recall.faulty, recall.blame())
    odds = blame / (1 - blame)
    # A spurious box is matched by chance alone, with what is mostly no object.
    chance = found.chance / recall.right
    ratio = np.where(matched, chance, 1 / (1 - recall.right))
    # a box of nothing that overlaps another one is not matched either
    unmatched = 1 - recall.right * (1 - recall.faulty)
    pair, first = find_doubles(
        given, labels, found.iou, np.where(matched, chance, 1 / unmatched)
    )
    doubled = pair / np.maximum(1 - pair, 1e-9) * ratio
    real = precision.right[found.partner]
    usual = float(precision.right.mean())
    doubt = (1 - real) / real * usual / (1 - usual)
    odds = np.where(matched, odds * chance * doubt, odds)
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


def _share_of_nothing(
    matched: np.ndarray,
    alone: np.ndarray,
    found: Matching,
    sure: np.ndarray,
    precision: Trust,
) -> float:
    """How many of the boxes that are alone are around nothing."""
    if not alone.sum():
        return LEAST
    hits = float((alone * matched).sum() / alone.sum())
    seen = 1 - _overlooked(found.given >= 0, sure, precision.right)
    share = (seen - hits) / max(seen - found.chance, 1e-3)
    return float(np.clip(share, LEAST, MOST))


def _overlooked(matched: np.ndarray, sure: np.ndarray, right: np.ndarray) -> float:
    """How many of all objects the detector overlooks.

    Each matched prediction counts by how likely it is of an object, each other one by
    how likely it is of none.
    """
    worth = matched * right
    none = np.where(matched, 0.0, 1 - right)
    if not worth.sum() or not none.sum():
        return 0.0
    order = np.argsort(sure, kind="stable")
    above = np.empty(len(sure))
    above[order] = 1 - (np.cumsum(none[order]) - none[order] / 2) / none.sum()
    least = (worth * above).sum() / worth.sum()
    most = (worth * (1 - right)).sum() / worth.sum()
    return float(least + most) / 2
