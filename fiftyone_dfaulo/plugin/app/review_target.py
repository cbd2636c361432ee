"""What a review in the App works on: the dataset, or frames of its videos."""

from __future__ import annotations

from typing import Any

import fiftyone.core.media as fom

from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig, load_config
from fiftyone_dfaulo.adapter.targets.frames import frames_view
from fiftyone_dfaulo.errors import InputError


def reviewed(ctx: Any, brain_key: str) -> Any:
    """The samples that a review is about: the dataset.

    Of a run on frames, it is the frames that the grid's view was made of, if it is a
    view of frames, which then shows what is written.
    """
    view = _frames(ctx)
    config = load_config(ctx.dataset, brain_key)
    return view if config.frames and view is not None else ctx.dataset


def showable(ctx: Any, brain_key: str) -> Any:
    """What views of a run's items are made of: as :func:`reviewed`, or all frames.

    All that have images, where the grid shows videos, or frames as they were before
    the run.

    Raises:
        InputError: if the active group slice is one that the run is not on.
    """
    config = load_config(ctx.dataset, brain_key)
    if not config.frames:
        _check_slice(ctx.dataset, brain_key, config)
        return ctx.dataset
    view = _frames(ctx)
    if view is None or not view.has_field(config.run_fields.suspiciousness):
        return ctx.dataset.to_frames()
    return view


def _frames(ctx: Any) -> Any | None:
    """All frames of the view of frames in the grid, if it shows one, or its patches."""
    view = frames_view(ctx.view)
    return None if view is None else view._base_view


def whole_target(ctx: Any, brain_key: str) -> str:
    """Which of a form's view targets is all that a run may score again.

    Raises:
        InputError: if the run is on frames, and the grid shows no view of all of them;
            or if the active group slice is one that the run is not on.
    """
    config = load_config(ctx.dataset, brain_key)
    if not config.frames:
        _check_slice(ctx.dataset, brain_key, config)
        return "DATASET"
    if frames_view(ctx.view) is not None and not ctx.view._is_patches:
        return "BASE_VIEW"
    raise InputError(
        f"Run {brain_key!r} is on frames of these videos; show them first, by the "
        "stage ToFrames, and ask again"
    )


def _check_slice(dataset: Any, brain_key: str, config: DFauLoConfig) -> None:
    if dataset.media_type != fom.GROUP:
        return
    score = config.place.top or config.run_fields.suspiciousness
    name, scored = f"{dataset.group_field}.name", {score: {"$ne": None}}
    samples = dataset._sample_collection
    if samples.find_one({**scored, name: dataset.group_slice}, {"_id": True}):
        return
    slices = samples.distinct(name, scored)
    if slices:
        names = " and ".join(map(repr, slices))
        raise InputError(
            f"Run {brain_key!r} is on the group slice {names}, and the active one is "
            f"{dataset.group_slice!r}; switch the slice first"
        )
