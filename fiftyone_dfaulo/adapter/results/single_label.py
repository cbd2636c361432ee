"""The results of a run whose items have one class each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import fiftyone.core.brain as fob
import fiftyone.core.utils as fou
import numpy as np

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.results.base import DFauLoResults

if TYPE_CHECKING:
    from typing_extensions import Self


class SingleLabelResults(DFauLoResults):
    """The scores of items of one class each; what :class:`.DFauLoResults` leaves open.

    Attributes:
        labels: int64 (N,), index into ``classes`` of the given label.
        suggestions: int64 (N,), index into ``classes`` of the class that the mutants
            see.
        confidence: float32 (N,), the mutants' probability of the suggestion.
        neighbours: int32 (M, 31), positions among the N, -1 for none: of each of the M
            most suspicious items, of its 10 nearest neighbours, of the 10 nearest of
            its given class, and of the suggested class; see :func:`.find_neighbours`.
            M is 0 where a run has looked for none.
        signals: float32 (N, S). With ``method="dfaulo"`` higher is more suspicious; the
            paper's features have no such direction.
    """

    _arrays = (*DFauLoResults._arrays, "labels", "suggestions")

    def __init__(
        self,
        *args: Any,
        labels: np.ndarray,
        suggestions: np.ndarray,
        neighbours: np.ndarray | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.labels = labels
        self.suggestions = suggestions
        none = np.empty((0, 1), np.int32)
        self.neighbours = none if neighbours is None else neighbours

    @property
    def suggestable(self) -> list[str]:
        """What ``suggestions`` are indexes into."""
        return self.classes

    def label_texts(self) -> np.ndarray:
        """Object (N,): the classes of the given labels."""
        return np.array(self.classes, object)[self.labels]

    def suggestion_texts(self, rows: slice = slice(None)) -> np.ndarray:
        """Object (N,), or of some rows: the classes of the suggestions."""
        return np.array(self.suggestable, object)[self.suggestions[rows]]

    def drop_vanished(self, present: Collection[str]) -> None:
        """As of any results; what is left keeps its neighbours that are."""
        there = np.fromiter((i in present for i in self.ids), bool, len(self.ids))
        number = np.append(np.where(there, np.cumsum(there) - 1, -1), -1)
        moved = number[self.neighbours].astype(np.int32)
        self.neighbours = moved[moved[:, 0] >= 0]
        super().drop_vanished(present)

    def serialize(self, reflective: bool = False) -> dict[str, object]:
        """As of any results, and the neighbours."""
        packed = fou.serialize_numpy_array(self.neighbours, ascii=True)
        return {**super().serialize(reflective), "neighbours": packed}

    @classmethod
    def _from_dict(
        cls,
        d: dict[str, object],
        samples: Samples,
        config: fob.BrainMethodConfig,
        key: str,
    ) -> Self:
        results = super()._from_dict(d, samples, config, key)
        if "neighbours" in d:  # newer than some runs
            packed = d["neighbours"]
            results.neighbours = fou.deserialize_numpy_array(packed, ascii=True)
        return results

    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """The suggested and the given classes, by their numbers."""
        return self.suggestions, self.labels

    def count_disagreements(
        self, some: np.ndarray, labels: np.ndarray
    ) -> Counter[tuple[str, ...]]:
        """How often each class is suggested for each other one that is given."""
        suggested = self.suggestion_texts()
        labelled = np.asarray(labels != None, bool)  # noqa: E711  element by element
        differ = labelled & np.asarray(labels != suggested, bool)
        rows = np.flatnonzero(some & differ)
        return Counter(zip(labels[rows], suggested[rows]))

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
