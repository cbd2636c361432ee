"""Views that show other classes than the dataset holds, which no run can work on.

A run scores what a view shows, and corrects what the dataset holds. Where a view maps
labels, these differ: its suggestions would be classes that the dataset has not got, and
each label would look edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import fiftyone as fo
from fiftyone.core.stages import ViewStage

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.storage.documents import FRAMES_PREFIX
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.errors import InputError

_SETS = (fo.MapLabels, fo.MapValues, fo.SetField)
_MONGO_SETS = ("$set", "$addFields", "$project")


def check_not_mapped(samples: Samples, target: LabelTarget) -> None:
    """Makes sure that a dataset or view shows the classes that the dataset holds.

    Args:
        samples: a dataset or view.
        target: the labels.

    Raises:
        InputError: if a stage of the view changes them, as ``map_labels()`` does.
    """
    if isinstance(samples, fo.Dataset):
        return
    ours, _ = target.beside()
    for stage in _stages(samples):
        if ours is not None and _is_same(stage, ours):
            continue
        if any(_changes(path, target) for path in _set_by(stage)):
            raise InputError(
                f"this view changes the labels in {target.label_field!r} that it shows "
                f"({type(stage).__name__}), and what is found and corrected are those "
                "that the dataset holds; pass a view without that stage, or store the "
                f"changed labels first, by view.save({target.label_field!r}), or in a "
                "copy of their own, by clone()"
            )


def _is_same(stage: ViewStage, ours: ViewStage) -> bool:
    """Whether a stage shows the items of a run beside the labels, and no other ones."""
    return type(stage) is type(ours) and stage._kwargs() == ours._kwargs()


def _stages(samples: Samples) -> Iterator[Any]:
    """The stages of a view, also of what patches and frames were made of."""
    for stage in samples._all_stages:
        yield stage
        if isinstance(stage, fo.Concat):
            yield from _stages(stage._view)


def _set_by(stage: Any) -> Iterable[str]:
    """The paths that a stage shows other values of."""
    if isinstance(stage, _SETS):
        return [stage.field]
    if isinstance(stage, fo.Mongo):
        return [path for step in stage.pipeline for path in _set_by_step(step)]
    return []


def _set_by_step(step: Mapping[str, Any]) -> list[str]:
    changes = [step[name] for name in _MONGO_SETS if name in step]
    return [
        path
        for some in changes
        for path, value in some.items()
        if not isinstance(value, (bool, int))  # a projection that shows or hides
    ]


def _changes(path: str, target: LabelTarget) -> bool:
    """Whether other values at a path are other labels, or a class that is changed."""
    path = path.removeprefix(FRAMES_PREFIX) if target.frames else path
    field, classes = target.label_field, target.class_path
    shown = (field, classes, f"{field}.label")  # the last one in a view of patches
    return any(own == path or own.startswith(f"{path}.") for own in shown)
