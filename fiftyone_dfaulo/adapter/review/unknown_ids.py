"""Messages about ids, or a view, that are not of the items of a run."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.storage.frames import shows_frames
from fiftyone_dfaulo.adapter.targets.base import LabelTarget


def wrong_view(target: LabelTarget, key: str, view: Samples, name: str) -> str | None:
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
