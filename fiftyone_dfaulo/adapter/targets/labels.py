"""The given labels of N items: what all kinds have in common.

What the kinds differ in while they are scored is here: what is left if some items
cannot be read, what a network is trained on, whether a model's logits can serve, and
how they are scored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

import numpy as np

from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor
from fiftyone_dfaulo.engine.images.decoding import Source

if TYPE_CHECKING:
    from fiftyone_dfaulo.config import Settings
    from fiftyone_dfaulo.engine.features import Features
    from fiftyone_dfaulo.engine.method.multi_label import MultiLabelScores
    from fiftyone_dfaulo.engine.models.class_matching import Match
    from fiftyone_dfaulo.engine.progress import Stages
    from fiftyone_dfaulo.engine.scores import Scores

SCORING = "Scoring with mutants"
RESCORING = "Scoring with full mutants"
"""The stages of a run that labels are scored in, as its progress calls them."""

Retrain = Callable[[np.ndarray], "Features"]
"""From suspiciousness (N,) to the features of the same N items by a network that is
trained without the most suspicious."""

SomeLabels = TypeVar("SomeLabels", bound="Labels")

Values: TypeAlias = Iterator[list[tuple[int, Any]]]
"""In batches: positions in some ids, each with what was read for it."""


@dataclass(frozen=True)
class Rows:
    """What a dataset or view holds in a label field.

    Attributes:
        rows: id of each item, once, with its image, or part of one, and its class, or
            classes; None if it has no label. In the order of their samples' ids, then
            their own.
        unreadable: id of each item that shows nothing in its image, to the reason.
    """

    rows: Sequence[tuple[str, Source, Any]]
    unreadable: Mapping[str, str]


@dataclass(frozen=True)
class Labels(ABC):
    """The labels of N items.

    Attributes:
        classes: names of the K classes, sorted.
        numbers: int64 (N,), from 0 on: equal for items with equal labels.
        checks_content: whether foreign content and near duplicates are looked for.
        several_sources: whether several sources can be judged together.
    """

    classes: list[str]
    numbers: np.ndarray

    checks_content: ClassVar[bool]
    several_sources: ClassVar[bool] = False
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

    @abstractmethod
    def suggested(self, scores: Any) -> np.ndarray:
        """Int64 (N,), the :attr:`numbers` of the labels that are suggested.

        -1 for labels that no item has.

        Args:
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
        work: Work = UNKEPT,
        executor: Executor = HERE,
    ) -> Scores | MultiLabelScores:
        """Scores the items.

        Args:
            features: what one or more sources say of some of these N items; each item
                is among those of one source at least.
            settings: only the seed is used.
            stages: the stages of the run; scoring reports to its own.
            retrain: gives features of full mutants; None scores without any.
            work: keeps the heads.
            executor: fits them.
        """
