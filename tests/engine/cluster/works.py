"""Work that tests hand to workers, which import it by its name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from fiftyone_dfaulo.errors import InputError
from tests.two_nodes import wait_for


def powers(base: np.ndarray, parts: Iterable[int]) -> Iterator[list[int]]:
    for part in parts:
        yield (base**part).tolist()


def node(_: object) -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def threads(_: object) -> str:
    return os.environ["OMP_NUM_THREADS"]


def begin_and_wait(folder: str, parts: Iterable[int]) -> Iterator[int]:
    """Says which process is at a part, and goes on once there is a file ``go``.

    Part 0 does not wait.
    """
    for part in parts:
        Path(folder, f"{part}-{os.getpid()}.begun").touch()
        if part:
            wait_for(Path(folder, "go").exists)
        yield part


def refuse(_: object, parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        if part == "ours":
            raise InputError("expected something else")
        raise KeyError(part)
        yield part


class Unsendable:
    """It has what belongs to one process."""

    def __reduce__(self) -> str:
        raise TypeError("a lock is of one process")
