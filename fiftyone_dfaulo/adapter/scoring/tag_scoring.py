"""Scores tags: hands what was read to the engine, in one of three ways.

As :mod:`.scoring` does where each item has one class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fiftyone_dfaulo.adapter.reading.embeddings import read_embeddings
from fiftyone_dfaulo.adapter.runs.multilabel_results import TagResults
from fiftyone_dfaulo.adapter.scoring import model_scoring
from fiftyone_dfaulo.adapter.scoring.tasks import (
    DECODING,
    EMBEDDING,
    SCORING,
    TRAINING,
    VECTORS,
    Task,
    Usable,
)
from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.adapter.targets.multilabel import number_sets, tell_apart
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.errors import InputError

if TYPE_CHECKING:
    from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
    from fiftyone_dfaulo.engine.method.multi_label import MultiLabelScores

Route = Callable[[Task], "tuple[Usable, MultiLabelScores]"]

NOT_OF_TAGS = ("method", "depth", "predictions", "classes", "out_of_sample")
"""Settings that have to be the usual ones where samples have several tags."""


def check_tag_settings(place: Place, settings: Settings) -> None:
    """Makes sure that tags can be scored so; nothing is checked without tags.

    Raises:
        InputError: if a setting is for labels of one class each.
    """
    usual = Settings()
    for name in NOT_OF_TAGS if place.tags_path else ():
        value = getattr(settings, name)
        if value != getattr(usual, name):
            raise InputError(
                f"{name}={value!r} is for samples of one class each, and "
                f"{place.label_field!r} holds several tags a sample; leave {name} out"
            )


def pick_tag_route(
    embeddings: Any, settings: Settings
) -> tuple[Route, dict[str, float]]:
    """The way to score tags, and its stages with their expected shares of the time."""
    if embeddings is not None:
        return _score_embeddings, {VECTORS: 10, SCORING: 60}
    if settings.model is not None:
        return _score_model, {EMBEDDING: 80, SCORING: 60}
    return _score_trained, {DECODING: 10, TRAINING: 60, EMBEDDING: 15, SCORING: 60}


def _score_embeddings(task: Task) -> tuple[Usable, MultiLabelScores]:
    with task.stages.stage(VECTORS):
        vectors, index, missing = read_embeddings(
            task.samples, task.embeddings, task.labelled.ids, task.place
        )
    usable, given = usable_tags(task, index, missing)
    return usable, _score(task, vectors, given)


def _score_model(task: Task) -> tuple[Usable, MultiLabelScores]:
    embedded, _, notes = model_scoring.embed(task)
    usable, given = usable_tags(task, embedded.index, embedded.unreadable)
    scores = _score(task, embedded.embeddings, given)
    return usable, replace(scores, notes=(*notes, *scores.notes))


def _score_trained(task: Task) -> tuple[Usable, MultiLabelScores]:
    from fiftyone_dfaulo.engine.images import batches
    from fiftyone_dfaulo.engine.network import training

    settings = task.settings
    with task.stages.stage(DECODING) as report:
        decoded = batches.decode_images(
            task.labelled.paths,
            size=settings.image_size,
            workers=settings.workers,
            memory_budget=settings.memory_budget,
            report=report,
        )
    usable, given = usable_tags(task, decoded.index, decoded.unreadable)
    with task.stages.stage(TRAINING) as report:
        network = training.train_network(
            decoded.pixels, given, given.shape[1], settings=settings, report=report
        )
    with task.stages.stage(EMBEDDING) as report:
        vectors, _ = network.outputs(
            decoded.pixels, views=True, batch_size=settings.batch_size, report=report
        )
    return usable, _score(task, vectors, given, network.learning)


def _score(
    task: Task, vectors: np.ndarray, given: np.ndarray, logits: np.ndarray | None = None
) -> MultiLabelScores:
    from fiftyone_dfaulo.engine.method import multi_label

    with task.stages.stage(SCORING) as report:
        return multi_label.score(
            vectors, given, logits=logits, settings=task.settings, report=report
        )


def usable_tags(
    task: Task, index: np.ndarray, unreadable: Mapping[int, str]
) -> tuple[Usable, np.ndarray]:
    """Narrows the samples down to those that could be read; their tags, bool (N, K).

    Args:
        task: all samples that are labelled.
        index: positions of those that could be read.
        unreadable: position to reason of the others.

    Raises:
        InputError: if no tag is left that some samples have and others do not.
    """
    labelled = task.labelled
    assert labelled.given is not None
    given = labelled.given[index]
    reasons = {labelled.ids[n]: reason for n, reason in unreadable.items()}
    if not tell_apart(given):
        example = next(iter(reasons.items()), ("", ""))
        raise InputError(
            f"{len(reasons)} of {len(labelled.ids)} labelled images could not be read, "
            "and no tag is left that some samples have and others do not. The first "
            f"that could not be read is {example[0]}: {example[1]}"
        )
    occurs = given.any(0)
    given = given[:, occurs]
    usable = Usable(
        ids=[labelled.ids[n] for n in index],
        labels=number_sets(given),
        classes=[labelled.classes[k] for k in np.flatnonzero(occurs)],
        unlabeled=labelled.unlabeled,
        unreadable=reasons,
    )
    return usable, given


def make_tag_results(
    samples: Any,
    config: DFauLoConfig,
    key: str,
    usable: Usable,
    scores: MultiLabelScores,
) -> TagResults:
    """The results to write."""
    from fiftyone_dfaulo.engine.method.multi_label import REASONS

    return TagResults(
        samples,
        config,
        key,
        given=scores.given,
        hard=scores.hard,
        confidence=scores.suspiciousness.astype(np.float32),
        reason_names=REASONS,
        signals=scores.class_suspiciousness,
        signal_names=usable.classes,
        **usable.scored(scores),
    )
