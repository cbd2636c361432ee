"""Hands what was read to the engine, in one of several ways, and takes back scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fiftyone_dfaulo.adapter.reading.embeddings import read_embeddings
from fiftyone_dfaulo.adapter.scoring import model_scoring
from fiftyone_dfaulo.adapter.scoring.tasks import (
    DECODING,
    EMBEDDING,
    PREDICTIONS,
    RESCORING,
    RETRAINING,
    SCORING,
    TRAINING,
    VECTORS,
    Task,
    Usable,
    decode,
    usable_samples,
)
from fiftyone_dfaulo.config import Settings

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.method.ensemble import Ensemble
    from fiftyone_dfaulo.engine.scores import Scores

Route = Callable[[Task], "tuple[Usable, Scores]"]


def pick_route(embeddings: Any, settings: Settings) -> tuple[Route, dict[str, float]]:
    """The way to score, and its stages with their expected shares of the time."""
    if embeddings is not None:
        return _score_embeddings, {VECTORS: 10, SCORING: 60}
    if settings.predictions is not None:
        return model_scoring.score_predictions, {PREDICTIONS: 10, SCORING: 60}
    full = {RETRAINING: 100, RESCORING: 15} if settings.depth == "full" else {}
    if settings.model is not None and full:
        return model_scoring.score_full, {
            DECODING: 10,
            EMBEDDING: 20,
            SCORING: 15,
            **full,
        }
    if settings.model is not None:
        return model_scoring.score_model, {EMBEDDING: 80, SCORING: 15}
    if settings.method == "paper":
        return _score_paper, {DECODING: 10, TRAINING: 60, SCORING: 40}
    trained = {DECODING: 10, TRAINING: 60, EMBEDDING: 15, SCORING: 10}
    return _score_trained, {**trained, **full}


def _score_embeddings(task: Task) -> tuple[Usable, Scores]:
    from fiftyone_dfaulo.engine.method import single_label

    with task.stages.stage(VECTORS):
        vectors, index, missing = read_embeddings(
            task.samples, task.embeddings, task.labelled.ids, task.place
        )
    usable = usable_samples(task.labelled, index, missing)
    with task.stages.stage(SCORING) as report:
        scores = single_label.score(
            vectors,
            usable.labels,
            points=vectors,
            settings=task.settings,
            report=report,
        )
    return usable, scores


def _score_trained(task: Task) -> tuple[Usable, Scores]:
    from fiftyone_dfaulo.engine.method import ensemble, near_duplicates, single_label

    usable, pixels, network = _train(task)
    with task.stages.stage(EMBEDDING) as report:
        size = task.settings.batch_size
        vectors, _ = network.outputs(pixels, views=True, batch_size=size, report=report)
        appearance = network.appearance(pixels, batch_size=size)
    with task.stages.stage(SCORING) as report:
        first = ensemble.fit_ensemble(
            vectors,
            usable.labels,
            logits=network.learning,
            appearance=appearance,
            points=near_duplicates.thumbnails(pixels),
            settings=task.settings,
            report=report,
        )
        scores = single_label.score_labels(usable.labels, first)
    if task.settings.depth == "full":
        second = _poll_retrained(task, usable, pixels, scores, first.foreign)
        scores = single_label.score_labels(usable.labels, first, second)
    return usable, scores


def _poll_retrained(
    task: Task, usable: Usable, pixels: np.ndarray, scores: Scores, foreign: np.ndarray
) -> Ensemble:
    """What models around a network say that was trained without the most suspicious."""
    from fiftyone_dfaulo.engine.method import ensemble
    from fiftyone_dfaulo.engine.network import finetuning

    with task.stages.stage(RETRAINING) as report:
        vectors, logits = finetuning.retrain_network(
            pixels,
            usable.labels,
            scores.suspiciousness,
            settings=task.settings,
            report=report,
        )
    with task.stages.stage(RESCORING) as report:
        return ensemble.fit_ensemble(
            vectors,
            usable.labels,
            logits=logits,
            foreign=foreign,
            settings=task.settings,
            report=report,
        )


def _score_paper(task: Task) -> tuple[Usable, Scores]:
    from fiftyone_dfaulo.engine.paper import method

    usable, pixels, network = _train(task)
    with task.stages.stage(SCORING) as report:
        scores = method.score(
            pixels,
            usable.labels,
            len(usable.classes),
            network=network,
            settings=task.settings,
            report=report,
        )
    return usable, scores


def _train(task: Task) -> tuple[Usable, np.ndarray, Any]:
    from fiftyone_dfaulo.engine.network import training

    settings = task.settings
    usable, pixels = decode(task, settings.image_size)
    with task.stages.stage(TRAINING) as report:
        network = training.train_network(
            pixels,
            usable.labels,
            len(usable.classes),
            settings=settings,
            report=report,
        )
    return usable, pixels, network
