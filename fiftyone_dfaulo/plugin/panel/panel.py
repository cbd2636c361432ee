"""The panel ``dfaulo_review``: what its buttons do.

Its state is a cache and what the person is about to ask for: verdicts, scores and
labels lie in the dataset. The state holds ``facts``, what :func:`.facts.read_facts`
read last; ``filter``, the part of the samples that batches come from; ``undo``, the
last markings; ``why``, what was last shown beside its neighbours; ``damage``, what is
to be repaired; and the inputs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators.categories import Categories

from fiftyone_dfaulo.adapter.review.status import status_of
from fiftyone_dfaulo.adapter.review.verdicts import read_verdicts
from fiftyone_dfaulo.adapter.runs.colors import own_scheme
from fiftyone_dfaulo.adapter.runs.lookup import times_of_runs
from fiftyone_dfaulo.errors import DFauLoError, InputError
from fiftyone_dfaulo.plugin.app.current_run import choose_run, current_run
from fiftyone_dfaulo.plugin.app.selection import (
    Selected,
    batch_of,
    read_selection,
    shows_list,
)
from fiftyone_dfaulo.plugin.host import Context, JsonDict, Property, unstyle_selection
from fiftyone_dfaulo.plugin.panel import grid
from fiftyone_dfaulo.plugin.panel.events import Event, guarded
from fiftyone_dfaulo.plugin.panel.facts import BINS, read_damage, read_operation
from fiftyone_dfaulo.plugin.panel.facts_cache import recent_facts
from fiftyone_dfaulo.plugin.panel.looking import Looking, is_looked_at
from fiftyone_dfaulo.plugin.panel.marking import (
    mark,
    read_steps,
    rest_of_batch,
    take_back,
)
from fiftyone_dfaulo.plugin.panel.prompts import Prompts
from fiftyone_dfaulo.plugin.panel.view import build_lost, build_panel

logger = logging.getLogger(__name__)


class ReviewPanel(Looking, Prompts, foo.Panel):
    """Goes through the most suspicious samples in batches, beside the grid."""

    @property
    def config(self) -> foo.PanelConfig:
        """How FiftyOne lists the panel."""
        return foo.PanelConfig(
            name="dfaulo_review",
            label="DFauLo review",
            icon="rate_review",
            category=Categories.CURATE,
            help_markdown="Check the most suspicious labels in batches: mark those "
            "that are faulty, say that the rest is correct, and let the ranking learn.",
        )

    def render(self, ctx: Context) -> Property:
        """The panel, from its state alone."""
        try:
            return build_panel(self, ctx)
        except Exception:  # the state comes from the App, or an older version's
            logger.exception("The panel cannot show its state")
            return build_lost()

    def refresh(self, event: Event, *, fresh: bool = False) -> None:
        """Reads what the panel shows, ``fresh`` where something was just written."""
        dataset = event.dataset
        runs = times_of_runs(dataset)
        key = self._follow(event, runs)
        facts: dict[str, Any] = {
            "dataset_id": str(dataset._doc.id),
            "runs": list(runs),
            "operation": read_operation(dataset, runs),
        }
        if key is not None:
            try:
                review = event.review(key)
                facts |= recent_facts(review, event.usual_size, fresh=fresh)
            except DFauLoError as error:
                facts["problem"] = str(error)
        event.keep("facts", facts)
        self._tell_batch(event)

    def _tell_batch(self, event: Event) -> None:
        """Has this answer say what of a batch the grid shows: no other one does."""
        ids, batch = batch_of(event.view), None
        if ids and "status" in event.facts:
            given = read_verdicts(event.shown, ids)
            batch = [len(ids), sum(verdict is None for verdict in given.values())]
        event.show_batch_of(batch, looking=is_looked_at(event))

    def _follow(self, event: Event, runs: Mapping[str, str]) -> str | None:
        """The run to show; what was chosen and marked in another one ends with it."""
        before, key = event.state.run, current_run(event.ctx, runs)
        if before not in (None, key):
            event.keep("filter", None)
            event.keep("undo", None)
            event.keep("why", None)
            if key is not None:
                event.ops.notify(f"Now reviewing the run {key!r}", variant="info")
        event.keep("run", key)
        return key

    # ---- what FiftyOne tells ----

    @guarded
    def on_load(self, event: Event) -> None:
        """The panel opens."""
        event.whole = True
        event.show_selection_style()
        colors = own_scheme(event.dataset)
        if colors is not None:  # a run from Python: the App has read them before it
            event.ctx.trigger("set_color_scheme", colors)
        event.keep("damage", read_damage(event.dataset))
        self.refresh(event, fresh=True)
        if "status" in event.facts:
            grid.show_ranked(event)

    def on_unload(self, ctx: Context) -> None:
        """The panel closes."""
        unstyle_selection(ctx)

    @guarded
    def on_change_dataset(self, event: Event) -> None:
        """Another dataset: nothing of the old one's state fits."""
        for name in ("run", "filter", "undo", "batch_run", "share", "why"):
            event.ctx.panel.set_state(name, None)
        event.keep("damage", read_damage(event.dataset))
        self.refresh(event)

    @guarded
    def on_change_view(self, event: Event) -> None:
        """Another view, or other fields after a run."""
        self.refresh(event)

    @guarded
    def on_tick(self, event: Event) -> None:
        """While a scheduled run goes on."""
        self.refresh(event)

    @guarded
    def on_done(self, event: Event) -> None:
        """An operator that the panel asked for has been executed."""
        event.keep("damage", read_damage(event.dataset))
        self.refresh(event, fresh=True)

    @guarded
    def on_corrected(self, event: Event) -> None:
        """Labels were corrected, maybe after a look at the tiles of some."""
        if shows_list(event.view) and not is_looked_at(event):
            grid.show_corrected(event)
        self.refresh(event, fresh=True)

    # ---- choosing what to look at ----

    @guarded
    def choose_run(self, event: Event) -> None:
        """Another run in the dropdown."""
        choose_run(event.ctx, event.ctx.params["value"])
        self.refresh(event)
        grid.show_ranked(event, instead=True)

    @guarded
    def next_batch(self, event: Event) -> None:
        """Shows the most suspicious unchecked samples."""
        said = grid.show_batch(event)
        if said:
            event.ops.notify(said, variant="info")

    @guarded
    def audit(self, event: Event) -> None:
        """Shows samples drawn at random."""
        grid.show_audit(event)
        self.refresh(event, fresh=True)

    @guarded
    def show_stale(self, event: Event) -> None:
        """Shows the samples whose label was edited since the run."""
        stale = status_of(event.shown, event.usual_size).stale_ids
        grid.show_list(event, stale)

    @guarded
    def on_bar(self, event: Event) -> None:
        """A bar of the histogram."""
        low = int(float(event.ctx.params["x"]) * BINS) / BINS
        high = low + 1 / BINS
        grid.show_part(event, {"low": low, "high": 2.0 if high >= 1 - 1e-6 else high})

    @guarded
    def on_pair(self, event: Event) -> None:
        """A row of the table."""
        pair = event.facts["pairs"][int(event.ctx.params["row"])]
        grid.show_part(event, {n: value for n, value in pair.items() if n != "count"})

    @guarded
    def on_alike(self, event: Event) -> None:
        """A row of the table of classes that may be one."""
        two = event.facts["alike"][int(event.ctx.params["row"])]
        grid.show_part(event, {"alike": [two["one"], two["other"]]})

    @guarded
    def on_class(self, event: Event) -> None:
        """A row of the table of classes."""
        one = event.facts["classes"][int(event.ctx.params["row"])]
        grid.show_part(event, {"given": one["given"]})

    @guarded
    def on_reason(self, event: Event) -> None:
        """A reason in the dropdown."""
        value = event.ctx.params.get("value")
        grid.show_part(event, {"reason": value} if value else None)

    @guarded
    def show_all(self, event: Event) -> None:
        """Takes the filter away."""
        event.state.reason = None
        grid.show_part(event, None)

    # ---- verdicts ----

    @guarded
    def mark_selected(self, event: Event) -> None:
        """Clicked samples are faulty, Alt+clicked ones correct."""
        selected = read_selection(event.ctx, event.shown)
        if not selected:
            raise InputError(
                f"No {event.shown.target.noun} is selected. Click its box in the grid "
                "if the label is faulty, Alt+click it if it is correct"
            )
        self._mark(event, selected)

    @guarded
    def rest_is_correct(self, event: Event) -> None:
        """Marks the selection, and the rest of the batch in the grid correct."""
        self._mark(event, rest_of_batch(event, "correct"))

    @guarded
    def rest_is_faulty(self, event: Event) -> None:
        """Marks the selection, and the rest of the batch in the grid faulty."""
        self._mark(event, rest_of_batch(event, "faulty"))

    def _mark(self, event: Event, selected: Selected) -> None:
        """Marks; if the batch is done then, the next one follows."""
        done = mark(event, selected)
        said = f"Marked: {len(selected.faulty)} faulty, {len(selected.correct)} correct"
        event.ops.set_selected_samples([])
        self.refresh(event, fresh=True)
        if done:
            said += f". {grid.go_on(event)}"
        else:
            event.show_written()
        event.ops.notify(said, variant="success")

    @guarded
    def undo_marking(self, event: Event) -> None:
        """Takes the last marking back, and shows what it was of."""
        self._undo(event, read_steps(event.state.undo)[-1:])

    @guarded
    def undo_to(self, event: Event) -> None:
        """Takes a marking of the list back, and all that were made after it."""
        event.state.undo_to = None
        number, steps = event.ctx.params.get("value"), read_steps(event.state.undo)
        if number in map(str, range(len(steps))):
            self._undo(event, steps[int(number) :])

    def _undo(self, event: Event, steps: list[JsonDict]) -> None:
        if not steps:
            raise InputError("Nothing was marked here since the panel was opened")
        event.ops.notify(take_back(event, steps), variant="success")
        self.refresh(event, fresh=True)
