"""Runs a model over images: embeddings and logits in one pass, batch by batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext

import numpy as np

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.features import Features
from fiftyone_dfaulo.engine.images.batches import iter_batches
from fiftyone_dfaulo.engine.images.decoding import Source
from fiftyone_dfaulo.engine.models.model_output import check_finite
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.threads import sharing_cores


class Embedder(ABC):
    """A frozen model that turns images into embeddings and, maybe, logits.

    Attributes:
        name: how a message calls it.
        size: side S in pixels of the squares that it takes.
        step: images in one call, so that large ones do not exhaust the memory.
        width: D, the number of features; 0 as long as it is not known.
        outputs: C, the number of logits; 0 if the model gives none.
        classes: names of its classes in the order of the logits, if it states them.
        notes: plain sentences on what was assumed.
    """

    name: str
    size: int
    step: int
    width: int = 0
    outputs: int = 0
    classes: Sequence[str] | None = None
    notes: tuple[str, ...] = ()

    @abstractmethod
    def __call__(
        self, pixels: np.ndarray, *, with_logits: bool = True
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """What the model says of some images.

        Args:
            pixels: uint8 (B, S, S, 3), RGB.
            with_logits: whether logits are needed; they may come all the same.

        Returns:
            embeddings float32 (B, D), and logits float32 (B, C) or None.

        Raises:
            InputError: if the model fails on them.
        """

    def running(self) -> AbstractContextManager[object]:
        """A context that all calls are made in, such as one that loads the weights."""
        return nullcontext()


@sharing_cores
def embed_images(
    paths: Sequence[Source],
    embedder: Embedder,
    *,
    settings: Settings,
    columns: np.ndarray | None = None,
    report: StageReport = silent_stage,
) -> Features:
    """Embeddings of image files, decoded and embedded batch by batch.

    Images are squashed to the square that the model takes, not cropped; nothing but the
    embeddings and the logits grows with N.

    Args:
        paths: N image files; a path may occur more than once.
        embedder: the model.
        settings: its workers are used; they do not change the embeddings.
        columns: which logits to keep, in this order; None keeps none.
        report: gets the fraction done, once a batch. If it raises, embedding stops.

    Raises:
        InputError: if the model fails, or gives NaN or infinity.
    """
    rows = _Rows(len(paths), embedder.width)
    unreadable: dict[int, str] = {}
    step = embedder.step
    batches = iter_batches(
        paths, size=embedder.size, batch_size=step, workers=settings.workers
    )
    with closing(batches), embedder.running():
        for number, batch in enumerate(batches, start=1):
            if len(batch.index):
                vectors, logits = embedder(
                    batch.pixels, with_logits=columns is not None
                )
                picked = None
                if columns is not None and logits is not None:
                    picked = logits[:, columns]
                found = {"embeddings": vectors, "logits": picked}
                check_finite(embedder.name, found, [paths[n] for n in batch.index])
                rows.add(batch.index, vectors, picked)
            unreadable.update(batch.unreadable)
            report(min(number * step / len(paths), 1.0))
    return rows.features(unreadable, embedder.notes)


class _Rows:
    """Collects what a model says in arrays for N images, made when the first comes."""

    def __init__(self, most: int, width: int) -> None:
        self._index = np.empty(most, np.int64)
        self._embeddings = np.empty((0, width), np.float32)
        self._logits: np.ndarray | None = None
        self._count = 0

    def add(
        self, index: np.ndarray, embeddings: np.ndarray, logits: np.ndarray | None
    ) -> None:
        most = len(self._index)
        if not self._count:
            self._embeddings = np.empty((most, embeddings.shape[1]), np.float32)
            if logits is not None:
                self._logits = np.empty((most, logits.shape[1]), np.float32)
        rows = slice(self._count, self._count + len(index))
        self._index[rows] = index
        self._embeddings[rows] = embeddings
        if self._logits is not None:
            self._logits[rows] = logits
        self._count = rows.stop

    def features(self, unreadable: dict[int, str], notes: tuple[str, ...]) -> Features:
        count = self._count
        return Features(
            self._embeddings[:count],
            self._index[:count],
            unreadable,
            logits=None if self._logits is None else self._logits[:count],
            notes=notes,
        )
