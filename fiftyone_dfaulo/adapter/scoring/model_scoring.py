"""Scores with an original model that is there: a network, a zoo model, predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_dfaulo.adapter.reading.predictions import read_predictions
from fiftyone_dfaulo.adapter.scoring import models
from fiftyone_dfaulo.adapter.scoring.tasks import (
    EMBEDDING,
    PREDICTIONS,
    RESCORING,
    RETRAINING,
    SCORING,
    Task,
    Usable,
    decode,
    usable_samples,
)

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.method.ensemble import Ensemble
    from fiftyone_dfaulo.engine.models.class_matching import Match
    from fiftyone_dfaulo.engine.models.embedder import Embedded, Embedder
    from fiftyone_dfaulo.engine.scores import Scores

NO_OWN_LOSS = (
    "out_of_sample has no effect: the model's logits cannot be used for these classes."
)


def score_model(task: Task) -> tuple[Usable, Scores]:
    """Scores by the heads on a frozen model's embeddings."""
    embedded, match, notes = embed(task)
    usable = usable_samples(task.labelled, embedded.index, embedded.unreadable)
    vectors = embedded.embeddings
    scores = _score(task, usable, vectors, embedded.logits, points=vectors)
    return usable, _with_notes(scores, *notes, match.note)


def embed(task: Task) -> tuple[Embedded, Match, tuple[str, ...]]:
    """What a frozen model says of the images, and notes on what was assumed."""
    with task.stages.stage(EMBEDDING) as report:
        if models.kind_of(task.model) in (models.ZOO, models.FIFTYONE):
            return *_embed_with_fiftyone(task, report), ()
        from fiftyone_dfaulo.engine.models.embedder import embed_images

        embedder, match = _prepare(task)
        embedded = embed_images(
            task.labelled.paths,
            embedder,
            settings=task.settings,
            columns=match.columns,
            report=report,
        )
    return embedded, match, embedder.notes


def score_full(task: Task) -> tuple[Usable, Scores]:
    """:func:`score_model`, and the vote of a copy that is trained on, together."""
    from fiftyone_dfaulo.engine.method import ensemble, single_label
    from fiftyone_dfaulo.engine.models.model_output import check_finite
    from fiftyone_dfaulo.engine.network import finetuning

    embedder, match = _prepare(task)
    finetuning.check_depth(embedder)
    usable, pixels = decode(task, embedder.preprocessing.size)
    with task.stages.stage(EMBEDDING) as report:
        vectors, logits = finetuning.embed_pixels(embedder, pixels, report)
        check_finite(
            embedder.name, {"embeddings": vectors, "logits": logits}, usable.ids
        )
    if logits is not None:
        logits = None if match.columns is None else logits[:, match.columns]
    first = _poll(task, usable, vectors, logits, points=vectors)
    with task.stages.stage(RETRAINING) as report:
        vectors, logits = finetuning.retrain_model(
            embedder,
            pixels,
            usable.labels,
            vectors,
            single_label.score_labels(usable.labels, first).suspiciousness,
            settings=task.settings,
            report=report,
        )
        mutant = f"the full mutant of {embedder.name}"
        check_finite(mutant, {"embeddings": vectors, "logits": logits}, usable.ids)
    with task.stages.stage(RESCORING) as report:
        second = ensemble.fit_ensemble(
            vectors,
            usable.labels,
            logits=logits,
            settings=task.settings,
            report=report,
        )
    scores = single_label.score_labels(usable.labels, first, second)
    notes = (*_own_notes(task, first), *embedder.notes, match.note)
    return usable, _with_notes(scores, *notes)


def score_predictions(task: Task) -> tuple[Usable, Scores]:
    """Scores by the heads on predictions' log-probabilities."""
    assert task.settings.predictions is not None
    with task.stages.stage(PREDICTIONS):
        found = read_predictions(
            task.samples,
            task.settings.predictions,
            task.labelled.ids,
            task.labelled.classes,
            given=task.settings.classes,
        )
    usable = usable_samples(task.labelled, found.index, found.missing)
    columns = found.match.columns
    own = None if columns is None else found.log_probabilities[:, columns]
    # log-probabilities are no points: all that is clearly one class is near together
    scores = _score(task, usable, found.log_probabilities, own, points=None)
    return usable, _with_notes(scores, found.note, found.match.note)


def _prepare(task: Task) -> tuple[Embedder, Match]:
    from fiftyone_dfaulo.engine.models.class_matching import match_classes
    from fiftyone_dfaulo.engine.models.embedder import Embedder

    original = models.load_original(task.model, task.settings)
    embedder = Embedder(original, task.settings)
    match = match_classes(
        embedder.outputs,
        task.labelled.classes,
        given=task.settings.classes,
        stated=original.classes,
    )
    return embedder, match


def _embed_with_fiftyone(task: Task, report: object) -> tuple[Embedded, Match]:
    from fiftyone_dfaulo.adapter.scoring import zoo

    name, model = models.describe(task.model), task.model
    if isinstance(model, str):
        model = zoo.load_zoo(model)
    return zoo.embed_with(
        model,
        repr(name),
        task.labelled.paths,
        task.labelled.classes,
        settings=task.settings,
        report=report,  # type: ignore[arg-type]
    )


def _score(
    task: Task,
    usable: Usable,
    vectors: np.ndarray,
    logits: np.ndarray | None,
    points: np.ndarray | None,
) -> Scores:
    from fiftyone_dfaulo.engine.method import single_label

    polled = _poll(task, usable, vectors, logits, points)
    scores = single_label.score_labels(usable.labels, polled)
    return _with_notes(scores, *_own_notes(task, polled))


def _poll(
    task: Task,
    usable: Usable,
    vectors: np.ndarray,
    logits: np.ndarray | None,
    points: np.ndarray | None,
) -> Ensemble:
    """Polls the heads on embeddings; logits are in the order of all labelled classes.

    The logits count only if their model is said not to have learned these labels.
    """
    from fiftyone_dfaulo.engine.method import ensemble

    own = None
    if logits is not None:
        kept = np.isin(task.labelled.classes, usable.classes)
        own = logits[:, kept]
    with task.stages.stage(SCORING) as report:
        return ensemble.fit_ensemble(
            vectors,
            usable.labels,
            logits=own,
            logits_vote=task.settings.out_of_sample,
            points=points,
            settings=task.settings,
            report=report,
        )


def _own_notes(task: Task, polled: Ensemble) -> tuple[str, ...]:
    useless = task.settings.out_of_sample and polled.original is None
    return (NO_OWN_LOSS,) if useless else ()


def _with_notes(scores: Scores, *notes: str | None) -> Scores:
    return replace(scores, notes=(*filter(None, notes), *scores.notes))
