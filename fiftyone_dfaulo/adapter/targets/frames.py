"""Views of the frames of videos, and how they show what a run has written.

FiftyOne copies the frames of a frames view into a hidden dataset of their own, which
keeps their ids. A run reads its labels there, and writes to the frames of the videos
themselves, so that its results survive the view; :func:`show` then copies what was
written into the view, as FiftyOne copied the rest when it made it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import fiftyone as fo
from bson import ObjectId
from fiftyone.core.video import FramesView

from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.adapter.targets.schema import TOKEN
from fiftyone_dfaulo.adapter.targets.storage import Storage
from fiftyone_dfaulo.errors import InputError

TO_FRAMES = "to_frames(sample_frames=True)"
"""What makes a view that can be scored."""

_IN_ONE_QUERY = 100_000


def frames_view(samples: Any) -> Any | None:
    """The frames view that samples are, or are patches of; None if they are not."""
    while samples is not None and not isinstance(samples, FramesView):
        samples = getattr(samples, "_source_collection", None)
    return samples


def path_in(samples: Any, place: Place, name: str) -> str:
    """What FiftyOne calls a field of the items' documents in a dataset or view."""
    if frames_view(samples) is not None:
        return name
    return place.storage(samples._root_dataset).path(name)


# ---- checks ----


def check_frames(view: Any) -> None:
    """Makes sure that frames have image files, and that results can be kept for them.

    Raises:
        InputError: if the frames are read from the videos as they are shown, or some
            are no longer frames of the videos.
    """
    if (view._frames_stage.config or {}).get("sample_frames") == "dynamic":
        raise InputError(
            "the frames of this view have no image files, as sample_frames='dynamic' "
            f"reads them from the videos; pass a view made by {TO_FRAMES}"
        )
    ids = [ObjectId(one) for one in view.values("id")]
    frames = Storage(view._root_dataset, frames=True).collection
    starts = range(0, len(ids), _IN_ONE_QUERY)
    parts = (ids[start : start + _IN_ONE_QUERY] for start in starts)
    known = sum(frames.count_documents({"_id": {"$in": part}}) for part in parts)
    if known < len(set(ids)):
        raise InputError(
            f"{len(set(ids)) - known} frames of this view are no longer frames of its "
            "videos; reload() the view, or make it anew by to_frames()"
        )


def check_kind(samples: Any, brain_key: str, place: Place) -> None:
    """Makes sure that a view of frames is not used with a run on samples.

    Raises:
        InputError: if it is.
    """
    if not place.frames and frames_view(samples) is not None:
        raise InputError(
            f"this is a view of video frames, and brain run {brain_key!r} has scored "
            f"{place.noun}s of the dataset itself; pass the dataset"
        )


def check_shown(samples: Any, brain_key: str, place: Place) -> None:
    """Makes sure that a dataset or view consists of what a run has scored.

    Raises:
        InputError: if it shows frames and the run is on samples, or videos and the run
            is on their frames.
    """
    check_kind(samples, brain_key, place)
    if place.frames and frames_view(samples) is None:
        raise InputError(
            f"brain run {brain_key!r} has scored frames of these videos; pass a view "
            f"of them, as by to_frames() or {TO_FRAMES}"
        )


# ---- showing what was written ----


def show(samples: Any, label_field: str, ids: Iterable[Any] | None = None) -> None:
    """Has a view of frames show what runs have written to the frames of the videos.

    Copies schema and values of the label field and of all fields of DFauLo runs, and
    takes away those of runs that are gone. Does nothing where samples are no view of
    frames, or FiftyOne has deleted the view's hidden dataset.

    Args:
        samples: what the run was given: a dataset or view.
        label_field: the label field of the frames.
        ids: of the frames that have changed; None for all.
    """
    view = frames_view(samples)
    if view is None or not fo.dataset_exists(view._frames_dataset.name):
        return
    source, shown = view._root_dataset, view._frames_dataset
    ours = _run_fields(source.get_frame_field_schema(flat=True))
    gone = [p for p in _run_fields(shown.get_field_schema(flat=True)) if p not in ours]
    if gone:
        shown.delete_sample_fields(gone)
    shown._sample_doc_cls.merge_field_schema(ours, overwrite=True)
    _copy(view, {label_field, *(path.partition(".")[0] for path in ours)}, ids)
    shown.reload()


def _run_fields(schema: dict[str, Any]) -> dict[str, Any]:
    return {path: f for path, f in schema.items() if (f.info or {}).get(TOKEN)}


def _copy(view: Any, names: Iterable[str], ids: Iterable[Any] | None) -> None:
    """Copies fields of frames from the videos into the view's hidden dataset."""
    some = {} if ids is None else {"_id": {"$in": [ObjectId(one) for one in ids]}}
    copied = {name: {"$ifNull": [f"${name}", None]} for name in names}
    into = {
        "into": view._frames_dataset._sample_collection_name,
        "on": "_id",
        "whenMatched": "merge",
        "whenNotMatched": "discard",
    }
    stages = [
        {"$match": some},
        {"$project": {**copied, "last_modified_at": True}},
        {"$merge": into},
    ]
    videos = view._source_collection
    if isinstance(videos, fo.DatasetView) and videos._needs_frames():
        # its stages may leave out frames, or labels of them
        videos._aggregate(frames_only=True, post_pipeline=stages)
    else:
        frames = Storage(view._root_dataset, frames=True)
        frames.collection.aggregate(stages, allowDiskUse=True)
