"""What a selection in the grid says: which items are faulty, which correct.

In a view of patches the App's samples are patches, and their ids those of the objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import fiftyone as fo

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.verdicts import (
    EVERY_VERDICT,
    read_verdicts,
    write_verdicts,
)
from fiftyone_dfaulo.adapter.review.views import view_ids
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.review_target import showable
from fiftyone_dfaulo.plugin.host import Context, selected_samples

VerdictChange = tuple[str, "str | None", str]
"""Id of an item, its verdict before, and the one after."""


class Selected(NamedTuple):
    """Ids of the items selected in the grid, by the type of their selection."""

    faulty: list[str]
    correct: list[str]

    def __bool__(self) -> bool:
        return bool(self.faulty or self.correct)


def read_selection(ctx: Context, review: ReviewSession) -> Selected:
    """Reads a normal selection as faulty, an alternative one (Alt+click) as correct."""
    faulty: list[str] = []
    correct: list[str] = []
    for one, kind in _selection(ctx, review):
        (correct if kind == "alt" else faulty).append(one)
    return Selected(faulty, correct)


def selected_ids(ctx: Context, review: ReviewSession) -> list[str]:
    """Ids of what is selected in the App: samples, patches, or labels of the run."""
    return [one for one, _ in _selection(ctx, review)]


def _selection(ctx: Context, review: ReviewSession) -> list[tuple[str, str | None]]:
    """Ids with the types of their selection; labels come before samples.

    But not before patches: a label that was selected in one of them stays so, unseen,
    once it is closed.
    """
    labels, field = ctx.selected_labels or [], review.target.patches_field
    _check_selection(ctx, labels)
    patches = ctx.selected and ctx.view is not None and ctx.view._is_patches
    ours = [one for one in labels if field and one.get("field") == field]
    if ours and not patches:
        return [(one["label_id"], one.get("type")) for one in ours]
    known = {s["id"]: s.get("type") for s in selected_samples(ctx)}
    return [(sample, known.get(sample)) for sample in ctx.selected]


def _check_selection(ctx: Context, labels: Any) -> None:
    """Makes sure that what is selected has ids, whoever has sent the request."""
    given = [*labels, *selected_samples(ctx)]
    if not all(isinstance(one, Mapping) for one in given) or not all(
        isinstance(one, str)
        for one in (*ctx.selected, *(one.get("id", "") for one in given))
    ):
        raise InputError("The selection holds something that is no id; select anew")


def batch_of(view: Samples) -> list[str] | None:
    """Ids of the samples in the grid, if it shows a batch; else None.

    A batch is an ordered selection; that the view itself says so, and no state, lets
    a review go on after the page was loaded again. Longer lists, of which most samples
    are never looked at, are :func:`no_batch`.
    """
    return None if whole_batch_of(view) is None else view_ids(view)


def whole_batch_of(view: Samples) -> list[str] | None:
    """As :func:`batch_of`, also what the filters of the sidebar leave out."""
    stages = view._stages
    ordered = [one for one in stages if isinstance(one, fo.Select) and one.ordered]
    limited = any(isinstance(one, fo.Limit) for one in stages)
    return list(ordered[-1].sample_ids) if ordered and not limited else None


def no_batch(view: Samples, count: int) -> Samples:
    """The same samples in the same order, which :func:`batch_of` takes for no batch.

    Args:
        view: a view.
        count: the most samples that it can hold.
    """
    return view.limit(count)


def shows_list(view: Samples) -> bool:
    """Whether this is such a view, or part of it."""
    ordered = any(isinstance(one, fo.Select) and one.ordered for one in view._stages)
    return ordered and whole_batch_of(view) is None


def list_view(ctx: Context, review: ReviewSession, ids: Sequence[str]) -> Samples:
    """A view of these items, in their order, that is no batch.

    Raises:
        InputError: as :func:`.review_target.showable`.
    """
    view = review.target.select(showable(ctx, review), ids)
    return no_batch(view, len(ids))


def mark_verdicts(
    review: ReviewSession, selected: Selected, *, by: str | None = None
) -> list[VerdictChange]:
    """Records verdicts.

    Returns:
        what changed, for :func:`unmark_verdicts`.
    """
    before = read_verdicts(review, [*selected.faulty, *selected.correct])
    write_verdicts(review, faulty=selected.faulty, correct=selected.correct, by=by)
    after = {
        **dict.fromkeys(selected.faulty, "faulty"),
        **dict.fromkeys(selected.correct, "correct"),
    }
    return [(i, before.get(i), v) for i, v in after.items() if before.get(i) != v]


def unmark_verdicts(
    review: ReviewSession, changes: Sequence[Sequence[Any]], *, by: str | None = None
) -> tuple[int, int]:
    """Gives items the verdicts they had before :func:`mark_verdicts`.

    Items that were deleted, or that somebody has marked otherwise since, are left
    alone.

    Returns:
        the number of items given their verdict back, and of those left alone.
    """
    now = read_verdicts(review, [change[0] for change in changes])
    kinds = (*EVERY_VERDICT, None)
    back: Mapping[str | None, list[str]] = {kind: [] for kind in kinds}
    for one, before, after in changes:
        if now.get(one, "") == after:
            back[before].append(one)
    count = sum(map(len, back.values()))
    if count:
        given = {kind or "cleared": ids for kind, ids in back.items()}
        write_verdicts(review, **given, by=by, source=None)
    return count, len(changes) - count
