"""Many image files to one array, in threads, within a budget of memory.

Any image that Pillow can read becomes an RGB uint8 square. What cannot be read is
reported with a reason and never stops a run.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor
from fiftyone_dfaulo.engine.images.decoding import Reader, Source, reason, size_of
from fiftyone_dfaulo.engine.images.reach import (
    HEADERS,
    absent,
    check_absent,
    check_reachable,
)
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.errors import InputError

_SIZES = (8, 16, 32, 64)
LARGEST = _SIZES[-1]
"""The largest side that :func:`choose_size` picks."""
_BATCH = 256  # images between two reports of decode_images
_AHEAD = 2  # batches being decoded while the caller works on one
_JOB = 8  # images per task: small, so that stopping never waits long


@dataclass(frozen=True)
class Images:
    """Those of some image files that can be read, M, decoded.

    Attributes:
        pixels: uint8 (M, size, size, 3), RGB. Beyond the memory budget of
            :func:`decode_images` it is a ``np.memmap``, whose file goes with the array.
        index: int64 (M,), ascending positions of these images in ``paths``.
        unreadable: position in ``paths`` to a one-line reason.
    """

    pixels: np.ndarray
    index: np.ndarray
    unreadable: dict[int, str]


def iter_batches(
    paths: Sequence[Source], *, size: int, batch_size: int, workers: int
) -> Generator[Images, None, None]:
    """Decodes image files in threads, a few batches ahead of the caller.

    Images are upright (EXIF orientation applied), squashed to the square with
    antialiasing, and untouched if they have that size already. Transparent pixels are
    white; 16-bit values are divided by 256.

    Args:
        paths: N image files, or crops of some; one may occur more than once. Crops of
            one image should follow each other, or it is decoded again.
        size: side of the square in pixels.
        batch_size: files per batch; a batch holds fewer images where some of its
            files are unreadable, possibly none.
        workers: number of threads. It changes neither the order nor the pixels.

    Yields:
        one :class:`Images` per ``batch_size`` files, in the order of ``paths``. Close
        the generator (``contextlib.closing``) to stop its threads early.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="dfaulo-decode")
    pending: deque[_Pending] = deque()
    try:
        for start in range(0, len(paths), batch_size):
            part = paths[start : start + batch_size]
            pending.append(_Pending(pool, part, start, size))
            if len(pending) > _AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def decode_images(
    paths: Sequence[Source],
    *,
    size: int | None,
    workers: int,
    memory_budget: int,
    executor: Executor = HERE,
    report: StageReport = silent_stage,
) -> Images:
    """Decodes image files, each once, as :func:`iter_batches` does, and keeps them.

    Args:
        paths: as of :func:`iter_batches`.
        size: side of the square in pixels; None picks it by :func:`choose_size`.
        workers: number of threads.
        memory_budget: bytes; if N images take more, they go to a temporary file.
        executor: decodes them.
        report: called with the fraction done, once per batch; decoding stops if it
            raises.

    Raises:
        InputError: if the temporary file does not fit on the disk, or others who do the
            work cannot read the files.
    """
    check_reachable(paths, executor)
    size = choose_size(paths) if size is None else size
    shape = (len(paths), size, size, 3)
    fits = math.prod(shape) <= memory_budget
    store: _Memory | _Disk = _Memory(shape) if fits else _Disk(shape)
    index: list[np.ndarray] = []
    unreadable: dict[int, str] = {}
    starts = range(0, len(paths), _BATCH)
    parts = [paths[start : start + _BATCH] for start in starts]
    how = executor.share(_How(size, executor.threads(workers)))
    batches = executor.each(_decode, how, parts)
    with closing(store), closing(batches):
        for (batch, gone), start, part in zip(batches, starts, parts):
            check_absent(part, gone, executor)
            store.append(batch.pixels)
            index.append(batch.index + start)
            unreadable |= {start + row: why for row, why in batch.unreadable.items()}
            report(min((start + _BATCH) / len(paths), 1.0))
        pixels = store.array()
    return Images(pixels, np.concatenate([np.empty(0, np.int64), *index]), unreadable)


class _How(NamedTuple):
    """How images are decoded: to squares of which side, in how many threads."""

    size: int
    workers: int


def _decode(
    how: _How, parts: Iterable[Sequence[Source]]
) -> Iterator[tuple[Images, list[int]]]:
    """Decodes parts that follow each other: each with the rows whose files lack."""
    every = list(parts)
    paths = [path for part in every for path in part]
    size, workers = how
    batches = iter_batches(paths, size=size, batch_size=_BATCH, workers=workers)
    with closing(batches):
        for number, (batch, part) in enumerate(zip(batches, every)):
            start = number * _BATCH
            bad = {row - start: why for row, why in batch.unreadable.items()}
            moved = Images(batch.pixels, batch.index - start, bad)
            yield moved, absent(part, bad)


def choose_size(paths: Sequence[Source]) -> int:
    """The side, of 8, 16, 32 and 64 pixels, nearest to the median longer side.

    32 if no image can be read; see :func:`median_side`.
    """
    median = median_side(paths)
    if median is None:
        return 32
    return min(_SIZES, key=lambda side: (abs(side - median), -side))


def median_side(paths: Sequence[Source]) -> float | None:
    """The median image's longer side in pixels; None if none can be read.

    Reads the headers of up to 256 evenly spaced files.
    """
    step = max(1, -(-len(paths) // HEADERS))
    sides = []
    for path in paths[::step]:
        # Decoding reports why a file cannot be read.
        with suppress(Exception):
            sides.append(max(size_of(path)))
    return float(np.median(sides)) if sides else None


class _Pending:
    """A batch that is being decoded."""

    def __init__(
        self, pool: ThreadPoolExecutor, paths: Sequence[Source], start: int, size: int
    ) -> None:
        self._start = start
        self._pixels = np.empty((len(paths), size, size, 3), np.uint8)
        self._jobs: list[Future[dict[int, str]]] = [
            pool.submit(
                _decode_rows, paths[row : row + _JOB], self._pixels[row : row + _JOB]
            )
            for row in range(0, len(paths), _JOB)
        ]

    def result(self) -> Images:
        unreadable = {
            self._start + number * _JOB + row: reason
            for number, job in enumerate(self._jobs)
            for row, reason in job.result().items()
        }
        index = np.arange(self._start, self._start + len(self._pixels), dtype=np.int64)
        if not unreadable:
            return Images(self._pixels, index, unreadable)
        readable = ~np.isin(index, list(unreadable))
        return Images(self._pixels[readable], index[readable], unreadable)


class _Memory:
    """Collects images in an array."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._pixels = np.empty(shape, np.uint8)
        self._count = 0

    def append(self, pixels: np.ndarray) -> None:
        self._pixels[self._count : self._count + len(pixels)] = pixels
        self._count += len(pixels)

    def array(self) -> np.ndarray:
        return self._pixels[: self._count]

    def close(self) -> None:
        pass


class _Disk:
    """Collects images in a temporary file without a name.

    They are written, not stored through a memory map: on a full disk a write fails
    with an error, where a map would kill the process. The file is unbuffered, or
    closing it would fail again on what is left in the buffer.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._count = 0
        try:
            if shutil.disk_usage(tempfile.gettempdir()).free < math.prod(shape):
                raise OSError("not enough free space")
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        except OSError as error:
            raise self._error(error) from error

    def append(self, pixels: np.ndarray) -> None:
        rest = memoryview(pixels.tobytes())
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise self._error(error) from error
        self._count += len(pixels)

    def array(self) -> np.ndarray:
        shape = (self._count, *self._shape[1:])
        if not self._count:  # an empty file cannot be mapped
            return np.empty(shape, np.uint8)
        return np.memmap(self._file, np.uint8, mode="r+", shape=shape)

    def close(self) -> None:
        self._file.close()

    def _error(self, error: OSError) -> InputError:
        count, size = self._shape[:2]
        return InputError(
            f"{count} images of {size} x {size} pixels take "
            f"{math.prod(self._shape) / 2**20:.0f} MiB, more than memory_budget, and "
            f"do not fit in the temporary folder {tempfile.tempdir} "
            f"({error.strerror or error}); free space there, point TMPDIR at a larger "
            "disk, raise memory_budget, or use a smaller image_size"
        )


def _decode_rows(paths: Sequence[Source], rows: np.ndarray) -> dict[int, str]:
    """Decodes each path into its row; returns the reasons of those that failed."""
    unreadable = {}
    with closing(Reader()) as reader:
        for row, path in enumerate(paths):
            try:
                rows[row] = reader.decode(path, rows.shape[1])
            except Exception as error:  # noqa: BLE001 - damaged files raise anything
                unreadable[row] = reason(error)
    return unreadable
