"""Labels and suggestions as numbers, and where an item stands, for quick counting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


class Texts(NamedTuple):
    """The labels that were scored and the suggestions, equal texts as equal numbers.

    Attributes:
        numbers: each text to the number that stands for it: 0, 1 and so on.
        labels: int32 (N,), of the given labels; -1 for none.
        suggestions: int32 (N,), of the suggestions; -1 for none.
    """

    numbers: dict[str, int]
    labels: np.ndarray
    suggestions: np.ndarray


def number_texts(numbers: dict[str, int], texts: Iterable[str | None]) -> np.ndarray:
    """The numbers of texts, int32; new ones get the next numbers."""
    found = [
        -1 if one is None else numbers.setdefault(one, len(numbers)) for one in texts
    ]
    return np.array(found, np.int32)


def count_pairs(
    first: np.ndarray,
    second: np.ndarray,
    size: int,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often numbers come together.

    Args:
        first, second: int (N,), in 0..size-1.
        size: how many numbers there are.
        weights: float64 (N,), what each pair adds; None for 1.

    Returns:
        the P pairs that there are, ascending: int64 (P,) twice; and their sums (P,).
    """
    pairs = first.astype(np.int64) * size + second
    if size * size <= len(pairs):  # a cell for each pair takes no longer than a look
        counts = np.bincount(pairs, minlength=size * size)
        found = np.flatnonzero(counts)
        sums = counts if weights is None else np.bincount(pairs, weights, size * size)
        return found // size, found % size, sums[found]
    found, place = np.unique(pairs, return_inverse=True)
    return found // size, found % size, np.bincount(place, weights, len(found))


class Rows:
    """Which row of the results an item has.

    Args:
        ids: of the N items.

    Attributes:
        ids: S12 (N,), the same in 12 bytes each.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = _packed(ids)
        self._order = np.argsort(self.ids, kind="stable")  # quick if they are in order
        self._sorted = self.ids[self._order]

    def of(self, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of items that were found, S12 (F,); and which of them have one."""
        order = np.argsort(found, kind="stable")  # in order they are found far sooner
        near = np.empty(len(found), np.int64)
        near[order] = np.searchsorted(self._sorted, found[order])
        near = np.minimum(near, len(self._sorted) - 1)
        known = self._sorted[near] == found
        return self._order[near[known]], known

    def find(self, ids: Sequence[str]) -> dict[str, int]:
        """The rows of some items, by their ids; those that have none are left out."""
        rows, known = self.of(_packed(ids))
        there = [one for one, is_known in zip(ids, known) if is_known]
        return dict(zip(there, rows.tolist()))


def _packed(ids: Sequence[str]) -> np.ndarray:
    return np.frombuffer(bytes.fromhex("".join(ids)), "S12")
