"""Which fields of a dataset or view hold labels that can be scored, and where."""

from __future__ import annotations

from typing import Any

import fiftyone as fo

from fiftyone_dfaulo.adapter.reading.injection_record import true_label_fields
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLo
from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.adapter.targets.frames import frames_view
from fiftyone_dfaulo.adapter.targets.object import LISTS
from fiftyone_dfaulo.adapter.targets.storage import PREFIX, Storage
from fiftyone_dfaulo.errors import InputError


def list_label_fields(samples: Any) -> dict[str, int]:
    """The fields that can be scored, of the samples themselves.

    These are Classification, Classifications, Detections and Polylines fields. What
    earlier DFauLo runs wrote, and the true labels of planted faults, are not among
    them. Of a view of patches, it is the field of the patches.

    Args:
        samples: a dataset or view.

    Returns:
        field name to its number of labels, in the order of the schema.
    """
    if samples._is_patches:
        field = samples._patches_stage.field
        return {field: samples.count(f"{field}.label")}
    owned = {*_fields_of_runs(samples), *true_label_fields(samples._root_dataset)}
    places: dict[str, Place] = {}
    for name, field in samples.get_field_schema().items():
        place = _place(name, getattr(field, "document_type", None))
        if place and name not in owned:
            places[name] = place
    paths = [
        f"{place.list_path}.label" if place.list_path else place.label_path
        for place in places.values()
    ]
    counts = samples.aggregate([fo.Count(path) for path in paths])
    return dict(zip(places, counts))


def _place(name: str, kind: Any, frames: bool = False) -> Place | None:
    """Where the items of a field of this type lie; None if it cannot be scored."""
    if kind is None:
        return None
    if issubclass(kind, fo.Classification):
        return Place(name, frames=frames)
    if issubclass(kind, fo.Classifications):
        return Place(name, frames=frames, tags_path=f"{name}.classifications")
    lists = [part for type_, part in LISTS.items() if issubclass(kind, type_)]
    return Place(name, f"{name}.{lists[0]}", frames=frames) if lists else None


def find_place(samples: Any, label_field: str) -> Place:
    """Where the items that have this field's labels lie: samples, or objects.

    Args:
        samples: a dataset or view.
        label_field: a field that :func:`check_label_field` accepts.
    """
    frames = _of_frames(samples)
    field = Storage(samples._root_dataset, frames).get_field(label_field)
    place = _place(label_field, field.document_type, frames)
    assert place is not None
    return place


def _fields_of_runs(samples: Any) -> dict[str, str]:
    """Field name to the key of the DFauLo run that it belongs to."""
    dataset, frames = samples._root_dataset, _of_frames(samples)
    configs = {
        key: dataset.get_brain_info(key).config
        for key in dataset.list_brain_runs(type=DFauLo)
    }
    return {
        name: key
        for key, config in configs.items()
        if config.frames == frames
        for name in config.fields
    }


def check_label_field(samples: Any, label_field: Any, *, objects: bool = False) -> None:
    """Makes sure that this is a field of labels.

    Args:
        samples: a dataset or view.
        label_field: the field.
        objects: whether the labels may be those of objects, Detections and Polylines,
            or tags, Classifications, as well as one Classification a sample.

    Raises:
        InputError: if there is no such field, it is of another type, the view leaves
            it out or shows patches of another one, or a DFauLo run writes it.
    """
    if not isinstance(label_field, str):
        raise InputError(
            f"label_field={label_field!r} is a {type(label_field).__name__}; "
            "expected the name of a field"
        )
    if samples._is_patches:
        _check_patches(samples, label_field, objects)
        return
    field = samples.get_field_schema().get(label_field)
    if field is None:
        raise InputError(_missing_field(samples, label_field))
    if not Storage(samples._root_dataset, _of_frames(samples)).has_field(label_field):
        raise InputError(
            f"label_field={label_field!r} was deleted from the frames of the videos; "
            "reload() the view"
        )
    kind = getattr(field, "document_type", type(field))
    place = _place(label_field, kind)
    several = place and (place.list_path or place.tags_path)
    if place is None or (several and not objects):
        expected = ", Classifications, Detections or Polylines" if objects else ""
        raise InputError(
            f"label_field={label_field!r} is a {kind.__name__} field; expected a "
            f"Classification{expected} field. {label_choices(samples)}"
        )
    owner = _fields_of_runs(samples).get(label_field)
    if owner is not None:
        raise InputError(
            f"label_field={label_field!r} is written by the DFauLo run {owner!r}; "
            f"pass the field with the given labels. {label_choices(samples)}"
        )


def _check_patches(samples: Any, label_field: str, objects: bool) -> None:
    if not objects:
        raise InputError("this is a view of patches; pass one of whole images")
    shown = samples._patches_stage.field
    kind = getattr(samples.get_field(shown), "document_type", type(None))
    if shown != label_field or not issubclass(kind, (fo.Detection, fo.Polyline)):
        raise InputError(
            f"this view shows patches of {shown!r}; pass the dataset, or a view by "
            f"to_patches() of the Detections or Polylines field with the labels, not "
            f"of label_field={label_field!r}"
        )


def _missing_field(samples: Any, label_field: str) -> str:
    frames = _of_frames(samples)
    short = label_field.removeprefix(PREFIX)
    if frames and samples.has_field(short) and short != label_field:
        return (
            f"label_field={label_field!r} is what the videos call it; in this view of "
            f"their frames, pass label_field={short!r}"
        )
    storage = Storage(samples._root_dataset, frames)
    if storage.has_field(label_field) and "." not in label_field:
        return (
            f"label_field={label_field!r} is left out of this view, by "
            "select_fields() or exclude_fields(); pass a view that holds it"
        )
    return f"there is no label_field={label_field!r}. {label_choices(samples)}"


def _of_frames(samples: Any) -> bool:
    return frames_view(samples) is not None


def label_choices(samples: Any) -> str:
    """A sentence for errors: the fields that could have been passed."""
    names = ", ".join(list_label_fields(samples))
    return f"Label fields here: {names or 'none'}"
