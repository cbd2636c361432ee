"""What a review in the App works on: the dataset, or frames of its videos."""

from __future__ import annotations

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading.mapped import check_not_mapped
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.storage.frames import frames_view
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.host import Context


def open_in_app(
    ctx: Context, brain_key: str, *needed: str, recent: bool = False
) -> ReviewSession:
    """The review of a run, on the dataset.

    Of a run on frames, it is on the frames that the grid's view was made of, if it is a
    view of frames, which then shows what is written.

    Args:
        ctx: the context of the request.
        brain_key: the key of the run.
        *needed, recent: as of :func:`.session.open_review`.

    Raises:
        DFauLoError: as there; also if the grid shows other labels than the dataset
            holds, so that nobody judges or corrects what is not there.
    """
    # FiftyOne has loaded the dataset anew for this request
    review = open_review(ctx.dataset, brain_key, *needed, reload=False, recent=recent)
    if ctx.view is not None:
        check_not_mapped(ctx.view, review.target)
    view = _frames(ctx)
    return review.on(view) if review.target.frames and view is not None else review


def showable(ctx: Context, review: ReviewSession) -> Samples:
    """What views of a run's items are made of: what is reviewed, or all frames.

    All that have images, where the grid shows videos, or frames as they were before
    the run.

    Raises:
        InputError: if the active group slice is one that the run is not on.
    """
    if not review.target.frames:
        _check_slice(review)
        return review.dataset
    view = _frames(ctx)
    if view is None or not view.has_field(review.fields.suspiciousness):
        return review.dataset.to_frames()
    return view


def _frames(ctx: Context) -> Samples | None:
    """All frames of the view of frames in the grid, if it shows one, or its patches."""
    view = frames_view(ctx.view)
    return None if view is None else view._base_view


def whole_target(ctx: Context, review: ReviewSession) -> str:
    """Which of a form's view targets is all that a run may score again.

    Raises:
        InputError: if the run is on frames, and the grid shows no view of all of them;
            or if the active group slice is one that the run is not on.
    """
    if not review.target.frames:
        _check_slice(review)
        return "DATASET"
    if frames_view(ctx.view) is not None and not ctx.view._is_patches:
        return "BASE_VIEW"
    raise InputError(
        f"Run {review.key!r} is on frames of these videos; show them first, by the "
        "stage ToFrames, and ask again"
    )


def _check_slice(review: ReviewSession) -> None:
    slices = review.other_slices()
    if slices:
        names = " and ".join(map(repr, slices))
        raise InputError(
            f"Run {review.key!r} is on the group slice {names}, and the active one is "
            f"{review.dataset.group_slice!r}; switch the slice first"
        )
