"""The given labels of N items: one class each, or several each.

What differs between the two in a run is here: what is left if some items cannot be
read, what a network is trained on, whether a model's logits can serve, and who scores.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

if TYPE_CHECKING:
    from fiftyone_dfaulo.config import Settings
    from fiftyone_dfaulo.engine.features import Features
    from fiftyone_dfaulo.engine.method.ensemble import Ensemble
    from fiftyone_dfaulo.engine.method.multi_label import MultiLabelScores
    from fiftyone_dfaulo.engine.models.class_matching import Match
    from fiftyone_dfaulo.engine.progress import StageReport, Stages
    from fiftyone_dfaulo.engine.scores import Scores

SCORING = "Scoring with mutants"
RESCORING = "Scoring with full mutants"
"""The stages of a run that labels are scored in, as its progress calls them."""

Retrain = Callable[[np.ndarray], "Features"]
"""From suspiciousness (N,) to the features of the same N items by a network that is
trained without the most suspicious."""

SomeLabels = TypeVar("SomeLabels", bound="Labels")


@dataclass(frozen=True)
class Labels(ABC):
    """The labels of N items.

    Attributes:
        classes: names of the K classes, sorted.
        numbers: int64 (N,), from 0 on: equal for items with equal labels.
        checks_content: whether foreign content and near duplicates are looked for.
    """

    classes: list[str]
    numbers: np.ndarray

    checks_content: ClassVar[bool]
    scoring_share: ClassVar[float | None] = None
    """Share of the time that scoring takes, where it is another one than usual."""

    @classmethod
    @abstractmethod
    def of(cls: type[SomeLabels], names: Sequence[Any]) -> SomeLabels:
        """The labels with these names, one entry an item."""

    @abstractmethod
    def nothing_to_compare(self, label_field: str) -> str:
        """What a message says where these labels are not :attr:`comparable`."""

    @abstractmethod
    def result_values(self, ids: Sequence[str], scores: Any) -> dict[str, Any]:
        """What the results of such labels hold beside those of any others.

        Args:
            ids: of the N items.
            scores: what :meth:`score` gave.
        """

    @property
    @abstractmethod
    def training_labels(self) -> np.ndarray:
        """What a network is trained on; see :func:`.training.train_network`."""

    @property
    @abstractmethod
    def comparable(self) -> bool:
        """Whether the labels differ, so that one item can be compared with another."""

    @abstractmethod
    def occurring(self, index: np.ndarray) -> np.ndarray:
        """Which classes some items at an index have: ascending, in 0..K-1."""

    @abstractmethod
    def take(self: SomeLabels, index: np.ndarray) -> SomeLabels:
        """The labels of the items at an index, with those classes alone."""

    @abstractmethod
    def shortage(self, left: Labels) -> str:
        """What a message says where too little is left of these labels to compare."""

    @abstractmethod
    def match_logits(
        self, outputs: int, given: Sequence[str] | None, stated: Sequence[str] | None
    ) -> Match:
        """Which logit of an original model belongs to which of these classes.

        Args:
            outputs, given, stated: as of :func:`.class_matching.match_classes`.

        Raises:
            InputError: as there.
        """

    @abstractmethod
    def score(
        self,
        features: Sequence[Features],
        *,
        settings: Settings,
        stages: Stages,
        retrain: Retrain | None = None,
    ) -> Scores | MultiLabelScores:
        """Scores the items.

        Args:
            features: what one or more sources say of these N items.
            settings: only the seed is used.
            stages: the stages of the run; scoring reports to its own.
            retrain: gives features of full mutants; None scores without any.
        """


@dataclass(frozen=True)
class ClassLabels(Labels):
    """One class an item, ``numbers`` being indexes into ``classes``."""

    checks_content = True

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
            "reason_names": REASONS,
            "signals": scores.signals,
            "signal_names": scores.signal_names,
            "near_duplicates": {
                ids[n]: ids[partner[n]] for n in np.flatnonzero(partner >= 0).tolist()
            },
        }

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
        return ClassLabels([self.classes[k] for k in used], numbers.astype(np.int64))

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
    ) -> Scores:
        from fiftyone_dfaulo.engine.method import single_label

        ensembles: list[Ensemble] = []
        with stages.stage(SCORING) as report:
            for number, each in enumerate(features):
                part = _part(report, number, len(features))
                ensembles.append(self._fit(each, ensembles, settings, part))
            scores = single_label.score_labels(self.numbers, *ensembles)
        if retrain is None:
            return scores
        again = retrain(scores.suspiciousness)
        with stages.stage(RESCORING) as report:
            ensembles.append(self._fit(again, ensembles, settings, report))
        return single_label.score_labels(self.numbers, *ensembles)

    def _fit(
        self,
        features: Features,
        before: Sequence[Ensemble],
        settings: Settings,
        report: StageReport,
    ) -> Ensemble:
        """Fits the models around one network; content is looked at for the first."""
        from fiftyone_dfaulo.engine.method import ensemble

        return ensemble.fit_ensemble(
            features.embeddings,
            self.numbers,
            logits=features.logits,
            logits_vote=features.logits_vote,
            appearance=None if before else features.appearance,
            foreign=before[0].foreign if before else None,
            points=None if before else features.points,
            settings=settings,
            report=report,
        )


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
            f"{', '.join(self.classes) or 'none'}; expected at least one class that "
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
    ) -> MultiLabelScores:
        """As of :class:`Labels`; by one source, and without full mutants."""
        from fiftyone_dfaulo.engine.method import multi_label

        (only,) = features
        with stages.stage(SCORING) as report:
            return multi_label.score(
                only.embeddings,
                self.given,
                logits=only.logits,
                settings=settings,
                report=report,
            )


def _part(report: StageReport, position: int, count: int) -> StageReport:
    return lambda fraction: report((position + fraction) / count)
