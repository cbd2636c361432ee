"""Files that other machines lack, or have in another state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from fiftyone_dfaulo.engine.cluster.executor import HERE, Here
from fiftyone_dfaulo.engine.images.decoding import Crop
from fiftyone_dfaulo.engine.images.reach import absent, check_absent, check_reachable
from fiftyone_dfaulo.errors import InputError

P = TypeVar("P")
R = TypeVar("R")


class Elsewhere(Here):
    """A machine ``far`` on which the files have other sizes."""

    remote = True

    def __init__(self, sizes: list[int | None]) -> None:
        self.sizes = sizes

    def everywhere(
        self, ask: Callable[[P], R], about: P, *, gpu: bool = False
    ) -> dict[str, R]:
        return {"far": self.sizes}  # type: ignore[dict-item]


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Files of 1 and 2 bytes, and one that is not there."""
    for size in (1, 2):
        (tmp_path / f"{size}.png").write_bytes(b"x" * size)
    return [str(tmp_path / f"{size}.png") for size in (1, 2, 3)]


def test_files_that_all_have_pass(paths: list[str]) -> None:
    check_reachable(paths, Elsewhere([1, 2, None]))
    check_reachable(paths, Elsewhere([1, 2, 3]))  # of use there, if not here
    check_reachable(paths, HERE)


def test_a_file_that_a_machine_lacks_is_named(paths: list[str]) -> None:
    with pytest.raises(InputError, match=r"2\.png' is not there on node far; images"):
        check_reachable(paths, Elsewhere([1, None, None]))
    crops = [Crop(path, (0, 0, 1, 1)) for path in paths]
    with pytest.raises(InputError, match=r"1\.png' is another file, of 7 bytes, on"):
        check_reachable(crops, Elsewhere([7, 2, None]))


def test_what_could_not_be_read_there_must_not_be_here(paths: list[str]) -> None:
    assert absent(paths, [0, 2]) == [2]
    check_absent(paths, [2], Elsewhere([]))
    check_absent(paths, [1], HERE)
    with pytest.raises(InputError, match=r"2\.png' is not there on a node"):
        check_absent(paths, [1, 2], Elsewhere([]))
