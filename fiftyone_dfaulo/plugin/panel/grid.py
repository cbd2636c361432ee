"""What the panel has the grid show: a batch, a part of the samples, or a list."""

from __future__ import annotations

from collections.abc import Sequence

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.audit import SIZE, draw_audit
from fiftyone_dfaulo.adapter.review.views import most_suspicious, view_ids
from fiftyone_dfaulo.adapter.runs.saved_view import find_view
from fiftyone_dfaulo.checks import check_whole_number
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.current_run import tile_fields
from fiftyone_dfaulo.plugin.app.review_target import showable
from fiftyone_dfaulo.plugin.app.selection import list_view
from fiftyone_dfaulo.plugin.host import JsonDict
from fiftyone_dfaulo.plugin.panel.events import Event
from fiftyone_dfaulo.plugin.panel.facts import (
    NEAR_DUPLICATES,
    filtered,
    near_duplicates,
)


def show_ranked(event: Event, *, instead: bool = False) -> None:
    """Shows the run's saved view, or the same anew.

    Not of a run on frames: the videos in the grid would have to be turned into them.

    Args:
        event: the event.
        instead: whether also where the grid shows a view, as the batch of another run.
    """
    review = event.shown
    if review.target.frames or (event.view._stages and not instead):
        return
    event.ops.set_active_fields(tile_fields(review.config))
    name = find_view(review.dataset, review.key, review.config.fields)
    if name is not None:
        event.ops.set_view(name=name)
    else:
        ranked = most_suspicious(review.dataset, review.key, review.config)
        event.ops.set_view(ranked)


def show_batch(event: Event) -> None:
    """Shows the most suspicious unchecked items, of the part that is chosen.

    Raises:
        DFauLoError: if there is no run to review, the size of a batch makes no sense,
            or no item is left.
    """
    review, part = event.shown, event.state.filter
    size = check_whole_number("batch_size", event.batch_size, 1)
    whole = showable(event.ctx, review)
    view = most_suspicious(
        filtered(whole, review, part),
        review.key,
        review.config,
        limit=size,
        unreviewed=True,
    )
    ids = view_ids(view)
    if not ids:
        noun = review.target.noun
        raise InputError(f"No unchecked {noun} is left" + " here" * bool(part))
    if part == NEAR_DUPLICATES:
        ids = near_duplicates(review, ids)
    _show_unchecked(event, whole, ids)


def show_audit(event: Event) -> None:
    """Shows items drawn at random, whose verdicts tell how many faults there are.

    Raises:
        DFauLoError: if there is no run to review, or all that was drawn is checked.
    """
    whole = showable(event.ctx, event.shown)
    ids = draw_audit(event.shown, SIZE)
    event.ops.reload_dataset()  # it may have a new field
    _show_unchecked(event, whole, ids)


def _show_unchecked(event: Event, whole: Samples, ids: list[str]) -> None:
    review = event.shown
    event.keep("batch_run", review.key)
    event.ops.set_selected_samples([])
    event.show_batch_of([len(ids), len(ids)])
    event.show(review.target.select(whole, ids))


def show_part(event: Event, chosen: JsonDict | None) -> None:
    """Chooses the part that batches come from, and shows all of it.

    Args:
        event: the event.
        chosen: as of :func:`.facts.filtered`.

    Raises:
        DFauLoError: if there is no run to review.
    """
    review = event.shown
    if chosen == NEAR_DUPLICATES:
        view = list_view(event.ctx, review, near_duplicates(review))
    else:
        samples = filtered(showable(event.ctx, review), review, chosen)
        # a row counts the unchecked samples; bars and reasons count all
        unreviewed = "looks_like" in (chosen or {})
        view = most_suspicious(
            samples, review.key, review.config, unreviewed=unreviewed
        )
    event.state.filter = chosen
    event.show(view)


def show_list(event: Event, ids: Sequence[str]) -> None:
    """Shows all of these items, in their order."""
    event.ops.set_view(list_view(event.ctx, event.shown, ids))
