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
    order, begin, end = _candidates(first, second)
    counts = end - begin
    parts, row = [], 0
    while row < len(counts):
        last = row + 1
        total = counts[row]
        while last < len(counts) and total + counts[last] <= BLOCK:
            total += counts[last]
            last += 1
        parts.append(_block(first, second, order, begin, counts, row, last))
        row = last
    return Pairs(*(np.concatenate(columns) for columns in zip(*parts)))


def _candidates(
    first: Boxes, second: Boxes
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each box, the run of others whose left edge lets them overlap.

    Returns:
        an order of the second boxes, by image and left edge; where in it the run of
        each first box begins, and where it ends.
    """
    left = second.boxes[:, 0]
    lowest = min(left.min(), first.boxes[:, 0].min() - second.boxes[:, 2].max())
    highest = max(left.max(), (first.boxes[:, 0] + first.boxes[:, 2]).max())
    span = 2 * (highest - lowest) + 1e-9  # so that a place in an image is below 1/2

    def key(images: np.ndarray, at: np.ndarray) -> np.ndarray:
        return images + (at - lowest) / span

    keys = key(second.images, left)
    order = np.argsort(keys, kind="stable")
    reach = first.boxes[:, 0] - second.boxes[:, 2].max()
    begin = np.searchsorted(keys[order], key(first.images, reach))
    right = first.boxes[:, 0] + first.boxes[:, 2]
    end = np.searchsorted(keys[order], key(first.images, right), "right")
    return order, begin, end


def _block(
    first: Boxes,
    second: Boxes,
    order: np.ndarray,
    begin: np.ndarray,
    counts: np.ndarray,
    row: int,
    last: int,
) -> Pairs:
    """The pairs of the first boxes from ``row`` to before ``last``."""
    some = counts[row:last]
    rows = np.repeat(np.arange(row, last), some)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(some) - some, some)
    columns = order[np.repeat(begin[row:last], some) + offset]
    iou = intersection_over_union(first.boxes[rows], second.boxes[columns])
    found = (iou > 0) & (first.images[rows] == second.images[columns])
    return _nearest(Pairs(rows[found], columns[found], iou[found]))


def _nearest(pairs: Pairs) -> Pairs:
    """The pairs of the largest overlap of each first box, :data:`MOST` at most."""
    if not len(pairs.iou) or np.bincount(pairs.first).max() <= MOST:
        return pairs
    order = np.lexsort((-pairs.iou, pairs.first))
    sorted_pairs = pairs.take(order)
    starts = np.searchsorted(sorted_pairs.first, sorted_pairs.first)
    return sorted_pairs.take(np.arange(len(order)) - starts < MOST)
