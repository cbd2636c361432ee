"""The results of a run that scored tags.

FiftyOne stores the full path of the class with the results and imports it by that, so
neither this module nor the class may ever move or change its name.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fiftyone_dfaulo.adapter.runs.results import DFauLoResults
from fiftyone_dfaulo.adapter.targets.multilabel import tag_text


class Change(NamedTuple):
    """What should happen to a sample's tags: classes to remove and to add, sorted."""

    remove: tuple[str, ...] = ()
    add: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [*(f"remove {x}" for x in self.remove), *(f"add {x}" for x in self.add)]
        return ", ".join(parts)


class TagResults(DFauLoResults):
    """The scores of a run on tags; what differs from :class:`.DFauLoResults`.

    Attributes:
        given: bool (N, K), whether a sample had the tag.
        signals: float64 (N, K), in [0, 1]; how likely ``given`` is wrong. The
            ``signal_names`` are the ``classes``.
        hard: bool (N, K), whether the tag is hard to learn.
        suspiciousness: float64 (N,), the maximum of the signals over the tags.
        labels: int64 (N,), equal for samples with equal sets of tags.
        suggestions: int64 (N,), the likeliest change: k to remove class k, K + k to add
            it. All that is suggested is in :meth:`changes`.
        confidence: float32 (N,), how likely that change is right.
    """

    _arrays = (*DFauLoResults._arrays, "given", "hard")

    def __init__(
        self, *args: Any, given: np.ndarray, hard: np.ndarray, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.given = given
        self.hard = hard

    def changes(self, rows: slice = slice(None)) -> list[Change]:
        """What is suggested for each sample; see :func:`.engine.multilabel.changes`."""
        from fiftyone_dfaulo.engine.method.multi_label import changes

        given = self.given[rows]
        wrong = changes(given, self.signals[rows])
        found = [Change()] * len(wrong)
        for n in np.flatnonzero(wrong.any(1)):  # of most samples, none is
            gone, come = wrong[n] & given[n], wrong[n] & ~given[n]
            found[n] = Change(self._named(gone), self._named(come))
        return found

    def missing(self, row: int) -> dict[str, float]:
        """The classes that look missing on a sample, and how likely they are."""
        from fiftyone_dfaulo.engine.method.multi_label import LIKELY

        tags = self.signals[row]
        found = np.flatnonzero((tags >= LIKELY) & ~self.given[row])
        return {self.classes[k]: float(tags[k]) for k in found}

    def tag_reasons(self, row: int, tag: int) -> list[str]:
        """Why a given tag is suspicious: those of the ``reason_names`` that apply."""
        from fiftyone_dfaulo.engine.method.multi_label import LIKELY, REASONS

        applies = (self.signals[row, tag] >= LIKELY, False, self.hard[row, tag])
        return [name for name, one in zip(REASONS, applies) if one]

    def _named(self, some: np.ndarray) -> tuple[str, ...]:
        return tuple(self.classes[k] for k in np.flatnonzero(some))

    def label_texts(self) -> np.ndarray:
        """Object (N,): the classes of each sample's tags as one string."""
        texts = (tag_text(self._named(row)) for row in self.given)
        return np.fromiter(texts, object, len(self.given))

    def suggestion_texts(self, rows: slice = slice(None)) -> np.ndarray:
        """Object (N,), or of some rows: changes such as "remove cat, add dog"."""
        changes = self.changes(rows)
        return np.fromiter((str(one) or None for one in changes), object, len(changes))

    def most_confused(self) -> None:
        """Tags are not confused in pairs."""
        return None
