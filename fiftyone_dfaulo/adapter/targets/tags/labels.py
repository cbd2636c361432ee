"""The given labels of N items that have several each, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fiftyone_dfaulo.adapter.results.multi_label import join_classes
from fiftyone_dfaulo.adapter.targets.labels import SCORING, Labels, Retrain
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor

if TYPE_CHECKING:
    from fiftyone_dfaulo.config import Settings
    from fiftyone_dfaulo.engine.features import Features
    from fiftyone_dfaulo.engine.method.multi_label import MultiLabelScores
    from fiftyone_dfaulo.engine.models.class_matching import Match
    from fiftyone_dfaulo.engine.progress import Stages


@dataclass(frozen=True)
class MultiLabels(Labels):
    """Several labels an item, or none, which is a statement about each of the classes.

    Attributes:
        given: bool (N, K), whether an item has a label of the class.
    """

    given: np.ndarray

    checks_content = False
    scoring_share = 60.0  # each class is scored by itself

    @classmethod
    def of(cls, names: Sequence[Iterable[str | None]]) -> MultiLabels:
        """The labels of items with these classes; None is no class."""
        sets = [{name for name in some if name is not None} for some in names]
        classes = sorted(set().union(*sets))
        number = {name: n for n, name in enumerate(classes)}
        given = np.zeros((len(sets), len(classes)), bool)
        for row, some in enumerate(sets):
            given[row, [number[name] for name in some]] = True
        return cls.of_matrix(classes, given)

    @classmethod
    def of_matrix(cls, classes: list[str], given: np.ndarray) -> MultiLabels:
        """The labels with these classes, bool (N, K)."""
        numbers = np.unique(given, axis=0, return_inverse=True)[1].reshape(-1)
        return cls(classes, numbers, given)

    def nothing_to_compare(self, label_field: str) -> str:
        return (
            f"all {len(self.given)} samples have the same labels in {label_field!r}: "
            f"{join_classes(self.classes) or 'none'}; expected at least one class that "
            "some samples have and others do not"
        )

    def result_values(
        self, ids: Sequence[str], scores: MultiLabelScores
    ) -> dict[str, Any]:
        from fiftyone_dfaulo.engine.method.multi_label import REASONS

        return {
            "label_sets": self.numbers,
            "likeliest": scores.suggestion,
            "given": scores.given,
            "hard": scores.hard,
            "confidence": scores.suspiciousness.astype(np.float32),
            "reason_names": REASONS,
            "signals": scores.class_suspiciousness,
            "signal_names": self.classes,
        }

    def suggested(self, scores: MultiLabelScores) -> np.ndarray:
        from fiftyone_dfaulo.engine.method.multi_label import changes

        wanted = self.given ^ changes(self.given, scores.class_suspiciousness)
        both = np.concatenate([self.given, wanted])
        which = np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)
        number = np.full(len(both), -1)
        number[which[: len(self.given)]] = self.numbers
        return number[which[len(self.given) :]]

    @property
    def training_labels(self) -> np.ndarray:
        return self.given

    @property
    def comparable(self) -> bool:
        """Whether some class is one that some items have and others do not."""
        return bool((self.given.any(0) & ~self.given.all(0)).any())

    def occurring(self, index: np.ndarray) -> np.ndarray:
        return np.flatnonzero(self.given[index].any(0))

    def take(self, index: np.ndarray) -> MultiLabels:
        used = self.occurring(index)
        classes = [self.classes[k] for k in used]
        return self.of_matrix(classes, self.given[index][:, used])

    def shortage(self, left: Labels) -> str:
        return ", and no class is left that some samples have and others do not"

    def match_logits(
        self, outputs: int, given: Sequence[str] | None, stated: Sequence[str] | None
    ) -> Match:
        """None: a classifier's logits are of classes that exclude each other."""
        from fiftyone_dfaulo.engine.models.class_matching import Match

        return Match(None, None)

    def score(
        self,
        features: Sequence[Features],
        *,
        settings: Settings,
        stages: Stages,
        retrain: Retrain | None = None,
        work: Work = UNKEPT,
        executor: Executor = HERE,
    ) -> MultiLabelScores:
        """As of :class:`Labels`; by one source, without full mutants."""
        from fiftyone_dfaulo.engine.method import multi_label

        (only,) = features
        with stages.stage(SCORING) as report:
            return multi_label.score(
                only.embeddings,
                self.given,
                logits=only.logits,
                settings=settings,
                work=work,
                executor=executor,
                report=report,
            )
