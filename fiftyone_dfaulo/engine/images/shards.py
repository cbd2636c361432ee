"""Images in shards: what is made of each is kept, and taken again, by itself."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import numpy as np

from fiftyone_dfaulo.engine.cache.digest import file_state
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.images.batches import Images, iter_batches
from fiftyone_dfaulo.engine.images.decoding import Crop, Reader, Source, reason

SHARD = 64
"""Images of a shard at least; mostly it is one batch. Little is lost with a run that is
killed, and files are few."""


@dataclass(frozen=True)
class Kept:
    """What is made, and kept, of a shard.

    Attributes:
        rows: int64 (M,), ascending positions in the shard of the images that could be
            read.
        arrays: names to arrays of M rows; none if M is 0.
        unreadable: position of each of the others to a reason, found anew.
        absent: those of the others whose file is not there.
    """

    rows: np.ndarray
    arrays: dict[str, np.ndarray]
    unreadable: dict[int, str]
    absent: Sequence[int] = ()


@dataclass(frozen=True)
class Shard:
    """Images that follow each other.

    Attributes:
        start: position of the first.
        sources: the images.
        works: where what is made of them may be kept; the first is where it will be.
            Their keys say how the files were before any was read, so that a file that
            changes meanwhile is read again by the next run.
    """

    start: int
    sources: Sequence[Source]
    works: Sequence[Work]

    def load(self, size: int) -> Kept | None:
        """What is kept, if it is what would be made of images of some size now.

        Images that could not be read are tried again: that may have had other causes
        than the file. If one can be read by now, all of the shard is to be made anew,
        as a first run would.
        """
        found = (work.load() for work in self.works)
        arrays = next((one for one in found if one is not None), None)
        if arrays is None:
            return None
        rows = arrays.pop("rows")
        others = np.setdiff1d(np.arange(len(self.sources)), rows)
        unreadable: dict[int, str] = {}
        with closing(Reader()) as reader:
            for row in others.tolist():
                try:
                    reader.decode(self.sources[row], size)
                except Exception as error:  # noqa: BLE001 - damaged files raise anything
                    unreadable[row] = reason(error)
                else:
                    return None
        return Kept(rows, arrays, unreadable)

    def save(self, made: Kept) -> None:
        """Keeps what was made of the shard, if anything was."""
        if made.arrays:
            self.works[0].save(rows=made.rows, **made.arrays)


def split(
    paths: Sequence[Source], batch: int, works: Sequence[Work] = (UNKEPT,)
) -> list[Shard]:
    """Shards of images, each of whole batches, but the last.

    Args:
        paths: the images.
        batch: images of a batch.
        works: by all that decides what is made of an image, besides its file.
    """
    size = -(-SHARD // batch) * batch
    shards = []
    for start in range(0, len(paths), size):
        some = paths[start : start + size]
        own = [work.of(*map(_state, some)) if work.kept else work for work in works]
        shards.append(Shard(start, some, own))
    return shards


def read(
    shards: Sequence[Shard], *, size: int, batch: int, workers: int
) -> Generator[tuple[Shard, Iterator[Images]], None, None]:
    """Decodes shards, a few batches ahead.

    Args:
        shards: as of :func:`split`.
        size, batch, workers: as of :func:`.batches.iter_batches`.

    Yields:
        each shard and its batches, with positions in the shard. Take all of them, and
        close the generator to stop early.
    """
    paths = [source for shard in shards for source in shard.sources]
    batches = iter_batches(paths, size=size, batch_size=batch, workers=workers)
    before = 0

    def moved(images: Images, before: int) -> Images:
        bad = {row - before: why for row, why in images.unreadable.items()}
        return Images(images.pixels, images.index - before, bad)

    with closing(batches):
        for shard in shards:
            count = -(-len(shard.sources) // batch)
            yield shard, (moved(one, before) for one in islice(batches, count))
            before += len(shard.sources)


def _state(source: Source) -> tuple[object, ...]:
    if isinstance(source, Crop):
        return *file_state(source.path), *source.box
    return file_state(source)
