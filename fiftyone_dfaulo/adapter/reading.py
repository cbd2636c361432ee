"""Reads a dataset or view: checks that it can be used, and its ids, paths and labels.

Everything is read by sample id, so any order, filter or limit of a view will do.
"""

from __future__ import annotations

from operator import itemgetter
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
from fiftyone_dfaulo.adapter.runs import DFauLo
from fiftyone_dfaulo.errors import InputError

__all__ = [
    "EmbeddingSource",
    "Labelled",
    "check_embeddings",
    "check_label_field",
    "check_samples",
    "list_embeddings",
    "list_label_fields",
    "read_embeddings",
    "read_labels",
]


class Labelled(NamedTuple):
    """The labelled samples of a dataset or view, in the order of their ids.

    Attributes:
        ids: sample ids of the N labelled samples, each once.
        paths: paths of their images.
        labels: int64 (N,), index into ``classes``.
        classes: names of the classes that occur, sorted.
        unlabeled: ids of the samples without a label.
    """

    ids: list[str]
    paths: list[str]
    labels: np.ndarray
    classes: list[str]
    unlabeled: list[str]


def check_samples(samples: Any) -> None:
    """Makes sure that these are images, one a sample, and that there are some.

    Args:
        samples: a dataset or view.

    Raises:
        InputError: if it is neither, is empty, holds other media than images, or its
            samples are parts of others (patches, frames, clips, groups).
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
    if samples._is_patches:
        return (
            "this is a view of patches; scoring works on whole images. Export the "
            "patches as images, load them as a dataset of their own, and use that"
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
        types = samples.group_media_types
        images = [name for name, kind in types.items() if kind == "image"]
        if images:
            return (
                "the dataset is grouped; pass one slice of images, such as "
                f"dataset.select_group_slices({images[0]!r}). Slices of images: "
                f"{', '.join(images)}"
            )
        return "the dataset is grouped and none of its slices holds images"
    if media_type == "video":
        return (
            "the samples are videos; scoring works on images only. Pass an image "
            "dataset made from the frames, as by "
            "dataset.to_frames(sample_frames=True).clone()"
        )
    return f"the samples are of media type {media_type!r}; scoring works on images only"


def list_label_fields(samples: Any) -> dict[str, int]:
    """The fields that can be scored: Classification fields of the samples themselves.

    The suggestions that earlier DFauLo runs wrote, and the true labels of planted
    faults, are not among them.

    Args:
        samples: a dataset or view.

    Returns:
        field name to its number of samples that have a label, in the order of the
        schema.
    """
    schema = samples.get_field_schema(
        ftype=fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification
    )
    others = {*_fields_of_runs(samples), *true_label_fields(samples._root_dataset)}
    names = [name for name in schema if name not in others]
    counts = samples.aggregate([fo.Count(f"{name}.label") for name in names])
    return dict(zip(names, counts))


def _fields_of_runs(samples: Any) -> dict[str, str]:
    """Field name to the key of the DFauLo run that it belongs to."""
    dataset = samples._root_dataset
    return {
        name: key
        for key in dataset.list_brain_runs(type=DFauLo)
        for name in dataset.get_brain_info(key).config.fields
    }


def check_label_field(samples: Any, label_field: Any) -> None:
    """Makes sure that this is a Classification field of the samples.

    Raises:
        InputError: if there is no such field, it is of another type, the view leaves
            it out, or a DFauLo run writes it.
    """
    if not isinstance(label_field, str):
        raise InputError(
            f"label_field={label_field!r} is a {type(label_field).__name__}; "
            "expected the name of a field"
        )
    field = samples.get_field_schema().get(label_field)
    if field is None:
        raise InputError(_missing_field(samples, label_field))
    kind = getattr(field, "document_type", type(field))
    if not issubclass(kind, fo.Classification):
        raise InputError(
            f"label_field={label_field!r} is a {kind.__name__} field; expected a "
            f"Classification field. {_choices(samples)}"
        )
    owner = _fields_of_runs(samples).get(label_field)
    if owner is not None:
        raise InputError(
            f"label_field={label_field!r} is written by the DFauLo run {owner!r}; "
            f"pass the field with the given labels. {_choices(samples)}"
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
    return f"Classification fields here: {names or 'none'}"


def read_labels(samples: Any, label_field: str) -> Labelled:
    """Reads ids, paths and labels, and sets the samples without a label apart.

    A sample that a view holds twice (``concat``) is read once. They come in the order
    of their ids, so that a sorted view gives the same scores as an unsorted one.

    Args:
        samples: a dataset or view that :func:`check_samples` accepts.
        label_field: a field that :func:`check_label_field` accepts.

    Raises:
        InputError: if no sample has a label, or all have the same.
    """
    rows = zip(*samples.values(["id", "filepath", f"{label_field}.label"]))
    unique = {i: (path, label) for i, path, label in sorted(rows, key=itemgetter(0))}
    unlabeled = [i for i, (_, label) in unique.items() if label is None]
    labelled = {i: row for i, row in unique.items() if row[1] is not None}
    if not labelled:
        raise InputError(
            f"none of the {len(unique)} samples has a label in {label_field!r}; "
            f"label some, or pass another field. {_choices(samples)}"
        )
    names = [label for _, label in labelled.values()]
    classes = sorted(set(names))
    if len(classes) < 2:
        raise InputError(
            f"all {len(names)} labels in {label_field!r} are {classes[0]!r}; "
            "expected at least two classes"
        )
    number = {name: index for index, name in enumerate(classes)}
    return Labelled(
        ids=list(labelled),
        paths=[path for path, _ in labelled.values()],
        labels=np.array([number[name] for name in names], np.int64),
        classes=classes,
        unlabeled=unlabeled,
    )
