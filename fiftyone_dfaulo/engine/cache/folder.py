"""The folder of kept work: files of named arrays under keys, within a bound of bytes.

1. A file is written under a temporary name and then renamed, so that a reader sees all
   of it or nothing, and two processes may write the same one.
2. It ends with a hash of its key and its content. A file that is torn, or is none of
   ours, is passed over. It holds numbers alone, after a line of JSON that says what
   they are: nothing in it can run.
3. Its time of change says when it was last used. Beyond the bound, the files that
   nobody has used for longest go.
4. What each run has used is listed in a file of its own, one line for each, so that it
   can be cleared with the run or with the dataset.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fiftyone_dfaulo.engine.cache.digest import digest

_ENTRIES, _RUNS = "work", "runs"
_ENDING, _UNFINISHED = ".kept", ".tmp"
_HASH = 32  # bytes
_ABANDONED = 3600.0
"""Seconds after which a temporary file was left by a process that died."""
_LEFT = 0.9  # of the bound is left, so that room is made rarely


class RunOf(NamedTuple):
    """Whose work it is: a run of a dataset.

    Attributes:
        dataset_id, dataset: of FiftyOne, and its name.
        brain_key: of the run.
    """

    dataset_id: str
    dataset: str
    brain_key: str


class Used(NamedTuple):
    """What a run has used.

    Attributes:
        run: which.
        entries: kinds of work to their number.
        bytes: that they take; what several runs have used counts for each.
        last_used: seconds since the epoch.
    """

    run: RunOf
    entries: dict[str, int]
    bytes: int
    last_used: float


class Folder:
    """A folder of kept work.

    Args:
        path: where it is; it is made when the first work is written, for its owner's
            eyes alone.
        limit: bytes that it may take; None is as much as is left free on its disk.
    """

    def __init__(self, path: Path, limit: int | None = None) -> None:
        self.path, self._limit = path, limit
        self._room = -1  # bytes that may be written before the next look; -1: never yet

    def read(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays of an entry, read-only; None if there is none that is whole."""
        path = self._place(name)
        try:
            data = path.read_bytes()
            hashed = _hash_of(name)
            hashed.update(memoryview(data)[:-_HASH])
            if hashed.digest() != data[-_HASH:]:
                return None
            found = _parse(data)
        except Exception:  # noqa: BLE001 - whatever it is, it is made anew
            return None
        with suppress(OSError):  # it may be gone, or not ours to write
            os.utime(path)
        return found

    def write(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes an entry, in place of the one that is there.

        Raises:
            OSError: if it cannot be written; nothing is left of it.
        """
        whole = {key: np.asarray(one, order="C") for key, one in arrays.items()}
        what = [(key, one.dtype.str, one.shape) for key, one in whole.items()]
        head = f"{json.dumps(what)}\n".encode()
        size = len(head) + sum(one.nbytes for one in whole.values()) + _HASH
        self._make_room(size)
        path = self._place(name)
        _make_folder(path.parent)
        handle, temporary = tempfile.mkstemp(suffix=_UNFINISHED, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                hashed = _hash_of(name)
                parts = [memoryview(head), *map(_bytes_of, whole.values())]
                for part in parts:
                    file.write(part)
                    hashed.update(part)
                file.write(hashed.digest())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        self._room -= size

    def remove(self, name: str) -> None:
        """Removes an entry, if it is there."""
        with suppress(OSError):
            self._place(name).unlink()

    def note(self, run: RunOf, names: list[str]) -> None:
        """Lists entries as used by a run, which may be listed already.

        Raises:
            OSError: if that cannot be written.
        """
        path = self._list_of(run)
        text = "".join(f"{name}\n" for name in names)
        if not path.exists():
            _make_folder(path.parent)
            text = f"{json.dumps(run)}\n{text}"
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(text.encode())

    def noted(self, run: RunOf) -> set[str]:
        """The entries that a run has used; they may be gone."""
        with suppress(OSError, ValueError):
            return {*self._list_of(run).read_text("utf-8").splitlines()[1:]}
        return set()

    def runs(self) -> Iterator[Used]:
        """What each run has used that is still there, the latest first."""
        found = []
        for _, run in self._lists():
            kinds: dict[str, int] = {}
            size, last = 0, 0.0
            for name in self.noted(run):
                with suppress(OSError, ValueError):
                    state = self._place(name).stat()
                    kind = name.partition("/")[0]
                    kinds[kind] = kinds.get(kind, 0) + 1
                    size += state.st_size
                    last = max(last, state.st_mtime)
            if kinds:
                found.append(Used(run, dict(sorted(kinds.items())), size, last))
        yield from sorted(found, key=lambda one: -one.last_used)

    def clear(self, dataset: str | None = None, brain_key: str | None = None) -> int:
        """Removes work; returns the bytes.

        Args:
            dataset: id or name of the dataset whose runs have used it; None is all
                that is in the folder.
            brain_key: of the run that has used it; None is any.
        """
        freed = 0
        if dataset is None:
            freed = sum(size for _, size, _ in self._files())
            for name in (_ENTRIES, _RUNS):
                shutil.rmtree(self.path / name, ignore_errors=True)
            return freed
        for path, run in self._lists():
            mine = dataset in (run.dataset_id, run.dataset)
            if not mine or brain_key not in (None, run.brain_key):
                continue
            for name in self.noted(run):
                with suppress(OSError, ValueError):
                    place = self._place(name)
                    freed += place.stat().st_size
                    place.unlink()
            with suppress(OSError):
                path.unlink()
        return freed

    def rename(self, run: RunOf, brain_key: str) -> None:
        """Gives the list of a run the run's new key."""
        names = sorted(self.noted(run))
        if names:
            with suppress(OSError):
                self.note(run._replace(brain_key=brain_key), names)
                self._list_of(run).unlink()

    def size(self) -> int:
        """Bytes that it takes."""
        return sum(size for _, size, _ in self._files())

    def limit(self) -> int:
        """Bytes that it may take; 0 if it is nowhere to be written.

        Without a bound, the disk is left as much free space as the folder takes.
        """
        if self._limit is not None:
            return self._limit
        above = (one for one in (self.path, *self.path.parents) if one.exists())
        try:
            return (shutil.disk_usage(next(above)).free + self.size()) // 2
        except (OSError, StopIteration):
            return 0

    def _make_room(self, wanted: int) -> None:
        """Removes what nobody has used for longest, if there is no room for more."""
        if self._room >= wanted:
            return
        limit = self.limit()
        if wanted > limit:
            raise OSError(f"it takes {wanted} bytes, and the limit is {limit}")
        files = sorted(self._files(), key=lambda one: one[2])
        total = sum(size for _, size, _ in files)
        abandoned = time.time() - _ABANDONED
        keep = limit if total + wanted <= limit else int(_LEFT * limit)
        for path, size, used in files:
            left = path.suffix == _UNFINISHED and used < abandoned
            if left or total + wanted > keep:
                with suppress(OSError):
                    path.unlink()
                    total -= size
        # what other processes write meanwhile is seen at the next look
        self._room = max(wanted, (limit - total) // 10)

    def _files(self) -> list[tuple[Path, int, float]]:
        """Files of entries, whole or not: path, bytes, and when they were last used."""
        found = []
        for path in (self.path / _ENTRIES).glob("*/*/*"):
            with suppress(OSError):  # gone meanwhile
                state = path.stat()
                found.append((path, state.st_size, state.st_mtime))
        return found

    def _place(self, name: str) -> Path:
        kind, _, key = name.partition("/")
        if not (kind.isidentifier() and key.isalnum()):
            raise ValueError(f"{name!r} is no entry")
        return self.path / _ENTRIES / kind / key[:2] / f"{key}{_ENDING}"

    def _list_of(self, run: RunOf) -> Path:
        return self.path / _RUNS / digest(run.dataset_id, run.brain_key)

    def _lists(self) -> Iterator[tuple[Path, RunOf]]:
        for path in (self.path / _RUNS).glob("*"):
            with suppress(OSError, ValueError, TypeError):  # it is none of ours
                with path.open(encoding="utf-8") as file:
                    run = RunOf(*json.loads(file.readline()))
                if path == self._list_of(run):
                    yield path, run


def _hash_of(name: str) -> hashlib.blake2b:
    """A hash that has seen the name of an entry."""
    return hashlib.blake2b(f"{name}\n".encode(), digest_size=_HASH)


def _bytes_of(array: np.ndarray) -> memoryview:
    """The bytes of an array, without a copy."""
    return array.reshape(-1).view(np.uint8).data


def _parse(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an entry, without a copy."""
    start = data.index(b"\n") + 1
    found = {}
    for name, kind, shape in json.loads(data[:start]):
        count = math.prod(shape)
        array = np.frombuffer(data, np.dtype(kind), count, start)
        found[name] = array.reshape(shape)
        start += array.nbytes
    return found


def _make_folder(path: Path) -> None:
    """Makes a folder and those above it; those that are new are their owner's alone."""
    if not path.exists():
        _make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
