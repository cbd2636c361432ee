"""The results of a run that compared boxes with a detector's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from fiftyone_dfaulo.adapter.results.single_label import SingleLabelResults

ANOTHER_BOX, NO_OBJECT, MISSING_OBJECT = DEEDS = (
    "(another box)",
    "(no object)",
    "(missing object)",
)
"""What a suggestion says that is no class: what to do about the object."""


class MissingObject(NamedTuple):
    """An object that has no box, as far as a detector tells.

    Attributes:
        sample: id of the sample, or frame, that it is in.
        label: its class.
        box: left, top, width and height, fractions of the image.
        probability: in [0, 1], how likely it is missing.
        id: of the object in ``<key>_missing``; None of unlikely ones, which are not
            there.
    """

    sample: str
    label: str
    box: tuple[float, float, float, float]
    probability: float
    id: str | None = None


class CountedResults(SingleLabelResults):
    """The scores of objects of which some were counted twice.

    Attributes:
        suggestions: int64 (N,), index into the classes and :data:`NO_OBJECT`, one list.
    """

    @property
    def suggestable(self) -> list[str]:
        """The classes, and that there is no object."""
        return [*self.classes, NO_OBJECT]


class BoxResults(SingleLabelResults):
    """The scores of boxes, and of places where an object looks missing.

    The last of the N items are those of ``missing`` that have an id; their labels are
    the classes that they would have. Beside what :class:`.SingleLabelResults` has:

    Attributes:
        suggestions: int64 (N,), index into the classes and :data:`DEEDS`, one list.
        signals: float32 (N, 5), in [0, 1]: how likely each kind of fault is; the
            ``signal_names`` are the reasons.
        better_boxes: float64 (N, 4), where the detector sees the object, or else a
            network that looks at each box: left, top, width and height, fractions of
            the image; NaN where neither does.
        missing: every place where the detector sees an object and no box is, however
            unlikely.
    """

    _arrays = (*SingleLabelResults._arrays, "better_boxes")
    _plain = (*SingleLabelResults._plain, "missing")

    def __init__(
        self,
        *args: Any,
        better_boxes: np.ndarray,
        missing: Sequence[Sequence[Any]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.better_boxes = better_boxes
        self.missing = [
            MissingObject(sample, label, tuple(box), probability, *one)
            for sample, label, box, probability, *one in missing
        ]

    @property
    def suggestable(self) -> list[str]:
        """The classes, and what a suggestion says that is no class."""
        return [*self.classes, *DEEDS]

    def keep_part(self, present: Collection[str], documents: Collection[str]) -> None:
        """As of any results; what is missing lies in the samples."""
        super().keep_part(present, documents)
        self.missing = [one for one in self.missing if one.sample in documents]

    def estimate_by_kind(self) -> dict[str, int]:
        """How many faults of each kind there probably are.

        Returns:
            the reasons to numbers of objects.
        """
        sums = self.signals.sum(0, dtype=np.float64)
        sums[-1] = sum(one.probability for one in self.missing)
        return {n: round(float(s)) for n, s in zip(self.signal_names, sums)}

    def summary(self) -> dict[str, Any]:
        """As of any results, and ``by_kind``: see :meth:`estimate_by_kind`."""
        return {**super().summary(), "by_kind": self.estimate_by_kind()}

    def __str__(self) -> str:
        kinds = (f"{name}: {n}" for name, n in self.estimate_by_kind().items())
        return f"{super().__str__()}\nestimated faults by kind: {', '.join(kinds)}"

    __repr__ = __str__
