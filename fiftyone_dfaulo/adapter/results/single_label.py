"""The results of a run whose items have one class each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.results.texts import Texts, count_pairs, number_texts


class SingleLabelResults(ComparedResults):
    """The scores of items of one class each; what :class:`.DFauLoResults` leaves open.

    Attributes:
        labels: int64 (N,), index into ``classes`` of the given label.
        suggestions: int64 (N,), index into ``classes`` of the class that the mutants
            see.
        confidence: float32 (N,), the mutants' probability of the suggestion.
        signals: float32 (N, S). With ``method="dfaulo"`` higher is more suspicious; the
            paper's features have no such direction.
        first_labels: id of each item that was corrected before the run, as far as it
            was told of an earlier one, to the class that it had at first.
    """

    _plain = (*ComparedResults._plain, "first_labels")
    _arrays = (*ComparedResults._arrays, "labels", "suggestions")

    def __init__(
        self,
        *args: Any,
        labels: np.ndarray,
        suggestions: np.ndarray,
        first_labels: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.labels = labels
        self.suggestions = suggestions
        self.first_labels = dict(first_labels or {})

    @property
    def suggestable(self) -> list[str]:
        """What ``suggestions`` are indexes into."""
        return self.classes

    def label_texts(self, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Object (N,), or of some rows: the classes of the given labels."""
        return np.array(self.classes, object)[self.labels[rows]]

    def suggestion_texts(self, rows: slice = slice(None)) -> np.ndarray:
        """Object (N,), or of some rows: the classes of the suggestions."""
        return np.array(self.suggestable, object)[self.suggestions[rows]]

    @cached_property
    def texts(self) -> Texts:
        """The labels that were scored and the suggestions, by number."""
        numbers: dict[str, int] = {}
        of_class = number_texts(numbers, self.suggestable)
        return Texts(numbers, of_class[self.labels], of_class[self.suggestions])

    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """The suggested and the given classes, by their numbers."""
        return self.suggestions, self.labels

    def count_disagreements(
        self, some: np.ndarray, labels: np.ndarray, names: Sequence[str]
    ) -> Counter[tuple[str, ...]]:
        """How often each class is suggested for each other one that is given."""
        suggested = self.texts.suggestions
        rows = np.flatnonzero(some & (labels >= 0) & (labels != suggested))
        pairs = count_pairs(labels[rows], suggested[rows], len(names))
        return Counter({(names[a], names[b]): int(n) for a, b, n in zip(*pairs)})

    def most_confused(self) -> tuple[str, str, int] | None:
        """The commonest disagreement: given class, suggested class, and how often.

        None if no other class is suggested; the first pair in the order of ``classes``
        where several are equally common.
        """
        size = len(self.classes)
        differ = (self.labels != self.suggestions) & (self.suggestions < size)
        if not differ.any():
            return None
        pairs = self.labels[differ] * size + self.suggestions[differ]
        codes, counts = np.unique(pairs, return_counts=True)
        given, suggested = divmod(int(codes[counts.argmax()]), size)
        return self.classes[given], self.classes[suggested], int(counts.max())
