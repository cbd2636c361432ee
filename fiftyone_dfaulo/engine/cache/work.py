"""What the stages of a run see of kept work: take it, keep it, or do without."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fiftyone_dfaulo.engine.cache.digest import digest
from fiftyone_dfaulo.engine.cache.folder import Folder, RunOf

SHARE = 0.02
"""Of the time, that keeping how a training stands may take."""


class Keeper:
    """Keeps the work of one run in a folder, as long as that can be written.

    Args:
        folder: where to.
        run: whose work it is.

    Attributes:
        notes: plain sentences on what was taken from earlier runs, and on what went
            wrong.
    """

    def __init__(self, folder: Folder, run: RunOf) -> None:
        self._folder, self._run = folder, run
        self._noted = folder.noted(run)
        self._writes = True
        self.notes: list[str] = []

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays of an entry that is there and whole."""
        found = self._folder.read(name)
        if found is not None:
            self._try(lambda: self._note(name))
        return found

    def save(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes an entry; where that fails, the run goes on and keeps nothing more."""

        def write() -> None:
            self._note(name)  # first, or nobody knows whose it is
            self._folder.write(name, arrays)

        self._try(write)

    def remove(self, name: str) -> None:
        """Removes an entry that is of no more use."""
        self._folder.remove(name)

    def _note(self, name: str) -> None:
        if name not in self._noted:
            self._folder.note(self._run, [name])
            self._noted.add(name)

    def _try(self, write: Callable[[], None]) -> None:
        if not self._writes:
            return
        try:
            write()
        except OSError as error:
            self._writes = False
            self.notes.append(
                f"Work could not be kept in {self._folder.path} "
                f"({error.strerror or error}); a rerun would do it anew."
            )


@dataclass(frozen=True)
class Work:
    """Work under one key; without a keeper, nothing is kept and nothing is there.

    Attributes:
        keeper: keeps it.
        kind: what it is, for lists: an identifier.
        key: a hash of what decides it.

    Example::

        >>> UNKEPT.of("a key").load() is None
        True
    """

    keeper: Keeper | None = None
    kind: str = "other"
    key: str = ""

    @property
    def kept(self) -> bool:
        """Whether it is kept."""
        return self.keeper is not None

    def as_kind(self, kind: str) -> Work:
        """The same, as work of a kind."""
        return Work(self.keeper, kind, self.key)

    def of(self, *parts: object) -> Work:
        """Work that is decided by this one's key and by more; see :func:`.digest`."""
        if self.keeper is None:
            return self
        return Work(self.keeper, self.kind, digest(self.key, parts))

    def load(self) -> dict[str, np.ndarray] | None:
        """The arrays, if they are kept. They are not to be written to."""
        return None if self.keeper is None else self.keeper.load(self._name)

    def save(self, **arrays: np.ndarray) -> None:
        """Keeps arrays; whether it can be done or not, the run goes on."""
        if self.keeper is not None:
            self.keeper.save(self._name, arrays)

    def remove(self) -> None:
        """Forgets it."""
        if self.keeper is not None:
            self.keeper.remove(self._name)

    def tell(self, note: str) -> None:
        """Adds a sentence to what the run tells about kept work."""
        if self.keeper is not None:
            self.keeper.notes.append(note)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the run tells about kept work so far."""
        return () if self.keeper is None else tuple(self.keeper.notes)

    @property
    def _name(self) -> str:
        return f"{self.kind}/{self.key}"


class Pace:
    """When to keep how something long stands: so often that it takes little time.

    Used as a context around what keeps it, it learns how long that takes.
    """

    def __init__(self) -> None:
        self._start = self._next = 0.0

    def due(self) -> bool:
        """Whether it is time, so that keeping takes :data:`SHARE` of all at most."""
        return time.monotonic() >= self._next

    def __enter__(self) -> None:
        self._start = time.monotonic()

    def __exit__(self, *_: object) -> None:
        now = time.monotonic()
        self._next = now + (now - self._start) * (1 / SHARE - 1)


UNKEPT = Work()
"""Work that is not kept."""
