"""Whether those who do the work can read the files that this process can."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fiftyone_dfaulo.engine.cache.digest import file_state
from fiftyone_dfaulo.engine.cluster.executor import Executor
from fiftyone_dfaulo.engine.images.decoding import Crop, Source
from fiftyone_dfaulo.errors import InputError

HEADERS = 256  # files that are looked at for what all are like


def check_reachable(paths: Sequence[Source], executor: Executor) -> None:
    """Looks at some files, evenly spaced, on each machine that will read them.

    Raises:
        InputError: if a machine lacks one that is here, or has another one there.
    """
    if not executor.remote:
        return
    step = max(1, -(-len(paths) // HEADERS))
    some = [_path(one) for one in paths[::step]]
    here = sizes(some)
    for machine, there in executor.everywhere(sizes, some).items():
        for path, own, other in zip(some, here, there):
            if own is not None and own != other:
                raise _error(path, f"on node {machine}", other)


def absent(sources: Sequence[Source], rows: Iterable[int]) -> list[int]:
    """Those rows whose file is not here, of some that could not be read."""
    every = list(rows)
    there = sizes([_path(sources[row]) for row in every])
    return [row for row, size in zip(every, there) if size is None]


def check_absent(
    sources: Sequence[Source], rows: Iterable[int], executor: Executor
) -> None:
    """Makes sure that files that workers lacked are not here either.

    Raises:
        InputError: if one is: its image would be left out without need.
    """
    if not executor.remote:
        return
    for row in rows:
        path = _path(sources[row])
        if sizes([path])[0] is not None:
            raise _error(path, "on a node of the cluster", None)


def sizes(paths: Sequence[str]) -> list[int | None]:
    """Bytes of files; None of those that are not here."""
    return [file_state(path)[1] for path in paths]


def _path(source: Source) -> str:
    return source.path if isinstance(source, Crop) else source


def _error(path: str, where: str, size: int | None) -> InputError:
    what = "is not there" if size is None else f"is another file, of {size} bytes,"
    return InputError(
        f"{path!r} {what} {where}; images must lie under the same paths on all nodes, "
        "such as in a folder that all of them mount. Mount it there, or leave cluster "
        "out"
    )
