"""Which given box and which predicted one are of the same object.

1. All pairs that overlap are weighed by their overlap, half of it where the classes
   differ, so that those of one class come first, and matched: one assignment of
   the largest sum of weights, in which each box has one partner at most. It falls into
   groups of boxes that overlap, which are solved one by one.
2. How often pairs of one overlap and of equal or different classes were matched is
   counted, and how often boxes of *another* image overlap as much with a prediction,
   times the shares of both that are left over. The log of the ratio is the new weight.
   Pairs that are as likely by chance are not matched.
3. The boxes are matched anew by these weights.

So no overlap is the least that counts: it follows from the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import (
    connected_components,
    min_weight_full_bipartite_matching,
)

from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, Pairs, find_pairs

BINS = 10
"""The overlap is counted in so many steps of equal width."""

_DENSE = 256  # groups of more boxes are solved as sparse ones


@dataclass(frozen=True)
class Matching:
    """Which of N given and M predicted boxes are of the same object.

    Attributes:
        partner: int64 (N,), the prediction of each given box; -1 for none.
        given: int64 (M,), the given box of each prediction; -1 for none.
        iou: float64 (N,), how much the two overlap; 0 for none.
        chance: how likely a box at a random place would be matched.
        pairs: all pairs, given first, that overlap.
    """

    partner: np.ndarray
    given: np.ndarray
    iou: np.ndarray
    chance: float
    pairs: Pairs


def match(
    given: Boxes, predicted: Boxes, labels: np.ndarray, classes: np.ndarray
) -> Matching:
    """Matches given boxes with predicted ones.

    Args:
        given: N boxes.
        predicted: M boxes.
        labels: int64 (N,), classes of the given boxes.
        classes: int64 (M,), classes of the predictions, of the same numbers.
    """
    pairs = find_pairs(given, predicted)
    same = labels[pairs.first] == classes[pairs.second]
    moved = find_pairs(_elsewhere(given), predicted)
    moved_same = labels[moved.first] == classes[moved.second]
    shape = (len(given.images), len(predicted.images))
    chosen = assign(pairs, pairs.iou * np.where(same, 1.0, 0.5), shape)
    chance = 0.0
    for _ in range(2):
        # only what has no partner of its own is matched by chance: both must be alone
        alone = tuple(1 - len(chosen) / max(count, 1) for count in shape)
        by_chance = _count(moved.iou, moved_same) * alone[0] * alone[1]
        found = _count(pairs.iou[chosen], same[chosen])
        weights = np.log((found + 0.5) / (by_chance + 0.5))
        weights = np.maximum.accumulate(weights, 1)  # more overlap never says less
        value = _weigh(weights, pairs.iou, same)
        chosen = assign(pairs, value, shape)
        hits = moved.first[(_weigh(weights, moved.iou, moved_same) > 0)]
        if shape[0]:
            chance = alone[1] * len(np.unique(hits)) / shape[0]
    partner, back = np.full(shape[0], -1), np.full(shape[1], -1)
    partner[pairs.first[chosen]] = pairs.second[chosen]
    back[pairs.second[chosen]] = pairs.first[chosen]
    iou = np.zeros(shape[0])
    iou[pairs.first[chosen]] = pairs.iou[chosen]
    return Matching(partner, back, iou, chance, pairs)


def _elsewhere(given: Boxes) -> Boxes:
    """The boxes, those of each image in the next one; of one image, turned round."""
    known, at = np.unique(given.images, return_inverse=True)
    if len(known) == 1:
        turned = given.boxes.copy()
        turned[:, :2] = 1 - turned[:, :2] - turned[:, 2:]
        return Boxes(given.images, turned)
    return Boxes(np.roll(known, 1)[at] if len(known) else given.images, given.boxes)


def _count(iou: np.ndarray, same: np.ndarray) -> np.ndarray:
    """How many pairs (2, BINS) have other or equal classes, by their overlap."""
    step = np.minimum((iou * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(same * BINS + step, minlength=2 * BINS)
    return counts.reshape(2, BINS).astype(float)


def _weigh(weights: np.ndarray, iou: np.ndarray, same: np.ndarray) -> np.ndarray:
    """The weights (2, BINS) of pairs, between the middles of the steps as well."""
    middles = (np.arange(BINS) + 0.5) / BINS
    by_class = [np.interp(iou, middles, row) for row in weights]
    value: np.ndarray = np.where(same, by_class[1], by_class[0])
    # of two pairs of one weight, the one that overlaps more; never above a real gain
    return np.where(value > 0, value + 1e-3 * iou, 0.0)


def assign(pairs: Pairs, value: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Positions of the pairs that are matched: the sum of their values is largest.

    Args:
        pairs: pairs of N and M boxes, each at most once.
        value: float (P,); pairs that are not above 0 are never matched.
        shape: N and M.
    """
    good = np.flatnonzero(value > 0)
    if not len(good):
        return good
    rows, columns, gain = pairs.first[good], pairs.second[good], value[good]
    size = shape[0] + shape[1]
    graph = coo_matrix((gain, (rows, shape[0] + columns)), (size, size))
    group = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    parts = []
    for start, end in zip(starts, [*starts[1:], len(order)]):
        some = order[start:end]
        if len(some) > 1:
            some = some[_solve(rows[some], columns[some], gain[some])]
        parts.append(some)
    return np.sort(good[np.concatenate(parts)])


def _solve(rows: np.ndarray, columns: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Which pairs of one group are matched."""
    left, row = np.unique(rows, return_inverse=True)
    right, column = np.unique(columns, return_inverse=True)
    if max(len(left), len(right)) <= _DENSE:
        table = np.zeros((len(left), len(right)))
        table[row, column] = gain
        chosen = linear_sum_assignment(table, maximize=True)
        matched = np.zeros(table.shape, bool)
        matched[chosen] = True
        return np.flatnonzero(matched[row, column])
    # Each row may also take a column of its own, of no gain: it is unmatched then.
    # All costs are shifted above 0, as this solver takes 0 for no edge.
    count, top = len(left), gain.max() + 1.0
    spare = np.arange(count)
    table = csr_matrix(
        (
            np.concatenate([top - gain, np.full(count, top)]),
            (
                np.concatenate([row, spare]),
                np.concatenate([column, len(right) + spare]),
            ),
        ),
        (count, len(right) + count),
    )
    taken = np.full(count, -1)
    chosen = min_weight_full_bipartite_matching(table)
    taken[chosen[0]] = chosen[1]
    return np.flatnonzero(taken[row] == column)
