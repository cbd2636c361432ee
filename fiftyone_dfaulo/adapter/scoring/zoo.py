"""Runs FiftyOne's own models, of the zoo or passed in, over images."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

import fiftyone.core.utils as fou
import numpy as np

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.images.batches import iter_batches, median_side
from fiftyone_dfaulo.engine.images.decoding import Source
from fiftyone_dfaulo.engine.models.class_matching import Match, match_classes
from fiftyone_dfaulo.engine.models.embedder import Embedded
from fiftyone_dfaulo.engine.models.model_output import check_finite
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.signals import log_softmax
from fiftyone_dfaulo.errors import InputError, WeightsError, one_line

_MOST = 512  # pixels of an image's side that a model gets, before its own transform


def load_zoo(name: str) -> Any:
    """A zoo model, downloaded if need be.

    Raises:
        WeightsError: if it cannot be loaded.
    """
    import fiftyone.zoo as foz

    try:
        return foz.load_zoo_model(name)
    except Exception as error:  # requirements, downloads and files fail in many ways
        raise WeightsError(
            f"zoo model {name!r} cannot be loaded ({one_line(error)}); load it once by "
            f"fiftyone.zoo.load_zoo_model({name!r}), or use another model"
        ) from error


def embed_with(
    model: Any,
    name: str,
    paths: Sequence[Source],
    classes: Sequence[str],
    *,
    settings: Settings,
    report: StageReport = silent_stage,
) -> tuple[Embedded, Match]:
    """Embeddings of image files by a FiftyOne model, and its logits where they fit.

    Images are squashed to squares of their usual size, at most 512 pixels, or of
    ``settings.preprocessing``'s; the model's own transform does the rest.

    Args:
        model: a :class:`fiftyone.core.models.Model`.
        name: how a message calls it.
        paths: N image files.
        classes: the K classes of the dataset.
        settings: batch size, workers, classes and preprocessing are used.
        report: told the fraction done, once per batch.

    Raises:
        InputError: if the model has neither embeddings nor logits, is not for images,
            fails, or gives something else than finite numbers.
    """
    if model.media_type != "image" or not (model.has_embeddings or model.has_logits):
        raise InputError(
            f"model={name} is a model of media type {model.media_type!r} with "
            "neither embeddings nor logits; expected an image model with one of them"
        )
    match = _match(model, classes, settings)
    chosen = settings.preprocessing
    size = chosen.size if chosen else int(min(median_side(paths) or 224, _MOST))
    rows: list[np.ndarray] = []
    logits: list[np.ndarray] = []
    index: list[np.ndarray] = []
    unreadable: dict[int, str] = {}
    batches = iter_batches(
        paths, size=size, batch_size=settings.batch_size, workers=settings.workers
    )
    with ExitStack() as context:
        context.enter_context(closing(batches))
        if model.has_logits:
            context.enter_context(fou.SetAttributes(model, store_logits=True))
        context.enter_context(model)
        for number, batch in enumerate(batches, start=1):
            if len(batch.index):
                files = [paths[n] for n in batch.index]
                vectors, scores = _outputs(model, name, batch.pixels, match)
                check_finite(name, {"embeddings": vectors, "logits": scores}, files)
                rows.append(vectors)
                index.append(batch.index)
                if scores is not None:
                    logits.append(scores)
            unreadable.update(batch.unreadable)
            report(min(number * settings.batch_size / len(paths), 1.0))
    return _stack(rows, logits, index, unreadable), match


def _match(model: Any, classes: Sequence[str], settings: Settings) -> Match:
    stated = getattr(model, "classes", None) if model.has_logits else None
    if stated is None:
        return (
            match_classes(0, classes)
            if settings.classes is None
            else match_classes(len(settings.classes), classes, given=settings.classes)
        )
    return match_classes(len(stated), classes, given=settings.classes, stated=stated)


def _outputs(
    model: Any, name: str, pixels: np.ndarray, match: Match
) -> tuple[np.ndarray, np.ndarray | None]:
    """Embeddings (B, D), and logits (B, K) in the order of the dataset's classes."""
    try:
        images = list(pixels)
        vectors = model.embed_all(images) if model.has_embeddings else None
        if vectors is not None and match.columns is None:
            return _flat(vectors, len(pixels)), None
        found = [prediction.logits for prediction in model.predict_all(images)]
        logits = np.asarray(np.stack(found), np.float32)
    except Exception as error:  # it is somebody's model
        raise InputError(
            f"model={name} failed on images of {pixels.shape[1]} x {pixels.shape[2]} "
            f"pixels ({type(error).__name__}: {one_line(error)}); pass preprocessing="
            "Preprocessing(size=...) if it needs others"
        ) from error
    if vectors is None:
        vectors = log_softmax(logits)
    columns = match.columns
    return _flat(vectors, len(pixels)), None if columns is None else logits[:, columns]


def _flat(vectors: Any, count: int) -> np.ndarray:
    return np.asarray(vectors, np.float32).reshape(count, -1)


def _stack(
    rows: list[np.ndarray],
    logits: list[np.ndarray],
    index: list[np.ndarray],
    unreadable: dict[int, str],
) -> Embedded:
    if not rows:
        return Embedded(np.empty((0, 0), np.float32), np.empty(0, np.int64), unreadable)
    return Embedded(
        np.concatenate(rows),
        np.concatenate(index),
        unreadable,
        np.concatenate(logits) if logits else None,
    )
