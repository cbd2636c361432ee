"""Whether a dataset or view shows the items of some labels, and how it names them."""

from __future__ import annotations

from collections.abc import Sequence

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.storage.frames import TO_FRAMES, shows_frames
from fiftyone_dfaulo.adapter.storage.items import SAMPLE
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.errors import InputError


def path_in(samples: Samples, target: LabelTarget, name: str) -> str:
    """What FiftyOne calls a field of the items' documents in a dataset or view."""
    if shows_frames(samples):
        return name
    return target.storage(samples._root_dataset).path(name)


def holding(samples: Samples, target: LabelTarget, ids: Sequence[str]) -> Samples:
    """The samples that hold some items: FiftyOne looks at every label of all others."""
    found = target.items(samples._root_dataset).by_id(ids)
    return samples.select({str(item[SAMPLE]) for item in found.values()})


def check_kind(samples: Samples, brain_key: str, target: LabelTarget) -> None:
    """Makes sure that a view of frames is not used with a run on samples.

    Raises:
        InputError: if it is.
    """
    if not target.frames and shows_frames(samples):
        raise InputError(
            f"this is a view of video frames, and brain run {brain_key!r} has scored "
            f"{target.noun}s of the dataset itself; pass the dataset"
        )


def check_shown(samples: Samples, brain_key: str, target: LabelTarget) -> None:
    """Makes sure that a dataset or view consists of what a run has scored.

    Raises:
        InputError: if it shows frames and the run is on samples, or videos and the run
            is on their frames.
    """
    check_kind(samples, brain_key, target)
    if target.frames and not shows_frames(samples):
        raise InputError(
            f"brain run {brain_key!r} has scored frames of these videos; pass a view "
            f"of them, as by to_frames() or {TO_FRAMES}"
        )
