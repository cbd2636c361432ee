"""The labels of N items that have one class each, and how they are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fiftyone_dfaulo.adapter.targets.labels import (
    RESCORING,
    SCORING,
    Labels,
    Retrain,
)
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor
from fiftyone_dfaulo.engine.progress import report_part

if TYPE_CHECKING:
    from fiftyone_dfaulo.config import Settings
    from fiftyone_dfaulo.engine.features import Features
    from fiftyone_dfaulo.engine.method.ensemble import Ensemble
    from fiftyone_dfaulo.engine.models.class_matching import Match
    from fiftyone_dfaulo.engine.progress import StageReport, Stages
    from fiftyone_dfaulo.engine.scores import Scores


@dataclass(frozen=True)
class ClassLabels(Labels):
    """One class an item, ``numbers`` being indexes into ``classes``.

    Attributes:
        taught: int64 (N,), what reviewers say each label should be; None if nothing.
        before: int64 (N,), what each was before it was corrected; None if none was.
    """

    taught: np.ndarray | None = field(default=None, kw_only=True)
    before: np.ndarray | None = field(default=None, kw_only=True)

    checks_content = True
    several_sources = True

    @classmethod
    def of(cls, names: Sequence[str]) -> ClassLabels:
        """The labels with these names, one an item."""
        classes = sorted(set(names))
        number = {name: index for index, name in enumerate(classes)}
        return cls(classes, np.array([number[name] for name in names], np.int64))

    def nothing_to_compare(self, label_field: str) -> str:
        return (
            f"all {len(self.numbers)} labels in {label_field!r} are "
            f"{self.classes[0]!r}; expected at least two classes"
        )

    def result_values(self, ids: Sequence[str], scores: Scores) -> dict[str, Any]:
        from fiftyone_dfaulo.engine.method.reasons import REASONS

        partner = scores.near_duplicate_of
        return {
            "labels": self.numbers,
            "suggestions": scores.suggestion,
            "confidence": scores.confidence,
            "reason_names": (*REASONS, *scores.more_reasons),
            "signals": scores.signals,
            "signal_names": scores.signal_names,
            "near_duplicates": {
                ids[n]: ids[partner[n]] for n in np.flatnonzero(partner >= 0).tolist()
            },
            "first_labels": self._first_labels(ids),
        }

    def _first_labels(self, ids: Sequence[str]) -> dict[str, str]:
        """Id of each item that was corrected, to the class before."""
        before = self.numbers if self.before is None else self.before
        rows = np.flatnonzero(before != self.numbers)
        return {ids[n]: self.classes[before[n]] for n in rows.tolist()}

    def suggested(self, scores: Scores) -> np.ndarray:
        return scores.suggestion

    @property
    def training_labels(self) -> np.ndarray:
        return self.numbers

    @property
    def comparable(self) -> bool:
        return len(self.classes) > 1

    def occurring(self, index: np.ndarray) -> np.ndarray:
        return np.unique(self.numbers[index])

    def take(self, index: np.ndarray) -> ClassLabels:
        used, numbers = np.unique(self.numbers[index], return_inverse=True)

        def others(told: np.ndarray | None) -> np.ndarray | None:
            """Where a class is gone, what was told is the label."""
            if told is None:
                return None
            place = np.minimum(np.searchsorted(used, told[index]), len(used) - 1)
            return np.where(used[place] == told[index], place, numbers)

        return ClassLabels(
            [self.classes[k] for k in used],
            numbers.astype(np.int64),
            taught=others(self.taught),
            before=others(self.before),
        )

    @property
    def lesson(self) -> np.ndarray:
        """Int64 (N,), what models learn: each class keeps an item at least."""
        lesson = self.numbers if self.taught is None else self.taught
        while (gone := np.bincount(lesson, minlength=len(self.classes)) == 0).any():
            lesson = np.where(gone[self.numbers], self.numbers, lesson)
        return lesson

    def shortage(self, left: Labels) -> str:
        return (
            f" and {len(left.classes)} of {len(self.classes)} classes are left; "
            "expected at least two"
        )

    def match_logits(
        self, outputs: int, given: Sequence[str] | None, stated: Sequence[str] | None
    ) -> Match:
        from fiftyone_dfaulo.engine.models.class_matching import match_classes

        return match_classes(outputs, self.classes, given=given, stated=stated)

    def score(
        self,
        features: Sequence[Features],
        *,
        settings: Settings,
        stages: Stages,
        retrain: Retrain | None = None,
        work: Work = UNKEPT,
        executor: Executor = HERE,
    ) -> Scores:
        from fiftyone_dfaulo.engine.method import single_label

        fit = partial(self._fit, settings=settings, work=work, executor=executor)
        score = partial(single_label.score_labels, self.numbers, before=self.before)
        ensembles: list[Ensemble] = []
        with stages.stage(SCORING) as report:
            for number, each in enumerate(sorted(features, key=_shows_content)):
                part = report_part(report, number, len(features))
                ensembles.append(fit(each, ensembles, report=part))
            scores = score(*ensembles)
        if retrain is not None:
            again = retrain(scores.suspiciousness)
            with stages.stage(RESCORING) as report:
                ensembles.append(fit(again, ensembles, report=report))
            scores = score(*ensembles)
        return scores

    def _fit(
        self,
        features: Features,
        before: Sequence[Ensemble],
        *,
        settings: Settings,
        work: Work,
        executor: Executor,
        report: StageReport,
    ) -> Ensemble:
        """Fits the models around one network; content is looked at for the first."""
        from fiftyone_dfaulo.engine.method import ensemble

        seen = self.take(features.index)
        foreign = before[0].foreign[features.index] if before else None
        fitted = ensemble.fit_ensemble(
            features.embeddings,
            seen.lesson,
            logits=features.logits,
            logits_vote=features.logits_vote,
            learned=features.learned,
            appearance=None if before else features.appearance,
            foreign=foreign,
            points=None if before else features.points,
            settings=settings,
            work=work,
            executor=executor,
            report=report,
        )
        classes = self.occurring(features.index)
        return ensemble.spread(
            fitted, features.index, classes, (len(self.numbers), len(self.classes))
        )


def _shows_content(features: Features) -> tuple[bool, bool]:
    """Sorts sources: those first that show what the images look like."""
    return features.appearance is None, features.points is None
