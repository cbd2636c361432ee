"""What the panel has the grid show: a batch, a part of the samples, or a list."""

from __future__ import annotations

from collections.abc import Sequence

from fiftyone_dfaulo.adapter.review.audit import SIZE, draw_audit
from fiftyone_dfaulo.adapter.review.batches import Batch, lowest_shown, take_batch
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

PATCHES = 10_000
"""Objects that the grid shows at once: their patches are made in a quarter of a second,
and nobody looks at more. Nor is more than this marked in one go."""


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
    name = find_view(review.dataset, review.config.fields)
    if name is not None:
        event.ops.set_view(name=name)
    else:
        ranked = most_suspicious(review.dataset, review.key, review.config)
        event.ops.set_view(ranked)


def go_on(event: Event) -> str:
    """Shows the next batch after one was marked; says what was learned.

    Or why there is no next one.
    """
    try:
        return show_batch(event, reload=True)
    except InputError as error:
        event.show_written()
        return str(error)


def show_batch(event: Event, *, reload: bool = False, at_least: int = 0) -> str:
    """Shows the most suspicious unchecked items, of the part that is chosen.

    The ranking learns from the verdicts first, if that pays.

    Args:
        event: the event.
        reload: whether something else was written.
        at_least: items in the batch, where the usual number is smaller.

    Returns:
        what it has learned, as a sentence; empty before any verdict.

    Raises:
        DFauLoError: if there is no run to review, the size of a batch makes no sense,
            or no item is left.
    """
    review, part = event.shown, event.state.filter
    size = check_whole_number("batch_size", event.batch_size, 1)
    whole, among = showable(event.ctx, review), None
    if review.target.frames:  # the view may be of some videos only
        among = set(view_ids(review.target.narrow(whole, None)))
    batch = take_batch(review, max(size, at_least), part, among)
    ids = batch.ids
    if not ids:
        noun = review.target.noun
        others = "; 'Show all' goes on with the others" if part else ""
        raise InputError(f"No unchecked {noun} is left{' here' * bool(part)}{others}")
    if part == NEAR_DUPLICATES:
        ids = near_duplicates(review, ids)
    if batch.learned or reload:
        event.ops.reload_dataset()
    show_unchecked(event, ids, batch.faults / len(batch.ids))
    return _learned(batch, event)


def _learned(batch: Batch, event: Event) -> str:
    if batch.learned:
        more = f": about {batch.gain:,.0f} more faults here" * (batch.gain >= 1.5)
        return f"The ranking has learned from the verdicts{more}"
    if event.facts["status"]["faulty"] + event.facts["status"]["correct"]:
        return "The ranking stays: learning would bring no more faults here"
    return ""


def show_audit(event: Event) -> None:
    """Shows items drawn at random, whose verdicts tell how many faults there are.

    Raises:
        DFauLoError: if there is no run to review, or all that was drawn is checked.
    """
    showable(event.ctx, event.shown)  # before anything is drawn
    ids = draw_audit(event.shown, SIZE)
    event.ops.reload_dataset()  # it may have a new field
    show_unchecked(event, ids)


def show_unchecked(
    event: Event, ids: Sequence[str], share: float | None = None
) -> None:
    """Shows a batch.

    Args:
        event: the event.
        ids: of its items, none of which has a verdict.
        share: how many of them are probably faults, from 0 to 1; None if that is not
            known.
    """
    event.keep("share", None if share is None else f"{share:.3f}")
    show_checked(event, ids, len(ids))


def show_checked(event: Event, ids: Sequence[str], unchecked: int) -> None:
    """Shows a batch of which some may be checked.

    Args:
        event: the event.
        ids: of its items.
        unchecked: how many of these have no verdict.
    """
    review = event.shown
    whole = showable(event.ctx, review)
    event.keep("batch_run", review.key)
    event.ops.set_selected_samples([])
    event.show_selection_style()  # the App forgets it where it loads a saved view
    event.show_batch_of([len(ids), unchecked])
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
        # a row of confused classes counts the unchecked samples; all others count all
        unreviewed = bool({"looks_like", "alike"} & (chosen or {}).keys())
        count = _count_of_row(event, chosen)
        if 0 < count <= PATCHES:
            event.state.filter = chosen
            show_batch(event, at_least=count)  # can be marked in one go
            return
        samples = showable(event.ctx, review)
        lowest = _lowest(event, chosen, unreviewed)
        view = most_suspicious(
            filtered(samples, review, chosen, lowest),
            review.key,
            review.config,
            unreviewed=unreviewed,
        )
    event.state.filter = chosen
    event.show(view)


def _lowest(event: Event, chosen: JsonDict | None, unreviewed: bool) -> float:
    """Where a part ends for the grid: FiftyOne makes a patch of each object in it."""
    review = event.shown
    if not review.target.patches_field:
        return 0.0
    lowest, count = lowest_shown(review, chosen, PATCHES, unreviewed)
    if lowest:
        shown = f"The {PATCHES:,} most suspicious of {count:,} {review.target.noun}s"
        event.ops.notify(f"{shown} are shown", variant="info")
    return lowest


def _count_of_row(event: Event, chosen: JsonDict | None) -> int:
    """How many items a row of confused classes stands for; 0 if it is no such row."""
    pairs: list[JsonDict] = event.facts["pairs"]
    return sum(pair["count"] for pair in pairs if chosen == _without_count(pair))


def _without_count(pair: JsonDict) -> JsonDict:
    return {name: value for name, value in pair.items() if name != "count"}


def show_corrected(event: Event) -> None:
    """Shows all whose label is corrected."""
    original = event.shown.own.original_label
    found = event.shown.find(None, {original: {"$ne": None}})
    show_list(event, [str(item["_id"]) for item in found])


def show_list(event: Event, ids: Sequence[str]) -> None:
    """Shows all of these items, in their order."""
    event.ops.set_view(list_view(event.ctx, event.shown, ids))
