"""The labels of objects that a detector judges: one class is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fiftyone_dfaulo.adapter.results.boxes import MissingObject
from fiftyone_dfaulo.adapter.targets.class_labels import ClassLabels

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.scores import Scores


class BoxLabels(ClassLabels):
    """One class an object; they need not differ, as boxes are compared too."""

    checks_content = False
    several_sources = False

    @classmethod
    def of(cls, names: Sequence[str]) -> BoxLabels:
        """The labels with these names, one an object."""
        found = ClassLabels.of(names)
        return cls(found.classes, found.numbers)

    @property
    def comparable(self) -> bool:
        """Whether there is an object."""
        return len(self.numbers) > 0

    def take(self, index: np.ndarray) -> BoxLabels:
        """The labels of the objects at an index, with those classes alone."""
        some = super().take(index)
        return BoxLabels(some.classes, some.numbers)


class ClassesInBoxes(ClassLabels):
    """The classes of what is in boxes, once a detector says whether there is anything.

    Content that is foreign to all classes is no fault of a class then.
    """

    checks_content = False

    def take(self, index: np.ndarray) -> ClassesInBoxes:
        """The labels of the objects at an index, with those classes alone."""
        some = super().take(index)
        return ClassesInBoxes(some.classes, some.numbers)


@dataclass(frozen=True)
class JudgedBoxes(BoxLabels):
    """These, once a detector has judged them.

    Attributes:
        better: float64 (N, 4), as :attr:`.BoxResults.better_boxes`.
        missing: as :attr:`.BoxResults.missing`.
    """

    better: np.ndarray
    missing: list[MissingObject]

    def result_values(self, ids: Sequence[str], scores: Scores) -> dict[str, Any]:
        """As of any classes, with kinds of fault for reasons, and places."""
        from fiftyone_dfaulo.engine.boxes.reasons import REASONS

        return {
            **super().result_values(ids, scores),
            "reason_names": REASONS,
            "better_boxes": self.better,
            "missing": self.missing,
        }
