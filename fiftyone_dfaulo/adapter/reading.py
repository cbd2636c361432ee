"""Reads a dataset or view: checks that it can be used, and its ids, images and labels.

Everything is read by id, so any order, filter or limit of a view will do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import fiftyone as fo
import numpy as np
from fiftyone.core.collections import SampleCollection

from fiftyone_dfaulo.adapter.embeddings import (
    EmbeddingSource,
    check_embeddings,
    list_embeddings,
    read_embeddings,
)
from fiftyone_dfaulo.adapter.fault_records import true_label_fields
from fiftyone_dfaulo.adapter.objects import LISTS, read_objects
from fiftyone_dfaulo.adapter.places import Place
from fiftyone_dfaulo.adapter.runs import DFauLo
from fiftyone_dfaulo.engine.decoding import Crop, Source
from fiftyone_dfaulo.errors import InputError

__all__ = [
    "EmbeddingSource",
    "Labelled",
    "check_embeddings",
    "check_label_field",
    "check_samples",
    "list_embeddings",
    "find_place",
    "list_label_fields",
    "read_embeddings",
    "read_labels",
]


class Labelled(NamedTuple):
    """The labelled items of a dataset or view: samples, or objects in samples.

    They are in the order of their ids, objects in that of their samples' first.

    Attributes:
        ids: ids of the N labelled items, each once.
        paths: their images, or parts of images.
        labels: int64 (N,), index into ``classes``.
        classes: names of the classes that occur, sorted.
        unlabeled: ids of the items without a label.
        unreadable: id of each item that has no place in its image to the reason.
    """

    ids: list[str]
    paths: Sequence[Source]
    labels: np.ndarray
    classes: list[str]
    unlabeled: list[str]
    unreadable: Mapping[str, str] = MappingProxyType({})

    @property
    def files(self) -> list[str]:
        """Paths of the image files that the items are in."""
        return [p.path if isinstance(p, Crop) else p for p in self.paths]


def check_samples(samples: Any) -> None:
    """Makes sure that these are images, or patches of some, and that there are some.

    Of a grouped dataset, it is the samples of the active slice.

    Args:
        samples: a dataset or view.

    Raises:
        InputError: if it is neither, is empty, holds other media than images, or its
            samples are parts of others (frames, clips, groups by a field, or pairs of
            patches).
    """
    if not isinstance(samples, SampleCollection):
        raise InputError(
            f"samples is a {type(samples).__name__}; expected a FiftyOne dataset or "
            "view"
        )
    problem = _kind_problem(samples) or _media_problem(samples)
    if problem:
        raise InputError(problem)
    if len(samples) == 0:
        what = "dataset" if isinstance(samples, fo.Dataset) else "view"
        raise InputError(
            f"the {what} is empty; pass a dataset or view that holds labelled images"
        )


def _kind_problem(samples: Any) -> str | None:
    if samples._is_patches and not isinstance(samples._patches_stage, fo.ToPatches):
        return (
            "this is a view of evaluation patches; pass the dataset, or a view by "
            "to_patches() of the field with the labels"
        )
    if samples._is_frames:
        return (
            "this is a view of video frames; pass an image dataset made from it, as "
            "by dataset.to_frames(sample_frames=True).clone()"
        )
    if samples._is_clips:
        return "this is a view of video clips; scoring works on images only"
    if samples._is_dynamic_groups:
        return "this view is grouped by a field; pass the view without group_by()"
    return None


def _media_problem(samples: Any) -> str | None:
    media_type = samples.media_type
    if media_type in (None, "image"):  # None: no samples yet
        return None
    if media_type == "group":
        return _group_problem(samples)
    if media_type == "video":
        return (
            "the samples are videos; scoring works on images only. Pass an image "
            "dataset made from the frames, as by "
            "dataset.to_frames(sample_frames=True).clone()"
        )
    return f"the samples are of media type {media_type!r}; scoring works on images only"


def _group_problem(samples: Any) -> str | None:
    """Of a grouped dataset it is the active slice that is scored."""
    types, active = samples.group_media_types, samples.group_slice
    if types.get(active) == "image":
        return None
    images = [name for name, kind in types.items() if kind == "image"]
    if not images:
        return "the dataset is grouped and none of its slices holds images"
    return (
        f"the active slice {active!r} of the grouped dataset holds "
        f"{types.get(active)!r}; set its group_slice to one of images, such as "
        f"{images[0]!r}. Slices of images: {', '.join(images)}"
    )


def list_label_fields(samples: Any) -> dict[str, int]:
    """The fields that can be scored, of the samples themselves.

    These are Classification, Detections and Polylines fields. What earlier DFauLo runs
    wrote, and the true labels of planted faults, are not among them. Of a view of
    patches, it is the field of the patches.

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
    paths = [f"{place.list_path or name}.label" for name, place in places.items()]
    counts = samples.aggregate([fo.Count(path) for path in paths])
    return dict(zip(places, counts))


def _place(name: str, kind: Any) -> Place | None:
    """Where the items of a field of this type lie; None if it cannot be scored."""
    if kind is None:
        return None
    if issubclass(kind, fo.Classification):
        return Place(name)
    lists = [part for type_, part in LISTS.items() if issubclass(kind, type_)]
    return Place(name, f"{name}.{lists[0]}") if lists else None


def find_place(samples: Any, label_field: str) -> Place:
    """Where the items that have this field's labels lie: samples, or objects.

    Args:
        samples: a dataset or view.
        label_field: a field that :func:`check_label_field` accepts.
    """
    field = samples._root_dataset.get_field(label_field)
    place = _place(label_field, field.document_type)
    assert place is not None
    return place


def _fields_of_runs(samples: Any) -> dict[str, str]:
    """Field name to the key of the DFauLo run that it belongs to."""
    dataset = samples._root_dataset
    return {
        name: key
        for key in dataset.list_brain_runs(type=DFauLo)
        for name in dataset.get_brain_info(key).config.fields
    }


def check_label_field(samples: Any, label_field: Any, *, objects: bool = False) -> None:
    """Makes sure that this is a field of labels.

    Args:
        samples: a dataset or view.
        label_field: the field.
        objects: whether the labels may be those of objects, Detections and Polylines,
            as well as Classifications of whole samples.

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
    kind = getattr(field, "document_type", type(field))
    place = _place(label_field, kind)
    if place is None or (place.list_path and not objects):
        expected = ", Detections or Polylines" if objects else ""
        raise InputError(
            f"label_field={label_field!r} is a {kind.__name__} field; expected a "
            f"Classification{expected} field. {_choices(samples)}"
        )
    owner = _fields_of_runs(samples).get(label_field)
    if owner is not None:
        raise InputError(
            f"label_field={label_field!r} is written by the DFauLo run {owner!r}; "
            f"pass the field with the given labels. {_choices(samples)}"
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
    dataset = samples._root_dataset
    if dataset.has_sample_field(label_field) and "." not in label_field:
        return (
            f"label_field={label_field!r} is left out of this view, by "
            "select_fields() or exclude_fields(); pass a view that holds it"
        )
    return f"there is no label_field={label_field!r}. {_choices(samples)}"


def _choices(samples: Any) -> str:
    names = ", ".join(list_label_fields(samples))
    return f"Label fields here: {names or 'none'}"


def read_labels(samples: Any, label_field: str) -> Labelled:
    """Reads ids, images and labels, and sets apart what has no label.

    What a view holds twice (``concat``) is read once. All comes in the order of the
    ids, so that a sorted view gives the same scores as an unsorted one.

    Args:
        samples: a dataset or view that :func:`check_samples` accepts.
        label_field: a field that :func:`check_label_field` accepts.

    Raises:
        InputError: if nothing has a label, or all have the same; or if two objects
            have the same id.
    """
    place = find_place(samples, label_field)
    unreadable: dict[str, str] = {}
    rows: Sequence[tuple[str, Source, str | None]]
    if place.list_path is None:
        rows = [*zip(*samples.values(["id", "filepath", f"{label_field}.label"]))]
        rows = [*{row[0]: row for row in sorted(rows, key=itemgetter(0))}.values()]
    else:
        rows, unreadable = read_objects(samples, place)
    labelled = [(one, path, label) for one, path, label in rows if label is not None]
    if not labelled:
        raise InputError(_none_labelled(samples, place, len(rows), unreadable))
    names = [label for _, _, label in labelled]
    classes = sorted(set(names))
    if len(classes) < 2:
        raise InputError(
            f"all {len(names)} labels in {label_field!r} are {classes[0]!r}; "
            "expected at least two classes"
        )
    number = {name: index for index, name in enumerate(classes)}
    return Labelled(
        ids=[one for one, _, _ in labelled],
        paths=[path for _, path, _ in labelled],
        labels=np.array([number[name] for name in names], np.int64),
        classes=classes,
        unlabeled=[one for one, _, label in rows if label is None],
        unreadable=unreadable,
    )


def _none_labelled(
    samples: Any, place: Place, count: int, unreadable: dict[str, str]
) -> str:
    bad = ""
    if unreadable:
        one, reason = next(iter(unreadable.items()))
        bad = f"; {len(unreadable)} more cannot be used, the first {one}: {reason}"
    return (
        f"none of the {count} {place.noun}s has a label in {place.label_field!r}{bad}; "
        f"label some, or pass another field. {_choices(samples)}"
    )
