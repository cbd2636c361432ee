"""Views of the frames of videos, and how they show what a run has written.

FiftyOne copies the frames of a frames view into a hidden dataset of their own, which
keeps their ids. A run reads its labels there, and writes to the frames of the videos
themselves, so that its results survive the view; :func:`show` then copies what was
written into the view, as FiftyOne copied the rest when it made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import fiftyone as fo
from bson import ObjectId
from fiftyone.core.video import FramesView

from fiftyone_dfaulo.adapter.host import Field, Samples
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.storage.schema import TOKEN
from fiftyone_dfaulo.errors import InputError

TO_FRAMES = "to_frames(sample_frames=True)"
"""What makes a view that can be scored."""

_IN_ONE_QUERY = 100_000


def frames_view(samples: Samples) -> Samples | None:
    """The frames view that samples are, or are patches of; None if they are not."""
    while samples is not None and not isinstance(samples, FramesView):
        samples = getattr(samples, "_source_collection", None)
    return samples


def shows_frames(samples: Samples) -> bool:
    """Whether samples are frames of videos, or patches of them."""
    return frames_view(samples) is not None


def check_frames(view: Samples) -> None:
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


def show(samples: Samples, label_field: str, ids: Iterable[Any] | None = None) -> None:
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
    _copy(view, {path.partition(".")[0] for path in (label_field, *ours)}, ids)
    shown.reload()


def _run_fields(schema: Mapping[str, Field]) -> dict[str, Field]:
    return {path: f for path, f in schema.items() if (f.info or {}).get(TOKEN)}


def _copy(view: Samples, names: Iterable[str], ids: Iterable[Any] | None) -> None:
    """Copies fields of frames from the videos into the view's hidden dataset."""
    some = {} if ids is None else {"_id": {"$in": [ObjectId(one) for one in ids]}}
    copied = {name: {"$ifNull": [f"${name}", None]} for name in names}
    into = {
        "into": view._frames_dataset._sample_collection_name,
        "on": "_id",
        "whenMatched": "merge",
        "whenNotMatched": "discard",
    }
    stages: list[dict[str, Any]] = [
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
