"""Runs a model over images: embeddings and logits in one pass, batch by batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor
from fiftyone_dfaulo.engine.features import Features
from fiftyone_dfaulo.engine.images.decoding import Source
from fiftyone_dfaulo.engine.images.reach import absent, check_absent, check_reachable
from fiftyone_dfaulo.engine.images.shards import Kept, Shard, read, split
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

    def sent(self) -> Embedder:
        """What is sent in its place to another machine."""
        return self

    def arrived(self) -> Embedder:
        """Itself, ready on the machine that it was sent to."""
        return self

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
    executor: Executor = HERE,
    report: StageReport = silent_stage,
) -> Features:
    """Embeddings of image files, decoded and embedded batch by batch.

    Images are squashed to the square that the model takes, not cropped; nothing but the
    embeddings and the logits grows with N.

    Args:
        paths: N image files; a path may occur more than once.
        embedder: the model.
        settings: its workers and device are used; the former do not change the
            embeddings.
        columns: which logits to keep, in this order; None keeps none.
        work: keeps what the model says, shard by shard, for any columns.
        executor: decodes and embeds the shards.
        report: gets the fraction done, once a shard. If it raises, embedding stops.

    Raises:
        InputError: if the model fails, or gives NaN or infinity; if it cannot be sent
            to others who do the work, or they cannot read the files.
    """
    check_reachable(paths, executor)
    found = _Found(paths, embedder, columns)
    with_logits, size, step = columns is not None, embedder.size, embedder.step
    done = 0
    with embedder.running():
        works = _works(embedder, with_logits, work)
    if work.kept and executor.remote:
        works = _elsewhere(works, executor, settings.device)
    missing = []
    for shard in split(paths, step, works):
        kept = shard.load(size)
        if kept is None:
            missing.append(shard)
            continue
        found.add(shard, kept)
        done += len(shard.sources)
        report(done / len(paths))
    if done:
        work.tell(f"Embedded by earlier runs: {done} of {len(paths)} images.")
    if missing:
        model = embedder.sent() if executor.remote else embedder
        how = _How(model, with_logits, executor.threads(settings.workers, gpu=True))
        parts = [replace(shard, works=()) for shard in missing]
        results = executor.each(_embed, executor.share(how), parts, gpu=True)
        with closing(results):
            for made, shard in zip(results, missing):  # so they come to their end
                check_absent(shard.sources, made.absent, executor)
                found.add(shard, made)
                shard.save(made)
                done += len(shard.sources)
                report(done / len(paths))
    return found.features()


class _How(NamedTuple):
    """How shards are embedded: by what, whether with logits, in how many threads."""

    embedder: Embedder
    with_logits: bool
    workers: int


def _embed(how: _How, shards: Iterable[Shard]) -> Iterator[Kept]:
    """Decodes shards, some batches ahead, and embeds them."""
    sent, with_logits, workers = how
    embedder = sent.arrived()
    every = list(shards)
    images = read(every, size=embedder.size, batch=embedder.step, workers=workers)
    with embedder.running(), closing(images):
        for shard, batches in images:
            rows, unreadable = [np.empty(0, np.int64)], dict[int, str]()
            arrays: dict[str, list[np.ndarray]] = {}
            for batch in batches:
                unreadable |= batch.unreadable
                if len(batch.index):
                    said = embedder(batch.pixels, with_logits=with_logits)
                    rows.append(batch.index)
                    for name, values in zip(("embeddings", "logits"), said):
                        if values is not None:
                            arrays.setdefault(name, []).append(values)
            whole = {name: np.concatenate(parts) for name, parts in arrays.items()}
            gone = absent(shard.sources, unreadable)
            yield Kept(np.concatenate(rows), whole, unreadable, gone)


def work_of(embedder: Embedder, work: Work) -> Work:
    """Work that a model decides, where it can be known; it is asked while it runs."""
    identity = embedder.identity() if work.kept else None
    if identity is None:
        if work.kept:
            work.tell(
                "The embeddings are not kept for other runs, as nothing tells for sure "
                "that the model will be the same."
            )
        return UNKEPT
    return work.as_kind("embeddings").of(identity, embedder.size, embedder.step)


def _works(embedder: Embedder, with_logits: bool, work: Work) -> list[Work]:
    """Where to keep what a model says, and where else that may be kept already."""
    own = work_of(embedder, work)
    if not own.kept:
        return [UNKEPT]
    both, alone = own.of("with logits"), own.of("without logits")
    return [both] if with_logits else [alone, both]


def _elsewhere(works: list[Work], executor: Executor, device: str | None) -> list[Work]:
    """Where to keep what others say, if their bits may differ from those of here.

    What was embedded here serves as well: it differs by rounding alone.
    """
    from fiftyone_dfaulo.engine.device import own_surroundings

    found = executor.everywhere(own_surroundings, device, gpu=True).values()
    if set(found) == {own_surroundings(device)}:
        return works
    machines = sorted(set(map(repr, found)))
    return [*(work.of("machines", machines) for work in works), *works]


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

    def add(self, shard: Shard, made: Kept) -> None:
        """Adds what was made of a shard, and why some rows lack."""
        whys = made.unreadable.items()
        self._unreadable |= {shard.start + row: why for row, why in whys}
        if not len(made.rows):
            return
        embeddings, logits = made.arrays["embeddings"], made.arrays.get("logits")
        if self._columns is None or logits is None:
            logits = None
        else:
            logits = logits[:, self._columns]
        found = {"embeddings": embeddings, "logits": logits}
        check_finite(self._embedder.name, found, [shard.sources[n] for n in made.rows])
        if not len(self._embeddings):
            most = len(self._there)
            self._embeddings = np.empty((most, embeddings.shape[1]), np.float32)
            if logits is not None:
                self._logits = np.empty((most, logits.shape[1]), np.float32)
        index = shard.start + made.rows
        self._there[index] = True
        self._embeddings[index] = embeddings
        if self._logits is not None:
            self._logits[index] = logits

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
