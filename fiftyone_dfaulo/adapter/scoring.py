"""Hands what was read to the engine, in one of four ways, and takes back scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fiftyone_dfaulo.adapter.places import Place
from fiftyone_dfaulo.adapter.reading import Labelled, read_embeddings
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.progress import Stages
from fiftyone_dfaulo.errors import InputError

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.result import Scores

VECTORS = "Reading embeddings"
DECODING = "Decoding images"
TRAINING = "Training the network"
EMBEDDING = "Embedding images"
SCORING = "Scoring with mutants"


@dataclass(frozen=True)
class Task:
    """What every way to score takes."""

    samples: Any
    place: Place
    labelled: Labelled
    embeddings: Any
    settings: Settings
    stages: Stages


@dataclass(frozen=True)
class Usable:
    """The labelled items that could be read, with classes that all occur."""

    ids: list[str]
    labels: np.ndarray
    classes: list[str]
    unlabeled: list[str]
    unreadable: dict[str, str]


Route = Callable[[Task], "tuple[Usable, Scores]"]


def pick_route(embeddings: Any, settings: Settings) -> tuple[Route, dict[str, float]]:
    """The way to score, and its stages with their expected shares of the time."""
    if embeddings is not None:
        return _score_embeddings, {VECTORS: 10, SCORING: 60}
    if settings.model is not None:
        return _score_pretrained, {EMBEDDING: 80, SCORING: 15}
    if settings.method == "paper":
        return _score_paper, {DECODING: 10, TRAINING: 60, SCORING: 40}
    return _score_trained, {DECODING: 10, TRAINING: 60, EMBEDDING: 15, SCORING: 10}


def _score_embeddings(task: Task) -> tuple[Usable, Scores]:
    from fiftyone_dfaulo.engine import dfaulo

    with task.stages.stage(VECTORS):
        vectors, index, missing = read_embeddings(
            task.samples, task.embeddings, task.labelled.ids, task.place
        )
    usable = _usable(task.labelled, index, missing)
    with task.stages.stage(SCORING) as report:
        scores = dfaulo.score(
            vectors,
            usable.labels,
            settings=task.settings,
            report=report,
        )
    return usable, scores


def _score_pretrained(task: Task) -> tuple[Usable, Scores]:
    from fiftyone_dfaulo.engine import backbone, dfaulo

    settings = task.settings
    assert settings.model is not None
    with task.stages.stage(EMBEDDING) as report:
        embedded = backbone.embed_images(
            task.labelled.paths, settings.model, settings=settings, report=report
        )
    usable = _usable(task.labelled, embedded.index, embedded.unreadable)
    with task.stages.stage(SCORING) as report:
        scores = dfaulo.score(
            embedded.embeddings,
            usable.labels,
            settings=settings,
            report=report,
        )
    return usable, scores


def _score_trained(task: Task) -> tuple[Usable, Scores]:
    from fiftyone_dfaulo.engine import dfaulo

    usable, pixels, network = _train(task)
    with task.stages.stage(EMBEDDING) as report:
        size = task.settings.batch_size
        vectors, logits = network.outputs(
            pixels, views=True, batch_size=size, report=report
        )
        appearance = network.appearance(pixels, batch_size=size)
    with task.stages.stage(SCORING) as report:
        scores = dfaulo.score(
            vectors,
            usable.labels,
            logits=logits,
            appearance=appearance,
            settings=task.settings,
            report=report,
        )
    return usable, scores


def _score_paper(task: Task) -> tuple[Usable, Scores]:
    from fiftyone_dfaulo.engine import paper

    usable, pixels, network = _train(task)
    with task.stages.stage(SCORING) as report:
        scores = paper.score(
            pixels,
            usable.labels,
            len(usable.classes),
            network=network,
            settings=task.settings,
            report=report,
        )
    return usable, scores


def _train(task: Task) -> tuple[Usable, np.ndarray, Any]:
    from fiftyone_dfaulo.engine import images, training

    settings = task.settings
    with task.stages.stage(DECODING) as report:
        decoded = images.decode_images(
            task.labelled.paths,
            size=settings.image_size,
            workers=settings.workers,
            memory_budget=settings.memory_budget,
            report=report,
        )
    usable = _usable(task.labelled, decoded.index, decoded.unreadable)
    with task.stages.stage(TRAINING) as report:
        network = training.train_network(
            decoded.pixels,
            usable.labels,
            len(usable.classes),
            settings=settings,
            report=report,
        )
    return usable, decoded.pixels, network


def _usable(
    labelled: Labelled, index: np.ndarray, unreadable: Mapping[int, str]
) -> Usable:
    """Narrows the items down to those that could be read.

    Args:
        labelled: all labelled items.
        index: positions of those that could be read.
        unreadable: position to reason of the others.

    Raises:
        InputError: if fewer than two classes are left.
    """
    used, labels = np.unique(labelled.labels[index], return_inverse=True)
    reasons = {labelled.ids[n]: reason for n, reason in unreadable.items()}
    if len(used) < 2:
        example = next(iter(reasons.items()), ("", ""))
        raise InputError(
            f"{len(reasons)} of {len(labelled.ids)} labelled images could not be read "
            f"and {len(used)} of {len(labelled.classes)} classes are left; expected at "
            "least two. The first that could not be read is "
            f"{example[0]}: {example[1]}"
        )
    return Usable(
        ids=[labelled.ids[n] for n in index],
        labels=labels.astype(np.int64),
        classes=[labelled.classes[n] for n in used],
        unlabeled=labelled.unlabeled,
        unreadable={**labelled.unreadable, **reasons},
    )
