"""Runs a model over images: embeddings and logits in one pass, batch by batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from typing import TypeAlias

import numpy as np

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.features import Features
from fiftyone_dfaulo.engine.images.decoding import Source
from fiftyone_dfaulo.engine.images.shards import Shard, read, split
from fiftyone_dfaulo.engine.models.model_output import check_finite
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.threads import sharing_cores

_BLOCK = 10_000  # rows that are moved at once


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

    def identity(self) -> str | None:
        """A hash of all that decides what it says of an image, on this machine.

        It is asked while the model runs. None where it cannot be known; then nothing
        that the model says is kept.
        """
        return None

    def running(self) -> AbstractContextManager[object]:
        """A context that all calls are made in, such as one that loads the weights."""
        return nullcontext()


PROBES = 2
"""Images of noise that a model is tried on, where it does not say how many it takes."""


def noise(count: int, size: int) -> np.ndarray:
    """Images that any model takes and none was trained on, always the same."""
    noise = np.random.default_rng(0).integers(0, 256, (count, size, size, 3))
    return noise.astype(np.uint8)


@sharing_cores
def embed_images(
    paths: Sequence[Source],
    embedder: Embedder,
    *,
    settings: Settings,
    columns: np.ndarray | None = None,
    work: Work = UNKEPT,
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
        work: keeps what the model says, shard by shard, for any columns.
        report: gets the fraction done, once a batch. If it raises, embedding stops.

    Raises:
        InputError: if the model fails, or gives NaN or infinity.
    """
    found = _Found(paths, embedder, columns)
    with_logits, size, step = columns is not None, embedder.size, embedder.step
    done = 0
    with embedder.running():
        missing = []
        for shard in split(paths, step, _works(embedder, with_logits, work)):
            kept = shard.load(size)
            if kept is None:
                missing.append(shard)
                continue
            said = kept.arrays["embeddings"], kept.arrays.get("logits")
            found.add(shard, kept.rows, said, kept.unreadable)
            done += len(shard.sources)
            report(done / len(paths))
        if done:
            work.tell(f"Embedded by earlier runs: {done} of {len(paths)} images.")
        shards = read(missing, size=size, batch=step, workers=settings.workers)
        with closing(shards):
            for shard, batches in shards:
                parts = []
                for images in batches:
                    if len(images.index):
                        said = embedder(images.pixels, with_logits=with_logits)
                        found.add(shard, images.index, said, images.unreadable)
                        parts.append((images.index, *said))
                    else:
                        found.lack(shard, images.unreadable)
                    done += len(images.index) + len(images.unreadable)
                    report(done / len(paths))
                _keep(shard, parts)
    return found.features()


_Said: TypeAlias = tuple[np.ndarray, np.ndarray | None]
"""Embeddings and logits of some images."""


def _works(embedder: Embedder, with_logits: bool, work: Work) -> list[Work]:
    """Where to keep what a model says, and where else that may be kept already."""
    identity = embedder.identity() if work.kept else None
    if identity is None:
        if work.kept:
            work.tell(
                "The embeddings are not kept for other runs, as nothing tells for sure "
                "that the model will be the same."
            )
        return [UNKEPT]
    own = work.as_kind("embeddings").of(identity, embedder.size, embedder.step)
    both, alone = own.of("with logits"), own.of("without logits")
    return [both] if with_logits else [alone, both]


def _keep(
    shard: Shard, parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray | None]]
) -> None:
    """Keeps what was said of the batches of a shard, if anything was."""
    if not parts:
        return
    index, vectors, logits = zip(*parts)
    arrays = {"embeddings": np.concatenate(vectors)}
    if logits[0] is not None:
        arrays["logits"] = np.concatenate(logits)
    shard.save(np.concatenate(index), **arrays)


class _Found:
    """Collects what a model says in arrays for N images, made when the first comes."""

    def __init__(
        self, paths: Sequence[Source], embedder: Embedder, columns: np.ndarray | None
    ) -> None:
        self._embedder, self._columns = embedder, columns
        self._there = np.zeros(len(paths), bool)
        self._embeddings = np.empty((0, embedder.width), np.float32)
        self._logits: np.ndarray | None = None
        self._unreadable: dict[int, str] = {}

    def add(
        self, shard: Shard, rows: np.ndarray, said: _Said, unreadable: dict[int, str]
    ) -> None:
        """Adds what was said of some rows of a shard, and why others lack."""
        embeddings, logits = said
        if self._columns is None or logits is None:
            logits = None
        else:
            logits = logits[:, self._columns]
        found = {"embeddings": embeddings, "logits": logits}
        check_finite(self._embedder.name, found, [shard.sources[n] for n in rows])
        if not len(self._embeddings):
            most = len(self._there)
            self._embeddings = np.empty((most, embeddings.shape[1]), np.float32)
            if logits is not None:
                self._logits = np.empty((most, logits.shape[1]), np.float32)
        index = shard.start + rows
        self._there[index] = True
        self._embeddings[index] = embeddings
        if self._logits is not None:
            self._logits[index] = logits
        self.lack(shard, unreadable)

    def lack(self, shard: Shard, unreadable: dict[int, str]) -> None:
        """Adds why some rows of a shard lack."""
        self._unreadable |= {shard.start + row: why for row, why in unreadable.items()}

    def features(self) -> Features:
        """All of it, of the images that could be read."""
        index = np.flatnonzero(self._there)
        return Features(
            _compact(self._embeddings, index),
            index,
            dict(sorted(self._unreadable.items())),
            logits=None if self._logits is None else _compact(self._logits, index),
            notes=self._embedder.notes,
        )


def _compact(array: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The rows at an ascending index, moved to the front of the same memory."""
    for start in range(0, len(index) if len(index) < len(array) else 0, _BLOCK):
        some = index[start : start + _BLOCK]
        array[start : start + len(some)] = array[some]
    return array[: len(index)]
