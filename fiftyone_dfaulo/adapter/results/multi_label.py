"""The results of a run whose items have several labels each, or none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fiftyone_dfaulo.adapter.results.compared import ComparedResults


def join_classes(names: Iterable[str | None]) -> str:
    """The classes of one item as one string, each once, sorted by name.

    No two sets of classes have the same string.
    """
    return ", ".join(map(_quoted, sorted({name for name in names if name is not None})))


def _quoted(name: str) -> str:
    """A class as it stands in a list: in quotes if it could be taken for no class."""
    odd = not name or ", " in name or name.startswith('"')
    return json.dumps(name, ensure_ascii=False) if odd else name


class Change(NamedTuple):
    """What should happen to an item's labels: classes to remove and to add, sorted."""

    remove: tuple[str, ...] = ()
    add: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"remove {_quoted(name)}" for name in self.remove]
        return ", ".join([*parts, *(f"add {_quoted(name)}" for name in self.add)])


class MultiLabelResults(ComparedResults):
    """The scores of items of several labels; what :class:`.DFauLoResults` leaves open.

    Attributes:
        given: bool (N, K), whether an item had a label of the class.
        signals: float64 (N, K), in [0, 1]; how likely ``given`` is wrong. The
            ``signal_names`` are the ``classes``.
        hard: bool (N, K), whether the class is hard to learn.
        suspiciousness: float64 (N,), the maximum of the signals over the classes.
        label_sets: int64 (N,), equal for items with equal sets of labels.
        likeliest: int64 (N,), the likeliest change: k removes class k, K + k adds it.
            :meth:`changes` has all changes that are suggested.
        confidence: float32 (N,), how likely that change is right.
    """

    _arrays = (*ComparedResults._arrays, "label_sets", "likeliest", "given", "hard")

    def __init__(
        self,
        *args: Any,
        label_sets: np.ndarray,
        likeliest: np.ndarray,
        given: np.ndarray,
        hard: np.ndarray,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.label_sets = label_sets
        self.likeliest = likeliest
        self.given = given
        self.hard = hard

    def changes(self, rows: slice = slice(None)) -> list[Change]:
        """What is suggested for each item; see :func:`.multi_label.changes`."""
        from fiftyone_dfaulo.engine.method.multi_label import changes

        given = self.given[rows]
        wrong = changes(given, self.signals[rows])
        found = [Change()] * len(wrong)
        for n in np.flatnonzero(wrong.any(1)):  # for most items, nothing is
            gone, come = wrong[n] & given[n], wrong[n] & ~given[n]
            found[n] = Change(self._names(gone), self._names(come))
        return found

    def missing(self, row: int) -> dict[str, float]:
        """The classes that look missing on an item, and how likely they are."""
        from fiftyone_dfaulo.engine.method.multi_label import LIKELY

        wrong = self.signals[row]
        found = np.flatnonzero((wrong >= LIKELY) & ~self.given[row])
        return {self.classes[k]: float(wrong[k]) for k in found}

    def label_reasons(self, row: int, k: int) -> list[str]:
        """Why a given label of class k is suspicious: some of ``reason_names``."""
        from fiftyone_dfaulo.engine.method.multi_label import LIKELY, REASONS

        applies = (self.signals[row, k] >= LIKELY, False, self.hard[row, k])
        return [name for name, one in zip(REASONS, applies) if one]

    def _names(self, some: np.ndarray) -> tuple[str, ...]:
        return tuple(self.classes[k] for k in np.flatnonzero(some))

    def label_texts(self, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Object (N,), or of some rows: the classes of the labels as one string."""
        some = self.given[rows]
        texts = (join_classes(self._names(row)) for row in some)
        return np.fromiter(texts, object, len(some))

    def suggestion_texts(self, rows: slice = slice(None)) -> np.ndarray:
        """Object (N,), or of some rows: changes such as "remove cat, add dog"."""
        changes = self.changes(rows)
        return np.fromiter((str(one) or None for one in changes), object, len(changes))

    def suggested_label(self, row: int) -> str | None:
        """The classes that an item would have after the change, as one string."""
        (change,) = self.changes(slice(row, row + 1))
        kept = {*self._names(self.given[row])} - {*change.remove}
        return join_classes(kept | {*change.add})

    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """The likeliest change, and the set of labels."""
        return self.likeliest, self.label_sets

    def count_disagreements(
        self, some: np.ndarray, labels: np.ndarray, names: Sequence[str]
    ) -> Counter[tuple[str, ...]]:
        """How often each change is suggested."""
        suggested = self.texts.suggestions[some]
        counts = np.bincount(suggested[suggested >= 0], minlength=len(names))
        found = np.flatnonzero(counts).tolist()
        return Counter({(names[k],): int(counts[k]) for k in found})
