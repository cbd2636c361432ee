"""Operators that correct labels and bring them back."""

from __future__ import annotations

import fiftyone.operators.types as types

from fiftyone_dfaulo.adapter.corrections.apply import apply
from fiftyone_dfaulo.adapter.corrections.plan import check_writable
from fiftyone_dfaulo.adapter.corrections.revert import revert
from fiftyone_dfaulo.adapter.doors import database_errors
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.verdicts import check_name
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.current_run import tile_fields
from fiftyone_dfaulo.plugin.app.selection import list_view, selected_ids
from fiftyone_dfaulo.plugin.forms.corrections import (
    add_corrections,
    group_ids,
    read_wish,
)
from fiftyone_dfaulo.plugin.forms.fields import radio_group
from fiftyone_dfaulo.plugin.host import Context, Inputs, RiskLevel
from fiftyone_dfaulo.plugin.operators.review_base import ReviewOperator, count_items

_EXAMPLES = 3


class ApplySuggestions(ReviewOperator):
    """Sets labels to what they look like, or to classes, once it is seen which."""

    name_ = "apply_suggestions"
    label = "Correct labels"
    description = "Set labels to the suggestion, or to a class; can be undone"
    icon = "auto_fix_high"
    risk = RiskLevel.HIGH
    takes = ("ids", "verdict", "label", "add_classes", "by")
    needs = ("suspiciousness", "suggestion", "verdict")

    def frame(self) -> types.View:
        """Beside the grid, which shows the tiles of a group that is looked at."""
        return types.DrawerView(
            placement="right", label=self.label, submit_button_label="Correct"
        )

    def ask_of_run(self, inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
        """Shows what will change, and asks for the classes."""
        check_writable(review)
        add_corrections(inputs, ctx, review)

    def act(self, ctx: Context, review: ReviewSession) -> str:
        """Corrects the labels."""
        by = ctx.params.get("by") or None
        check_name(by)
        sure = bool(ctx.params.get("add_classes"))
        done = apply(review, read_wish(ctx, review), add_classes=sure, by=by)
        corrected = count_items(review, done.applied)
        return f"Corrected: {corrected}{_skipped(review, done.skipped)}"


def _skipped(review: ReviewSession, skipped: dict[str, str]) -> str:
    """How many items were skipped, with some of the reasons; empty if none was."""
    if not skipped:
        return ""
    reasons = sorted(set(skipped.values()))[:_EXAMPLES]
    count = count_items(review, len(skipped))
    return f"; left as they are: {count} ({'; '.join(reasons)})"


class LookAtCorrections(ReviewOperator):
    """Shows the tiles of a group in that form; the form's buttons call it."""

    name_ = "look_at_corrections"
    label = "Look at what will be corrected"
    description = "Show the samples of a group in the form 'Correct labels'"
    icon = "visibility"
    risk = RiskLevel.LOW
    is_listed = False
    has_form = False
    sends_messages = False
    needs = ("suspiciousness", "suggestion", "verdict")

    def execute(self, ctx: Context) -> None:
        """Shows them."""
        with database_errors():
            review = self._open(ctx)
            ids = group_ids(ctx, review)
            if not ids:
                raise InputError("This group is empty by now; open the form again")
            ctx.ops.set_active_fields(tile_fields(review.config))
            ctx.ops.set_view(list_view(ctx, review, ids))


class RevertSuggestions(ReviewOperator):
    """Brings back the labels from before the corrections."""

    name_ = "revert_suggestions"
    label = "Undo corrections"
    description = "Bring back the labels from before; edits by hand are left alone"
    icon = "undo"
    takes = ("ids",)
    needs = ("suspiciousness",)

    def ask_of_run(self, inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
        """Asks which corrections to undo."""
        check_writable(review)
        choices = {"all": "All corrections of this run"}
        ids = selected_ids(ctx, review)
        if ids:
            choices = {**choices, "selected": f"The selection ({len(ids):,})"}
        radio_group(inputs, "which", choices, label="Samples")

    def act(self, ctx: Context, review: ReviewSession) -> str:
        """Brings the labels back."""
        selected = ctx.params.get("which") == "selected"
        ids = selected_ids(ctx, review) if selected else ctx.params.get("ids")
        done = revert(review, ids=ids)
        text = f"Brought back: the label of {count_items(review, done.reverted)}"
        if done.edited:
            shown = ", ".join(list(done.edited)[:_EXAMPLES])
            count = count_items(review, len(done.edited))
            text += f"; edited by hand since, left alone: {count} ({shown})"
        return text
