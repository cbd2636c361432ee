"""How items are scored: ours, from sources of features, or the paper's method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fiftyone_dfaulo.adapter.scoring.features import (
    DECODING,
    FeatureSource,
    Method,
    ScoredItems,
    ScoringContext,
    align,
)
from fiftyone_dfaulo.adapter.scoring.model_sources import TRAINING, train
from fiftyone_dfaulo.adapter.scoring.request import Request, as_sources
from fiftyone_dfaulo.adapter.scoring.sources import pick_sources
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.detector.target import BoxTarget
from fiftyone_dfaulo.adapter.targets.labels import SCORING

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.method.multi_label import MultiLabelScores
    from fiftyone_dfaulo.engine.scores import Scores


def pick_method(request: Request, target: LabelTarget) -> Method:
    """The method that a run is asked for, with what it scores from."""
    settings = request.settings
    if settings.method == "paper":
        return PaperMethod()
    if isinstance(target, BoxTarget):
        from fiftyone_dfaulo.adapter.scoring.box_method import BoxMethod

        return BoxMethod(target, str(settings.predictions))
    vectors = as_sources(request.embeddings)
    sources = pick_sources(vectors, request.original, settings)
    share = target.labels_type.scoring_share
    return FeatureMethod(sources, {} if share is None else {SCORING: share})


class FeatureMethod(Method):
    """``method="dfaulo"``: what one or more sources say, scored together.

    Args:
        sources: what to score from; one alone if a network is trained again.
        shares: shares of the time of stages that take other ones than usual.
    """

    def __init__(
        self, sources: Sequence[FeatureSource], shares: Mapping[str, float]
    ) -> None:
        self._sources = sources
        self.stages = {
            name: shares.get(name, share)
            for source in sources
            for name, share in source.stages.items()
        }
        if len(sources) > 1:  # once all are read
            self.stages[SCORING] = len(sources) * self.stages.pop(SCORING)

    def score(
        self, context: ScoringContext
    ) -> tuple[ScoredItems, Scores | MultiLabelScores]:
        features = [source.read(context) for source in self._sources]
        names = [source.name for source in self._sources]
        features, items = align(context, names, features)
        retrain = None
        if context.settings.depth == "full":
            (source,) = self._sources
            retrain = partial(source.retrain, context, items)
        scores = items.labels.score(
            features, settings=context.settings, stages=context.stages, retrain=retrain
        )
        notes = (note for each in features for note in each.notes)
        return items, replace(scores, notes=(*notes, *scores.notes))


class PaperMethod(Method):
    """``method="paper"``: the paper's, which watches a network while it is trained."""

    stages = {DECODING: 10, TRAINING: 60, SCORING: 40}

    def score(self, context: ScoringContext) -> tuple[ScoredItems, Scores]:
        from fiftyone_dfaulo.engine.paper import method

        items, images, network = train(context)
        with context.stages.stage(SCORING) as report:
            scores = method.score(
                images.pixels,
                items.labels.numbers,
                len(items.labels.classes),
                network=network,
                settings=context.settings,
                report=report,
            )
        return items, scores
