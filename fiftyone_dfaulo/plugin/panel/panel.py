"""The panel ``dfaulo_review``: what its buttons do.

Its state is a cache and what the person is about to ask for: verdicts, scores and
labels lie in the dataset. The state holds ``facts``, what
:func:`.facts.read_facts` read last; ``filter``, the part
of the samples that batches come from; ``undo``, the last markings; and the inputs.
"""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dfaulo.adapter.review.learning import review_status, update_suspiciousness
from fiftyone_dfaulo.adapter.review.views import show_items, suspicious_view
from fiftyone_dfaulo.adapter.runs.brain_run import load_config
from fiftyone_dfaulo.errors import DFauLoError, InputError
from fiftyone_dfaulo.plugin.app import selection
from fiftyone_dfaulo.plugin.app.current_run import (
    choose_run,
    current_run,
    list_runs,
    patches_anew,
)
from fiftyone_dfaulo.plugin.app.review_target import reviewed, showable, whole_target
from fiftyone_dfaulo.plugin.app.selection import Selected, read_selection
from fiftyone_dfaulo.plugin.forms import params
from fiftyone_dfaulo.plugin.panel.events import (
    asked_size,
    batch_size,
    guarded,
    run_key,
    shown_fields,
)
from fiftyone_dfaulo.plugin.panel.facts import (
    BINS,
    NEAR_DUPLICATES,
    filtered,
    near_duplicates,
    read_operation,
)
from fiftyone_dfaulo.plugin.panel.facts_cache import recent_facts
from fiftyone_dfaulo.plugin.panel.view import build_panel

_UNDO_STEPS = 5
_PREFIX = "@dfaulo/dfaulo/"


class ReviewPanel(foo.Panel):
    """Goes through the most suspicious samples in batches, beside the grid."""

    @property
    def config(self) -> foo.PanelConfig:
        """How FiftyOne lists the panel."""
        return foo.PanelConfig(
            name="dfaulo_review",
            label="DFauLo review",
            icon="rate_review",
            help_markdown="Check the most suspicious labels in batches: mark those "
            "that are faulty, say that the rest is correct, and let the ranking learn.",
        )

    def render(self, ctx: Any) -> types.Property:
        """The panel, from its state alone."""
        return build_panel(self, ctx)

    def refresh(self, ctx: Any, *, fresh: bool = False) -> None:
        """Reads what the panel shows, ``fresh`` where something was just written."""
        dataset = ctx.dataset
        runs = list_runs(dataset)
        key = self._follow(ctx)
        facts: dict[str, Any] = {
            "dataset_id": str(dataset._doc.id),
            "runs": runs,
            "operation": read_operation(dataset),
        }
        if key is not None:
            try:
                size = batch_size(ctx)
                facts.update(recent_facts(dataset, key, size, fresh=fresh))
            except DFauLoError as error:
                facts["problem"] = str(error)
        ids = selection.batch_of(ctx.view)
        if ids and key is not None and "problem" not in facts:
            verdicts = selection.read_verdicts(dataset, key, ids)
            facts["batch"] = [len(ids), sum(v is None for v in verdicts.values())]
        ctx.panel.state.facts = facts

    def _follow(self, ctx: Any) -> str | None:
        """The run to show; what was chosen and marked in another one ends with it."""
        before, key = ctx.panel.state.run, current_run(ctx)
        if before not in (None, key):
            ctx.panel.state.filter = ctx.panel.state.undo = None
            if key is not None:
                ctx.ops.notify(f"Now reviewing the run {key!r}", variant="info")
        ctx.panel.state.run = key
        return key

    # ---- what FiftyOne tells ----

    @guarded
    def on_load(self, ctx: Any) -> None:
        """The panel opens."""
        ctx.ops.set_sample_selection_style(default="x", alt="green-checkmark")
        self.refresh(ctx, fresh=True)

    def on_unload(self, ctx: Any) -> None:
        """The panel closes."""
        ctx.ops.clear_sample_selection_style()

    @guarded
    def on_change_dataset(self, ctx: Any) -> None:
        """Another dataset: nothing of the old one's state fits."""
        for name in ("run", "filter", "undo", "batch_run"):
            ctx.panel.set_state(name, None)
        self.refresh(ctx)

    @guarded
    def on_change_view(self, ctx: Any) -> None:
        """Another view, or other fields after a run."""
        self.refresh(ctx)

    @guarded
    def on_tick(self, ctx: Any) -> None:
        """While a scheduled run goes on."""
        self.refresh(ctx)

    @guarded
    def on_done(self, ctx: Any) -> None:
        """An operator that the panel asked for has been executed."""
        self.refresh(ctx, fresh=True)

    # ---- choosing what to look at ----

    @guarded
    def choose_run(self, ctx: Any) -> None:
        """Another run in the dropdown."""
        choose_run(ctx, ctx.params["value"])
        self.refresh(ctx)

    @guarded
    def next_batch(self, ctx: Any) -> None:
        """Shows the most suspicious unchecked samples."""
        self._show_batch(ctx)

    def _show_batch(self, ctx: Any) -> None:
        key, part = run_key(ctx), ctx.panel.state.filter
        whole = showable(ctx, key)
        samples = filtered(whole, key, part)
        view = suspicious_view(samples, key, limit=asked_size(ctx), unreviewed=True)
        ids = view.values("id")
        if not ids:
            raise InputError("No unchecked sample is left" + " here" * bool(part))
        if part == NEAR_DUPLICATES:
            ids = near_duplicates(ctx.dataset, key, ids)
        ctx.panel.state.batch_run = key
        ctx.ops.set_selected_samples([])
        facts = {**ctx.panel.state.facts, "batch": [len(ids), len(ids)]}
        ctx.panel.state.facts = facts
        ctx.ops.set_view(show_items(whole, load_config(ctx.dataset, key), ids))
        ctx.ops.set_active_fields(shown_fields(ctx, key))

    @guarded
    def show_stale(self, ctx: Any) -> None:
        """Shows the samples whose label was edited since the run."""
        key = run_key(ctx)
        self._show_list(ctx, key, review_status(ctx.dataset, key)["stale_ids"])

    def _show_list(self, ctx: Any, key: str, ids: list[str]) -> None:
        """Shows all of these, in their order."""
        whole, config = showable(ctx, key), load_config(ctx.dataset, key)
        ctx.ops.set_view(selection.no_batch(show_items(whole, config, ids)))

    @guarded
    def on_bar(self, ctx: Any) -> None:
        """A bar of the histogram."""
        low = int(float(ctx.params["x"]) * BINS) / BINS
        high = low + 1 / BINS
        self._filter(ctx, {"low": low, "high": 2.0 if high >= 1 - 1e-6 else high})

    @guarded
    def on_pair(self, ctx: Any) -> None:
        """A row of the table."""
        pair = ctx.panel.state.facts["pairs"][int(ctx.params["row"])]
        self._filter(ctx, {n: value for n, value in pair.items() if n != "count"})

    @guarded
    def on_reason(self, ctx: Any) -> None:
        """A reason in the dropdown."""
        value = ctx.params.get("value")
        self._filter(ctx, {"reason": value} if value else None)

    @guarded
    def show_all(self, ctx: Any) -> None:
        """Takes the filter away."""
        ctx.panel.state.reason = None
        self._filter(ctx, None)

    def _filter(self, ctx: Any, chosen: dict[str, Any] | None) -> None:
        key = run_key(ctx)
        if chosen == NEAR_DUPLICATES:
            self._show_list(ctx, key, near_duplicates(ctx.dataset, key))
        else:
            samples = filtered(showable(ctx, key), key, chosen)
            # a row counts the unchecked samples; bars and reasons count all
            unreviewed = "looks_like" in (chosen or {})
            ctx.ops.set_view(suspicious_view(samples, key, unreviewed=unreviewed))
        ctx.panel.state.filter = chosen
        ctx.ops.set_active_fields(shown_fields(ctx, key))

    # ---- verdicts ----

    @guarded
    def mark_selected(self, ctx: Any) -> None:
        """Clicked samples are faulty, Alt+clicked ones correct."""
        selected = read_selection(ctx, run_key(ctx))
        if not selected:
            raise InputError(
                "No sample is selected. Click a sample's box if its label is faulty, "
                "Alt+click it if it is correct"
            )
        self._mark(ctx, selected)

    @guarded
    def rest_is_correct(self, ctx: Any) -> None:
        """Marks the selection, and the rest of the batch in the grid correct."""
        ids, key = selection.batch_of(ctx.view), run_key(ctx)
        if ids is None or ctx.panel.state.batch_run not in (None, key):
            raise InputError(
                f"The grid shows no batch of run {key!r}; press 'Next batch' first"
            )
        selected = read_selection(ctx, run_key(ctx))
        verdicts = selection.read_verdicts(ctx.dataset, key, ids)
        taken = {*selected.faulty, *selected.correct}
        rest = [i for i in ids if verdicts.get(i) is None and i not in taken]
        if not rest and not taken:
            raise InputError("Every sample of this batch is checked already")
        self._mark(ctx, Selected(selected.faulty, [*selected.correct, *rest]))

    def _mark(self, ctx: Any, selected: Selected) -> None:
        by = ctx.panel.state.by or None
        key = run_key(ctx)
        changes = selection.mark(reviewed(ctx, key), key, selected, by=by)
        steps = [*(ctx.panel.state.undo or []), changes] if changes else None
        if steps:
            ctx.panel.state.undo = steps[-_UNDO_STEPS:]
        ctx.ops.set_selected_samples([])
        _reload(ctx)
        said = f"{len(selected.faulty)} faulty, {len(selected.correct)} correct"
        ctx.ops.notify(f"Marked: {said}", variant="success")
        self.refresh(ctx, fresh=True)

    @guarded
    def undo_marking(self, ctx: Any) -> None:
        """Takes the last marking back."""
        steps = list(ctx.panel.state.undo or [])
        if not steps:
            raise InputError("Nothing was marked here since the panel was opened")
        by, key = ctx.panel.state.by or None, run_key(ctx)
        back, left = selection.unmark(reviewed(ctx, key), key, steps.pop(), by=by)
        ctx.panel.state.undo = steps
        also = f"; {left} marked otherwise since were left alone" if left else ""
        _reload(ctx)
        ctx.ops.notify(f"Taken back: {back} verdicts{also}", variant="success")
        self.refresh(ctx, fresh=True)

    @guarded
    def learn(self, ctx: Any) -> None:
        """Ranks the unchecked samples anew and shows the next batch."""
        key = run_key(ctx)
        update_suspiciousness(reviewed(ctx, key), key)
        ctx.ops.reload_dataset()
        ctx.ops.notify("Learned: the ranking is up to date", variant="success")
        self._show_batch(ctx)
        self.refresh(ctx, fresh=True)

    # ---- forms ----

    def tag(self, ctx: Any) -> None:
        """Opens the form that tags."""
        self._prompt(ctx, "tag_suspicious")

    def correct(self, ctx: Any) -> None:
        """Opens the form that corrects."""
        self._prompt(ctx, "apply_suggestions")

    def undo_corrections(self, ctx: Any) -> None:
        """Opens the form that undoes corrections."""
        self._prompt(ctx, "revert_suggestions")

    def export(self, ctx: Any) -> None:
        """Opens the form that exports."""
        self._prompt(ctx, "export_review")

    def find(self, ctx: Any) -> None:
        """Opens the form that starts a run."""
        ctx.prompt(_PREFIX + "compute_suspiciousness", on_success=self.on_done)

    @guarded
    def run_again(self, ctx: Any) -> None:
        """Opens that form with the answers of the run that is reviewed."""
        key = run_key(ctx)
        given = {
            "view_target": whole_target(ctx, key),  # not the batch in the grid
            "brain_key": key,
            **params.of_run(load_config(ctx.dataset, key)),
        }
        uri = _PREFIX + "compute_suspiciousness"
        ctx.prompt(uri, given, on_success=self.on_done)

    def _prompt(self, ctx: Any, name: str) -> None:
        key = (ctx.panel.state.facts or {}).get("key")
        ctx.prompt(_PREFIX + name, {"brain_key": key}, on_success=self.on_done)


def _reload(ctx: Any) -> None:
    """Has the grid show what was written."""
    ctx.ops.reload_dataset()
    patches = patches_anew(ctx.view)
    if patches is not None:
        ctx.ops.set_view(patches)
