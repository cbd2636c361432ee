"""How much boxes of the same image overlap: all pairs that do, and nothing else.

Boxes are FiftyOne's: left, top, width and height, each a fraction of the image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BLOCK = 1 << 21
"""How many pairs are looked at at once; it bounds the memory."""

MOST = 64
"""How many partners of one box are kept at most, those of the largest overlap. Without
a bound, 10,000 boxes that all overlap would make 100,000,000 pairs."""


class Boxes(NamedTuple):
    """N boxes in some images.

    Attributes:
        images: int64 (N,), which image each is in.
        boxes: float64 (N, 4), left, top, width and height; the last two above 0.
    """

    images: np.ndarray
    boxes: np.ndarray

    def take(self, rows: np.ndarray) -> Boxes:
        """Some of them."""
        return Boxes(self.images[rows], self.boxes[rows])


class Pairs(NamedTuple):
    """P pairs of boxes that overlap.

    Attributes:
        first, second: int64 (P,), positions of the boxes; ``first`` ascends.
        iou: float64 (P,), in (0, 1]: the area that both cover over what any covers.
    """

    first: np.ndarray
    second: np.ndarray
    iou: np.ndarray

    def take(self, rows: np.ndarray) -> Pairs:
        """Some of them."""
        return Pairs(*(part[rows] for part in self))


def intersection_over_union(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Float64 (P,), in [0, 1]: of P boxes each, (P, 4), row by row."""
    low = np.maximum(first[:, :2], second[:, :2])
    high = np.minimum(first[:, :2] + first[:, 2:], second[:, :2] + second[:, 2:])
    both = np.prod(np.maximum(high - low, 0.0), 1)
    either = np.prod(first[:, 2:], 1) + np.prod(second[:, 2:], 1) - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def covered(boxes: Boxes, by: Boxes) -> np.ndarray:
    """Float64 (N,), in [0, 1]: the largest share of each box that one of others covers.

    Args:
        boxes: N boxes.
        by: the others, of the same images.
    """
    pairs = find_pairs(boxes, by)
    area = np.prod(boxes.boxes[:, 2:], 1)
    either = area[pairs.first] + np.prod(by.boxes[pairs.second, 2:], 1)
    both = pairs.iou * either / (1 + pairs.iou)
    share = np.zeros(len(area))
    np.maximum.at(share, pairs.first, both / area[pairs.first])
    return np.minimum(share, 1.0)


def find_pairs(first: Boxes, second: Boxes) -> Pairs:
    """All pairs of boxes of the same image that overlap.

    Of the partners of a box, the :data:`MOST` of the largest overlap are kept.

    Args:
        first, second: the boxes; the same ones twice also pair each with itself.
    """
    if not len(first.images) or not len(second.images):
        empty = np.zeros(0, np.int64)
        return Pairs(empty, empty, np.zeros(0))
    cell = _cell(first, second)
    mine, theirs = _spread(first, cell), _spread(second, cell)
    lowest = np.minimum(mine.cells.min(0), theirs.cells.min(0))
    spans = np.maximum(mine.cells.max(0), theirs.cells.max(0)) - lowest + 1
    keys = [
        np.ravel_multi_index((one.cells - lowest).T, spans) for one in (mine, theirs)
    ]
    order = np.argsort(keys[1], kind="stable")
    there = keys[1][order]
    begin = np.searchsorted(there, keys[0])
    counts = np.searchsorted(there, keys[0], "right") - begin
    total = np.cumsum(counts)
    parts, row = [], 0
    while row < len(counts):
        done = total[row - 1] if row else 0
        last = max(int(np.searchsorted(total, done + BLOCK, "right")), row + 1)
        some = counts[row:last]
        left = np.repeat(np.arange(row, last), some)
        offset = np.arange(len(left)) - np.repeat(np.cumsum(some) - some, some)
        right = order[np.repeat(begin[row:last], some) + offset]
        # two boxes may share many cells; they meet in the first of them
        start = np.maximum(mine.low[left], theirs.low[right])
        meet = (start == mine.cells[left, 1:]).all(1)
        rows, columns = mine.box[left[meet]], theirs.box[right[meet]]
        iou = intersection_over_union(first.boxes[rows], second.boxes[columns])
        found = iou > 0
        parts.append(_nearest(Pairs(rows[found], columns[found], iou[found])))
        row = last
    return _nearest(Pairs(*(np.concatenate(columns) for columns in zip(*parts))))


def overlap_with_better(boxes: Boxes, worth: np.ndarray) -> np.ndarray:
    """Float64 (N,): the largest overlap with a box of the image that is worth more."""
    pairs = find_pairs(boxes, boxes)
    one, other = pairs.first, pairs.second
    more = (worth[other] > worth[one]) | ((worth[other] == worth[one]) & (other < one))
    overlap = np.zeros(len(worth))
    np.maximum.at(overlap, one[more], pairs.iou[more])
    return overlap


class _Spread(NamedTuple):
    """In which cells of their images boxes lie, box by box.

    Attributes:
        box: int64 (C,), which box.
        cells: int64 (C, 3), the image, the column and the row of the cell.
        low: int64 (C, 2), the first column and row of the box.
    """

    box: np.ndarray
    cells: np.ndarray
    low: np.ndarray


def _cell(first: Boxes, second: Boxes) -> np.ndarray:
    """The width and height of cells, as large as boxes are in the mean."""
    sizes = np.concatenate([first.boxes[:, 2:], second.boxes[:, 2:]])
    return np.maximum(sizes.mean(0), 1e-6)


def _spread(boxes: Boxes, cell: np.ndarray) -> _Spread:
    low = np.floor(boxes.boxes[:, :2] / cell).astype(np.int64)
    high = np.floor((boxes.boxes[:, :2] + boxes.boxes[:, 2:]) / cell).astype(np.int64)
    across, down = (high - low + 1).T
    counts = across * down
    box = np.repeat(np.arange(len(counts)), counts)
    offset = np.arange(len(box)) - np.repeat(np.cumsum(counts) - counts, counts)
    down_by, across_by = np.divmod(offset, across[box])
    place = low[box] + np.column_stack([across_by, down_by])
    return _Spread(box, np.column_stack([boxes.images[box], place]), low[box])


def _nearest(pairs: Pairs) -> Pairs:
    """The pairs of the largest overlap of each first box, :data:`MOST` at most."""
    if not len(pairs.iou) or np.bincount(pairs.first).max() <= MOST:
        return pairs
    order = np.lexsort((-pairs.iou, pairs.first))
    sorted_pairs = pairs.take(order)
    starts = np.searchsorted(sorted_pairs.first, sorted_pairs.first)
    return sorted_pairs.take(np.arange(len(order)) - starts < MOST)
