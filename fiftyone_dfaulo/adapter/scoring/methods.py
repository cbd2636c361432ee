"""How items are scored: ours, from sources of features, or the paper's method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fiftyone_dfaulo.adapter.scoring.auto import BACKBONE, find_embeddings, is_quick
from fiftyone_dfaulo.adapter.scoring.features import (
    DECODING,
    FeatureSource,
    Method,
    ScoredItems,
    ScoringContext,
    align,
)
from fiftyone_dfaulo.adapter.scoring.model_sources import (
    TRAINING,
    FrozenModel,
    TrainedNetwork,
    train,
)
from fiftyone_dfaulo.adapter.scoring.request import (
    AUTO,
    MADE_HERE,
    Request,
    as_sources,
    is_auto,
)
from fiftyone_dfaulo.adapter.scoring.sources import ExistingEmbeddings, pick_sources
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.detector.target import BoxTarget
from fiftyone_dfaulo.adapter.targets.labels import SCORING
from fiftyone_dfaulo.adapter.targets.object import ObjectTarget
from fiftyone_dfaulo.errors import InputError, WeightsError

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.features import Features
    from fiftyone_dfaulo.engine.method.multi_label import MultiLabelScores
    from fiftyone_dfaulo.engine.scores import Scores


def pick_method(request: Request, target: LabelTarget) -> Method:
    """The method that a run is asked for, with what it scores from."""
    settings = request.settings
    if settings.method == "paper":
        return PaperMethod()
    if isinstance(target, BoxTarget):
        return _pick_box_method(request, target)
    share = target.labels_type.scoring_share
    shares = {} if share is None else {SCORING: share}
    method: Method
    if is_auto(request.embeddings):
        method = AutoMethod(find_embeddings(request.samples, target), shares)
    else:
        vectors = as_sources(request.embeddings)
        sources = pick_sources(vectors, request.original, settings)
        method = FeatureMethod(sources, shares)
    if isinstance(target, ObjectTarget) and target.list_name == "detections":
        from fiftyone_dfaulo.adapter.scoring.boxes.twice import CountedTwice

        return CountedTwice(target, method)
    return method


def _pick_box_method(request: Request, target: BoxTarget) -> Method:
    predictions = str(request.settings.predictions)
    if predictions not in MADE_HERE:
        from fiftyone_dfaulo.adapter.scoring.boxes.method import BoxMethod

        return BoxMethod(target, predictions)
    from fiftyone_dfaulo.adapter.scoring.boxes.trained import DetectorMethod

    network = TrainedNetwork(full=False)
    classes: Method
    if is_auto(request.embeddings):
        names = find_embeddings(request.samples, target.objects)
        classes = AutoMethod(names, {}, network)
    else:
        vectors = map(ExistingEmbeddings, as_sources(request.embeddings))
        classes = FeatureMethod([*vectors, network], {})
    return DetectorMethod(target, classes, network, detects=predictions == AUTO)


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
        from fiftyone_dfaulo.engine.neighbours import find_neighbours

        read, notes = self.read(context)
        features, items = align(context, [*read], [*read.values()])
        retrain = None
        if context.settings.depth == "full":
            (source,) = self._sources
            retrain = partial(source.retrain, context, items)
        scores = items.labels.score(
            features,
            settings=context.settings,
            stages=context.stages,
            retrain=retrain,
            work=context.work,
            executor=context.executor,
        )
        found = find_neighbours(
            features,
            items.labels.numbers,
            items.labels.suggested(scores),
            scores.suspiciousness,
            context.executor,
        )
        items = replace(items, neighbours=found)
        told = (note for each in features for note in each.notes)
        return items, replace(scores, notes=(*notes, *told, *scores.notes))

    def read(self, context: ScoringContext) -> tuple[dict[str, Features], list[str]]:
        """Names of sources to what they say, and notes on which were used."""
        return {source.name: source.read(context) for source in self._sources}, []


class AutoMethod(FeatureMethod):
    """Embeddings that are there, and a network trained here where that is quick.

    Args:
        embeddings: names of the fields and brain runs; with none, a pretrained network
            makes some.
        shares: as of :class:`FeatureMethod`.
        network: the network, if it is needed however long it takes.
    """

    def __init__(
        self,
        embeddings: Sequence[str],
        shares: Mapping[str, float],
        network: TrainedNetwork | None = None,
    ) -> None:
        existing = [ExistingEmbeddings(name) for name in embeddings]
        self._existing: Sequence[FeatureSource] = existing or [
            FrozenModel(BACKBONE, logits=False)
        ]
        self._needed = network is not None
        self._network = network or TrainedNetwork(full=False)
        super().__init__([*self._existing, self._network], shares)

    def read(self, context: ScoringContext) -> tuple[dict[str, Features], list[str]]:
        read: dict[str, Features] = {}
        notes: list[str] = []
        for source in self._existing:
            try:
                read[source.name] = source.read(context)
            except (InputError, WeightsError) as error:
                notes.append(f"{source.name} was left out: {error}.")
        if not read or self._needed or is_quick(context):
            read[self._network.name] = self._network.read(context)
        else:
            notes.append(
                "No network was trained here as well, which would take long; pass the "
                "embeddings, or the model, and train=True for one."
            )
        return read, [f"Scored from {' and '.join(read)}.", *notes]


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
                work=context.work,
                report=report,
            )
        return items, scores
