"""Which fields of a dataset or view hold labels that can be scored."""

from __future__ import annotations

from typing import Any

import fiftyone as fo

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading.injection_record import true_label_fields
from fiftyone_dfaulo.adapter.reading.mapped import check_not_mapped
from fiftyone_dfaulo.adapter.runs.lookup import fields_of_runs
from fiftyone_dfaulo.adapter.storage.documents import (
    FRAMES_PREFIX,
    Storage,
    all_fields,
)
from fiftyone_dfaulo.adapter.storage.frames import shows_frames
from fiftyone_dfaulo.adapter.targets.kinds import find_target, target_of
from fiftyone_dfaulo.errors import InputError


def list_label_fields(samples: Samples) -> dict[str, int]:
    """The fields that can be scored, also those in embedded documents.

    These are Classification, Classifications, Detections and Polylines fields. What
    earlier DFauLo runs wrote, and the true labels of planted faults, are not among
    them. Of a view of patches, it is the field of the patches.

    Args:
        samples: a dataset or view.

    Returns:
        path of the field to its number of labels, in the order of the schema.
    """
    if samples._is_patches:
        field = samples._patches_stage.field
        return {field: samples.count(f"{field}.label")}
    dataset, frames = samples._root_dataset, shows_frames(samples)
    owned = {*fields_of_runs(dataset, frames=frames), *true_label_fields(dataset)}
    fields = all_fields(samples.get_field_schema())
    targets = {name: target_of(name, f) for name, f in fields.items()}
    paths = {n: t.class_path for n, t in targets.items() if t and n not in owned}
    counts = samples.aggregate([fo.Count(path) for path in paths.values()])
    return dict(zip(paths, counts))


def check_label_field(
    samples: Samples, label_field: Any, *, one_class_a_sample: bool = False
) -> None:
    """Makes sure that this is a field of labels.

    Args:
        samples: a dataset or view.
        label_field: the field.
        one_class_a_sample: whether it must hold one class for each whole image.

    Raises:
        InputError: if there is no such field, it is of another type, the view leaves
            it out, shows patches of another one or maps its labels, or a DFauLo run
            writes it.
    """
    if not isinstance(label_field, str):
        raise InputError(
            f"label_field={label_field!r} is a {type(label_field).__name__}; "
            "expected the name of a field"
        )
    if samples._is_patches:
        _check_patches(samples, label_field, one_class_a_sample)
        check_not_mapped(samples, find_target(samples, label_field))
        return
    field = all_fields(samples.get_field_schema()).get(label_field)
    if field is None:
        raise InputError(_missing_field(samples, label_field))
    frames = shows_frames(samples)
    if not Storage(samples._root_dataset, frames).has_field(label_field):
        raise InputError(
            f"label_field={label_field!r} was deleted from the frames of the videos; "
            "reload() the view"
        )
    target = target_of(label_field, field)
    if target is None or (one_class_a_sample and not target.one_class_a_sample):
        more = ", Classifications, Detections or Polylines"
        kind = getattr(field, "document_type", type(field))
        raise InputError(
            f"label_field={label_field!r} is a {kind.__name__} field; expected a "
            f"Classification{'' if one_class_a_sample else more} field. "
            f"{label_choices(samples)}"
        )
    runs = fields_of_runs(samples._root_dataset, frames=frames)
    if label_field in runs:
        raise InputError(
            f"label_field={label_field!r} is written by the DFauLo run "
            f"{runs[label_field]!r}; pass the field with the given labels. "
            f"{label_choices(samples)}"
        )
    check_not_mapped(samples, find_target(samples, label_field))


def _check_patches(samples: Samples, label_field: str, whole_images: bool) -> None:
    if whole_images:
        raise InputError("this is a view of patches; pass one of whole images")
    shown = samples._patches_stage.field
    kind = getattr(samples.get_field(shown), "document_type", type(None))
    if shown != label_field or not issubclass(kind, (fo.Detection, fo.Polyline)):
        raise InputError(
            f"this view shows patches of {shown!r}; pass the dataset, or a view by "
            f"to_patches() of the Detections or Polylines field with the labels, not "
            f"of label_field={label_field!r}"
        )


def _missing_field(samples: Samples, label_field: str) -> str:
    frames = shows_frames(samples)
    short = label_field.removeprefix(FRAMES_PREFIX)
    if frames and samples.has_field(short) and short != label_field:
        return (
            f"label_field={label_field!r} is what the videos call it; in this view of "
            f"their frames, pass label_field={short!r}"
        )
    if label_field in Storage(samples._root_dataset, frames).schema():
        return (
            f"label_field={label_field!r} is left out of this view, by "
            "select_fields() or exclude_fields(); pass a view that holds it"
        )
    return f"there is no label_field={label_field!r}. {label_choices(samples)}"


def label_choices(samples: Samples) -> str:
    """A sentence for errors: the fields that could have been passed."""
    names = ", ".join(list_label_fields(samples))
    return f"Label fields here: {names or 'none'}"
