"""The kinds of label that can be scored, and the target of a field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from fiftyone_dfaulo.adapter.host import Field, Samples
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.storage.frames import shows_frames
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.detector.removable import RemovableTarget
from fiftyone_dfaulo.adapter.targets.detector.target import BoxTarget
from fiftyone_dfaulo.adapter.targets.object import ObjectTarget
from fiftyone_dfaulo.adapter.targets.sample import SampleTarget
from fiftyone_dfaulo.adapter.targets.tags.target import MultiLabelTarget
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.errors import InputError

KINDS: tuple[type[LabelTarget], ...] = (
    SampleTarget,
    MultiLabelTarget,
    ObjectTarget,
    RemovableTarget,
    BoxTarget,
)
"""The kinds; a new one is added here."""


def target_of(name: str, field: Field, frames: bool = False) -> LabelTarget | None:
    """The target of a field; None if it holds nothing that can be scored."""
    label_type = getattr(field, "document_type", None)
    if label_type is None:
        return None
    found = (kind.of_field(name, label_type, frames) for kind in KINDS)
    return next((target for target in found if target is not None), None)


def find_target(samples: Samples, label_field: str) -> LabelTarget:
    """The labels in a field of a dataset or view.

    Args:
        samples: a dataset or view.
        label_field: a field that :func:`.label_fields.check_label_field` accepts.

    Raises:
        InputError: if the dataset has no such field any more, as a view may outlive it.
    """
    frames = shows_frames(samples)
    field = Storage(samples._root_dataset, frames).get_field(label_field)
    target = target_of(label_field, field, frames)
    if target is None:
        raise InputError(
            f"label_field={label_field!r} was deleted or renamed, or holds other "
            "values now; pass another field, or make the view anew"
        )
    return target


def target_to_judge(
    samples: Samples, label_field: str, settings: Settings
) -> LabelTarget:
    """The labels in a field, as a run with these settings judges them.

    Args:
        samples, label_field: as of :func:`find_target`.
        settings: with predictions, the boxes of objects are judged as well.

    Raises:
        InputError: as there.
    """
    target = find_target(samples, label_field)
    return target if settings.predictions is None else by_predictions(target)


def by_predictions(target: LabelTarget) -> LabelTarget:
    """The same labels, judged by predictions: of objects, their boxes as well."""
    objects = isinstance(target, ObjectTarget)
    return BoxTarget.of_objects(cast(ObjectTarget, target)) if objects else target


def by_classes(target: LabelTarget) -> LabelTarget:
    """The same labels, of which the classes alone are judged."""
    return target.objects if isinstance(target, BoxTarget) else target


def same_labels(one: LabelTarget, other: LabelTarget) -> bool:
    """Whether a verdict in a run on one is about the same in a run on the other.

    Of objects that a detector judges it is about the box as well as the class.
    """
    first, second = (
        (each.label_field, each.frames, isinstance(each, BoxTarget))
        for each in (one, other)
    )
    return first == second


def with_removals(target: LabelTarget) -> LabelTarget:
    """The same labels, of which a run says that some are one too many."""
    return RemovableTarget.of_objects(cast(ObjectTarget, target))


def target_from_dict(values: Mapping[str, Any]) -> LabelTarget:
    """A target of :meth:`.LabelTarget.to_dict`."""
    kinds = {kind.kind: kind for kind in KINDS}
    return kinds[values["kind"]](**{n: v for n, v in values.items() if n != "kind"})
