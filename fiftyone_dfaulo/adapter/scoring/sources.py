"""What labels can be scored from: which source a run takes, and those that are data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from fiftyone_dfaulo.adapter.reading.embeddings import read_embeddings
from fiftyone_dfaulo.adapter.reading.predictions import read_predictions
from fiftyone_dfaulo.adapter.scoring.features import FeatureSource, ScoringContext
from fiftyone_dfaulo.adapter.scoring.model_sources import (
    FrozenModel,
    RetrainedModel,
    TrainedNetwork,
    logit_notes,
)
from fiftyone_dfaulo.adapter.scoring.models import Model
from fiftyone_dfaulo.adapter.targets.labels import SCORING
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.features import Features

VECTORS = "Reading embeddings"
PREDICTIONS = "Reading predictions"


def pick_sources(
    embeddings: Sequence[Any], model: Model | None, settings: Settings
) -> list[FeatureSource]:
    """What a run scores from: all that is given, or a network trained here.

    Args:
        embeddings: where to take embeddings from.
        model: the original model, if there is one.
        settings: ``predictions``, ``train`` and ``depth`` are looked at.
    """
    full = settings.depth == "full"
    sources: list[FeatureSource] = []
    if model is not None:
        sources.append(RetrainedModel(model) if full else FrozenModel(model))
    if settings.predictions is not None:
        sources.append(Predictions(settings.predictions))
    sources += map(ExistingEmbeddings, embeddings)
    if settings.train or not sources:
        sources.append(TrainedNetwork(full=full))
    return sources


class ExistingEmbeddings(FeatureSource):
    """Embeddings in a field, of a brain run, or an array."""

    stages = {VECTORS: 10, SCORING: 60}

    def __init__(self, embeddings: ArrayLike) -> None:
        self._embeddings = embeddings
        named = isinstance(embeddings, str)
        self.name = f"embeddings {embeddings!r}" if named else "the array of embeddings"

    def read(self, context: ScoringContext) -> Features:
        with context.stages.stage(VECTORS):
            vectors, index, missing = read_embeddings(
                context.samples,
                self._embeddings,
                context.labelled.ids,
                context.target,
            )
        return Features(vectors, index, missing, points=vectors)


class Predictions(FeatureSource):
    """The predictions in a field; their log-probabilities serve as embeddings."""

    stages = {PREDICTIONS: 10, SCORING: 60}

    def __init__(self, field: str) -> None:
        self._field = field
        self.name = f"predictions {field!r}"

    def read(self, context: ScoringContext) -> Features:
        settings, labels = context.settings, context.labelled.labels
        with context.stages.stage(PREDICTIONS):
            found = read_predictions(
                context.samples,
                self._field,
                context.labelled.ids,
                labels.classes,
                given=settings.classes,
            )
        columns, logs = found.match.columns, found.log_probabilities
        own = None
        if columns is not None:
            own = logs[:, columns[labels.occurring(found.index)]]
        # no points: the log-probabilities of all that is clearly one class are close
        return Features(
            logs,
            found.index,
            found.missing,
            logits=own,
            logits_vote=settings.out_of_sample,
            notes=logit_notes(found.match, settings, found.note),
        )
