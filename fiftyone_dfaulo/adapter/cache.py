"""The cache: the folder of kept work as runs and users see it.

It lies where FiftyOne keeps its models and plugins, in a folder ``__dfaulo__`` of
``fiftyone.config.default_dataset_dir``, or where the environment says.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import fiftyone as fo
from fiftyone.core.collections import SampleCollection

from fiftyone_dfaulo.adapter.doors import check_given, public
from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.engine.cache.folder import Folder, RunOf
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Keeper, Work
from fiftyone_dfaulo.errors import InputError

DIRECTORY, GIGABYTES = "DFAULO_CACHE_DIR", "DFAULO_CACHE_GB"
"""Variables of the environment: the folder, and how large it may be."""

GB = 10**9


def folder() -> Folder:
    """The folder of this process.

    Raises:
        InputError: if the environment says something else than a number of GB.
    """
    default = Path(fo.config.default_dataset_dir, "__dfaulo__")
    place = Path(os.environ.get(DIRECTORY) or default).expanduser().absolute()
    given = os.environ.get(GIGABYTES, "").strip()
    if not given:
        return Folder(place)
    try:
        limit = float(given)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < math.inf:
        raise InputError(
            f"the environment says {GIGABYTES}={given!r}; expected a number of GB from "
            "0 on, which is how much work may be kept on disk"
        )
    return Folder(place, int(limit * GB))


def open_work(samples: Samples, brain_key: str, cache: str) -> Work:
    """Where a run keeps its work.

    Args:
        samples: whose work it is.
        brain_key: of the run.
        cache: as of :class:`fiftyone_dfaulo.Settings`.

    Raises:
        InputError: as :func:`folder`.
    """
    place = folder()
    if cache == "none" or place.limit() == 0:
        return UNKEPT
    return Work(Keeper(place, _run_of(samples._root_dataset, brain_key)))


def clear_run(dataset: Dataset, brain_key: str) -> None:
    """Removes the work of a run that is deleted."""
    folder().clear(str(dataset._doc.id), brain_key)


def rename_run(dataset: Dataset, brain_key: str, new_brain_key: str) -> None:
    """Lists the work of a run under its new key."""
    folder().rename(_run_of(dataset, brain_key), new_brain_key)


def _run_of(dataset: Dataset, brain_key: str) -> RunOf:
    return RunOf(str(dataset._doc.id), dataset.name, brain_key)


@dataclass(frozen=True)
class CachedRun:
    """Work on disk that a run has done or used.

    Attributes:
        dataset: name of the dataset, as it was called then.
        brain_key: key of the run, which may be deleted, or was never finished.
        entries: kinds of work to the number of files.
        bytes: that they take. Work that several runs have used counts for each.
        last_used: when a run last wrote or read some of it.
    """

    dataset: str
    brain_key: str
    entries: dict[str, int]
    bytes: int
    last_used: datetime

    def __str__(self) -> str:
        kinds = ", ".join(f"{name} {count:,}" for name, count in self.entries.items())
        when = f"{self.last_used:%Y-%m-%d %H:%M}"
        size = f"{self.bytes / GB:.3f} GB"
        return f"{self.dataset}  {self.brain_key}  {size}  {when}  ({kinds})"


@dataclass(frozen=True)
class CacheInfo:
    """What is kept on disk.

    Attributes:
        folder: where it lies.
        bytes: that it takes.
        limit: bytes that it may take.
        runs: what each run has used of it, the latest first.
    """

    folder: str
    bytes: int
    limit: int
    runs: list[CachedRun] = field(default_factory=list)

    def __str__(self) -> str:
        size, limit = self.bytes / GB, self.limit / GB
        head = f"{self.folder}: {size:.3f} GB of at most {limit:.1f} GB"
        return "\n".join([head, *map(str, self.runs)])


@public
def cache_info() -> CacheInfo:
    """What work is kept on disk, for reruns and for other runs.

    Returns:
        :class:`.CacheInfo`; print it for a list.

    Raises:
        InputError: if ``DFAULO_CACHE_GB`` in the environment is no number of GB.

    Examples:
        >>> info = dfaulo.cache_info()
        >>> info.bytes <= info.limit
        True
    """
    place = folder()
    runs = [
        CachedRun(
            one.run.dataset,
            one.run.brain_key,
            one.entries,
            one.bytes,
            datetime.fromtimestamp(one.last_used).astimezone(),
        )
        for one in place.runs()
    ]
    return CacheInfo(str(place.path), place.size(), place.limit(), runs)


@public
def clear_cache(
    samples: Samples | str | None = None, brain_key: str | None = None
) -> int:
    """Deletes work that is kept on disk. No result changes; later runs do it anew.

    Args:
        samples: a dataset or view, or the name of a dataset, which may be deleted: all
            work that its runs have done or used goes, also where runs of other datasets
            use it, too. None is everything.
        brain_key: of the run whose work goes; None is any of the dataset.

    Returns:
        how many bytes were freed.

    Raises:
        InputError: if ``samples`` is something else; if there is a brain key and no
            dataset; if ``DFAULO_CACHE_GB`` in the environment is no number of GB.
        RunError: if a dataset that is passed was deleted; pass its name.

    Examples:
        >>> freed = dfaulo.clear_cache(dataset)
        >>> freed >= 0
        True
    """
    if samples is None and brain_key is not None:
        raise InputError(
            f"brain_key={brain_key!r} is of one dataset; pass that dataset as well"
        )
    if samples is None or isinstance(samples, str):
        return folder().clear(samples, brain_key)
    check_given(samples)
    assert isinstance(samples, SampleCollection)
    return folder().clear(str(samples._root_dataset._doc.id), brain_key)
