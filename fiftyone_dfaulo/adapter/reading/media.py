"""Which datasets and views can be used: images, frames of videos, or parts of some."""

from __future__ import annotations

import fiftyone as fo
from fiftyone.core.collections import SampleCollection

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.storage.frames import TO_FRAMES, check_frames, frames_view
from fiftyone_dfaulo.errors import InputError


def check_samples(samples: Samples) -> None:
    """Makes sure that these are images or frames, or patches, and that there are some.

    Of a grouped dataset, it is the samples of the active slice.

    Args:
        samples: a dataset or view.

    Raises:
        InputError: if it is neither, is empty, holds other media than images, or its
            samples are parts of others (clips, groups by a field, or pairs of
            patches); or if it is a view of frames that have no image files, or that
            the videos no longer have.
    """
    if not isinstance(samples, SampleCollection):
        raise InputError(
            f"samples is a {type(samples).__name__}; expected a FiftyOne dataset or "
            "view"
        )
    problem = _kind_problem(samples) or _media_problem(samples)
    if problem:
        raise InputError(problem)
    if len(samples.limit(1)) == 0:  # a database that was killed miscounts datasets
        what = "dataset" if isinstance(samples, fo.Dataset) else "view"
        raise InputError(
            f"the {what} is empty; pass a dataset or view that holds labelled images"
        )
    frames = frames_view(samples)
    if frames is not None:
        check_frames(frames)


def _kind_problem(samples: Samples) -> str | None:
    if samples._is_patches and not isinstance(samples._patches_stage, fo.ToPatches):
        return (
            "this is a view of evaluation patches; pass the dataset, or a view by "
            "to_patches() of the field with the labels"
        )
    if samples._is_clips:
        return (
            "this is a view of video clips; scoring works on images only. Pass a view "
            f"of their frames, by {TO_FRAMES}; in the App, add the stage ToFrames"
        )
    if samples._is_dynamic_groups:
        return "this view is grouped by a field; pass the view without group_by()"
    return None


def _media_problem(samples: Samples) -> str | None:
    media_type = samples.media_type
    if media_type in (None, "image"):  # None: no samples yet
        return None
    if media_type == "group":
        return _group_problem(samples)
    if media_type == "video":
        return (
            "the samples are videos; scoring works on images only. Pass a view of "
            f"their frames, by {TO_FRAMES}; in the App, add the stage ToFrames"
        )
    return f"the samples are of media type {media_type!r}; scoring works on images only"


def _group_problem(samples: Samples) -> str | None:
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
