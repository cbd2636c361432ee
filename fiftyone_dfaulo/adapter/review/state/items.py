"""How the review of a run stands: an array for each thing that is said of its items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from fiftyone_dfaulo.adapter.results.compared import ComparedResults

EXCLUDED = -3
CODES = {"faulty": 1, "correct": 0, None: -1, "unsure": -2, "exclude": EXCLUDED}

_NOTHING: dict[str, Any] = {
    "present": False,
    "scores": np.nan,
    "verdicts": np.int8(-1),
    "given_at": np.int64(0),
    "labels": np.int32(-1),
    "drawn": False,
    "corrected": False,
    "as_applied": False,
    "samples": b"",
}
"""What is said of an item that does not exist."""

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ReviewState:
    """The N items of the results, in their order. The arrays are not to be changed.

    Attributes:
        numbers: the texts of labels to the numbers that stand for them, those of
            :attr:`.ComparedResults.texts` first. It may grow.
        present: bool (N,), whether the item still exists.
        scores: float64 (N,), NaN where there is none.
        verdicts: int8 (N,), as in :data:`CODES`: 1 faulty, 0 correct.
        given_at: int64 (N,), when the verdict was given, in milliseconds since 1970; 0
            where that is not known.
        labels: int32 (N,), the number of the label, or labels; -1 for none.
        drawn: bool (N,), whether an audit has drawn it.
        corrected: bool (N,), whether the label was replaced by a correction.
        as_applied: bool (N,), whether it is still the one that it was replaced by.
        samples: S12 (N,), the id of the sample that it lies in.
    """

    numbers: dict[str, int]
    present: np.ndarray
    scores: np.ndarray
    verdicts: np.ndarray
    given_at: np.ndarray
    labels: np.ndarray
    drawn: np.ndarray
    corrected: np.ndarray
    as_applied: np.ndarray
    samples: np.ndarray
    _known: dict[str, Any] = field(default_factory=dict, init=False)

    @classmethod
    def nothing(cls, count: int, numbers: Mapping[str, int]) -> ReviewState:
        """The state of so many items of which none exists."""
        arrays: dict[str, np.ndarray] = {
            name: np.full(count, value, "S12" if value == b"" else None)
            for name, value in _NOTHING.items()
        }
        return cls({**numbers}, **arrays)

    def copy_without(self, rows: np.ndarray) -> ReviewState:
        """A copy in which these items do not exist."""
        arrays = {name: getattr(self, name).copy() for name in _NOTHING}
        for name, value in _NOTHING.items():
            arrays[name][rows] = value
        return ReviewState(self.numbers, **arrays)

    def same(self, other: ReviewState) -> bool:
        """Whether the other one says the same of each item."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in _NOTHING)
        return all(
            np.array_equal(one, two, equal_nan=one.dtype.kind == "f")
            for one, two in pairs
        )

    @cached_property
    def counted(self) -> np.ndarray:
        """Bool (N,), the items that faults are counted among: all but the excluded."""
        return self.present & (self.verdicts != EXCLUDED)

    @cached_property
    def names(self) -> list[str]:
        """The texts that the numbers stand for."""
        return [*self.numbers]

    @cached_property
    def ranked(self) -> np.ndarray:
        """Int64 (N,), the items by their scores, highest first; those without last."""
        return np.argsort(-self.scores, kind="stable")

    def keep_ranking(self, before: ReviewState) -> None:
        """Takes it from another state of the same scores, if that has it."""
        if "ranked" in before.__dict__ and np.array_equal(
            self.scores, before.scores, equal_nan=True
        ):
            self.__dict__["ranked"] = before.ranked

    def number(self, text: str | None) -> int:
        """The number of a label's text; one that no label has, if it is unknown."""
        return self.numbers.get(str(text), -2)

    def count_verdicts(self) -> dict[str | None, int]:
        """How many of the items that exist have each verdict, or None."""
        there = self.verdicts[self.present]
        return {name: int((there == code).sum()) for name, code in CODES.items()}

    def verdicts_in_order(self, results: ComparedResults) -> list[bool]:
        """Whether each checked item is faulty, in the order in which they were checked.

        Those that were checked at the same time are in the order of their ids.
        """
        rows = np.flatnonzero(self.present & (self.verdicts >= 0))
        order = np.lexsort((results.rows.ids[rows], self.given_at[rows]))
        return (self.verdicts[rows[order]] == 1).tolist()

    def edited(self, results: ComparedResults) -> np.ndarray:
        """Bool (N,), whether the label is no longer the one that was scored."""
        return np.asarray(self.present & (self.labels != results.texts.labels))

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """What is computed of this state, the first time that it is asked for."""
        if name not in self._known:
            self._known[name] = compute()
        return self._known[name]
