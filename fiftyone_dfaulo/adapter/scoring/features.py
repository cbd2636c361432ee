"""What a run scores, and what it scores from: the context, and sources of features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading.labels import Labelled
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.labels import Labels
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor
from fiftyone_dfaulo.engine.features import Features
from fiftyone_dfaulo.engine.progress import Stages
from fiftyone_dfaulo.errors import InputError

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.images.batches import Images
    from fiftyone_dfaulo.engine.method.multi_label import MultiLabelScores
    from fiftyone_dfaulo.engine.scores import Scores

DECODING = "Decoding images"


@dataclass(frozen=True)
class ScoredItems:
    """The labelled items that could be read, and why the others are not among them.

    Attributes:
        ids: ids of the M items.
        labels: their labels, with classes that all occur.
        unlabeled: ids of the items without a label.
        unreadable: id to reason of the items that could not be read.
        neighbours: int32 (S, 31) of the S most suspicious, as of
            :func:`.find_neighbours`; None where none were looked for.
        too_many: whether a suggestion is that an item should not be there.
    """

    ids: list[str]
    labels: Labels
    unlabeled: list[str]
    unreadable: dict[str, str]
    neighbours: np.ndarray | None = None
    too_many: bool = False


@dataclass(frozen=True)
class ScoringContext:
    """What every way to score takes.

    Attributes:
        samples: the dataset or view.
        target: its labels, and how they are read.
        labelled: all N labelled items.
        settings: how to score.
        stages: the stages of the run.
        work: where it keeps its work.
        executor: who decodes, embeds and fits.
    """

    samples: Samples
    target: LabelTarget
    labelled: Labelled
    settings: Settings
    stages: Stages
    work: Work = UNKEPT
    executor: Executor = HERE

    def keep(self, index: np.ndarray, unreadable: Mapping[int, str]) -> ScoredItems:
        """Narrows the items down to those that could be read.

        Args:
            index: positions of those that could be read.
            unreadable: position to reason of the others.

        Raises:
            InputError: if too little is left to compare one label with another.
        """
        every = self.labelled
        labels = every.labels.take(index)
        reasons = {every.ids[n]: reason for n, reason in unreadable.items()}
        if not labels.comparable:
            first, reason = next(iter(reasons.items()), ("", ""))
            raise InputError(
                f"{len(reasons)} of {len(every.ids)} labelled images could not be read"
                f"{every.labels.shortage(labels)}. The first that could not be read is "
                f"{first}: {reason}"
            )
        return ScoredItems(
            ids=[every.ids[n] for n in index],
            labels=labels,
            unlabeled=every.unlabeled,
            unreadable={**every.unreadable, **reasons},
        )

    def decode(self, size: int | None) -> tuple[ScoredItems, Images]:
        """The items that could be read, and their images.

        Args:
            size: side in pixels; None picks it from the images.

        Raises:
            InputError: as :meth:`keep`.
        """
        from fiftyone_dfaulo.engine.images import batches

        with self.stages.stage(DECODING) as report:
            images = batches.decode_images(
                self.labelled.paths,
                size=size,
                workers=self.settings.workers,
                memory_budget=self.settings.memory_budget,
                executor=self.executor,
                report=report,
            )
        return self.keep(images.index, images.unreadable), images


class Method(ABC):
    """A way to score.

    Attributes:
        stages: its stages, by name, in their order, to expected shares of the time.
    """

    stages: Mapping[str, float]

    @abstractmethod
    def score(
        self, context: ScoringContext
    ) -> tuple[ScoredItems, Scores | MultiLabelScores]:
        """Scores the items that can be read.

        Raises:
            InputError: if a source cannot be used, or too few items can be read.
            WeightsError: if pretrained weights are not to be had.
        """


class FeatureSource(ABC):
    """Something that labels can be scored from. Each is read once, in one run.

    Attributes:
        name: what it is called in messages.
        stages: the stages of a run with this source alone, by name, in their order, to
            their expected shares of the time; any positive numbers.
    """

    name: str
    stages: Mapping[str, float]

    @abstractmethod
    def read(self, context: ScoringContext) -> Features:
        """What the source says of the labelled items.

        Raises:
            InputError: if it cannot be used, or too few items can be read.
            WeightsError: if pretrained weights are not to be had.
        """

    def retrain(
        self, context: ScoringContext, items: ScoredItems, suspiciousness: np.ndarray
    ) -> Features:
        """What its network says once it is trained without the most suspicious.

        Only for sources with a network that can be trained, and after :meth:`read`.

        Args:
            context: as there.
            items: the M items that could be read.
            suspiciousness: float64 (M,), by what was read.
        """
        raise NotImplementedError(f"{type(self).__name__} has no network to train")


def align(
    context: ScoringContext, names: Sequence[str], features: Sequence[Features]
) -> tuple[list[Features], ScoredItems]:
    """The items that one source at least could read, and features with these numbers.

    Args:
        context: what is scored.
        names: of the sources, for messages.
        features: what each says.

    Returns:
        the features, with positions among the items for an index, and a note where one
        source lacks some of them; and the items.

    Raises:
        InputError: as :meth:`ScoringContext.keep`; if a source could read none, or one
            class alone, of what others could.
    """
    index = reduce(np.union1d, [each.index for each in features])
    read = {*index.tolist()}
    reasons: dict[int, str] = {}
    for each in features:
        reasons = {**each.unreadable, **reasons}
    unreadable = {n: reason for n, reason in reasons.items() if n not in read}
    items = context.keep(index, unreadable)
    aligned = []
    for name, each in zip(names, features, strict=True):
        rows = np.searchsorted(index, each.index)
        if not items.labels.take(rows).comparable:
            raise InputError(
                f"{name} has {len(rows)} of the {len(index)} {context.target.noun}s "
                "that other sources have, too few to compare; leave it out"
            )
        notes = each.notes
        if lacking := len(index) - len(rows):
            first = reasons[int(np.setdiff1d(index, each.index)[0])]
            notes = (
                *notes,
                f"{name} lacks some {context.target.noun}s, which the other sources "
                f"judge: {lacking} (the first: {first}).",
            )
        aligned.append(replace(each, index=rows, notes=notes))
    return aligned, items
