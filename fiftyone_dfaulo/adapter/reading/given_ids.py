"""Ids of a run's items as callers give them, and what is said of unknown ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import fiftyone as fo
from bson import ObjectId
from fiftyone.core.collections import SampleCollection
from fiftyone.core.document import Document, DocumentView

from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.reading.mapped import check_not_mapped
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.storage.frames import shows_frames
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.errors import InputError

_DOCUMENTS = (Document, DocumentView)


def read_ids(target: LabelTarget, key: str, given: Any, name: str) -> list[str]:
    """Ids as strings, each once.

    Args:
        target: the labels that the run scored.
        key: the key of the run.
        given: a view, a single id or any iterable of ids. In place of an id, the
            sample itself, the frame, the patch or, of a run on objects, the label.
        name: what the caller calls it.

    Raises:
        InputError: if these are no ids, or a view of something else.
    """
    if isinstance(given, SampleCollection):
        check_not_mapped(given, target)
        if problem := _wrong_view(target, key, given, name):
            raise InputError(problem)
        return list(dict.fromkeys(given.values("id")))
    if _id_of(target, given) is not None:
        given = [given]
    elif isinstance(given, (*_DOCUMENTS, fo.Label)) or not isinstance(given, Iterable):
        raise InputError(f"{name} is a {type(given).__name__}; {_expected(target)}")
    ids: dict[str, None] = {}
    for one in given:
        found = _id_of(target, one)
        if found is None:
            raise InputError(f"{name} holds {_shown(one)}; {_expected(target)}")
        ids[found] = None
    return list(ids)


def _id_of(target: LabelTarget, one: Any) -> str | None:
    """The id that is given, or that of what is given; None if it has none."""
    if isinstance(one, (str, ObjectId)):
        return str(one)
    labels = isinstance(one, fo.Label) and target.patches_field is not None
    return one.id if isinstance(one, _DOCUMENTS) or labels else None


def _shown(one: object) -> str:
    if isinstance(one, (*_DOCUMENTS, fo.Label)):
        return f"a {type(one).__name__}{'' if one.id else ' that no dataset holds'}"
    return repr(one)[:80]


def _expected(target: LabelTarget) -> str:
    return f"expected {target.noun} ids or a view"


def _wrong_view(target: LabelTarget, key: str, view: Samples, name: str) -> str | None:
    """Why a view does not consist of items of a run; None if it does.

    Args:
        target: the labels that the run scored.
        key: the key of the run.
        view: the view.
        name: what the caller calls it.

    Raises:
        InputError: if it shows patches of something else.
    """
    if target.frames and not shows_frames(view):
        return (
            f"{name} is a view of videos, and brain run {key!r} is about "
            f"their frames; pass ids of {target.noun}s, or a view made by to_frames()"
        )
    if target.patches_field and not target.shows_patches(view):
        return (
            f"{name} is a view of samples, and brain run {key!r} is about "
            f"the objects in them; pass ids of objects, or a view made by "
            f"to_patches({target.label_field!r})"
        )
    return None


def not_in_dataset(target: LabelTarget, dataset: Dataset, ids: Sequence[str]) -> str:
    """Says that a dataset has no items with these ids, and what was probably meant."""
    return (
        f"dataset {dataset.name!r} has no {target.noun}s with these ids: "
        f"{_some(ids)}; nothing was changed" + _advice(target, dataset, ids)
    )


def not_scored(target: LabelTarget, key: str, ids: Sequence[str]) -> str:
    """Says that a run has no score for these items."""
    return (
        f"brain run {key!r} has no score for these {target.noun}s: "
        f"{_some(ids)}; nothing was changed. Leave them out, or run "
        "compute_suspiciousness on them"
    )


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
    return ", ".join(ids[:3]) + more


def _advice(target: LabelTarget, dataset: Dataset, ids: Sequence[str]) -> str:
    """What to do if ids of samples were given for those of objects, or of frames."""
    known = [ObjectId(one) for one in ids if ObjectId.is_valid(one)]
    query = {"_id": {"$in": known}}
    if target.frames and Storage(dataset).collection.count_documents(query):
        return (
            f". They are videos: pass the ids of {target.noun}s; in the App, select "
            "these in a view with the stage ToFrames"
        )
    documents = target.storage(dataset).collection
    if not target.patches_field or not documents.count_documents(query):
        return ""
    return (
        f". They are {'frame' if target.frames else 'sample'}s: pass the ids of "
        f"objects in {target.attributes_path!r}; in the App, select patches of "
        f"{target.label_field!r}"
    )
