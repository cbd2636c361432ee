"""Operators that end a review: tag, correct, undo, export."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types
from fiftyone.operators.executor import ExecutionResult
from fiftyone.operators.types import RiskLevel

from fiftyone_dfaulo.adapter.doors import check_given
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.corrections import (
    apply,
    check_writable,
    revert,
    takes_one_class,
)
from fiftyone_dfaulo.adapter.review.export import ENDINGS, export
from fiftyone_dfaulo.adapter.review.files import check_target
from fiftyone_dfaulo.adapter.review.items import count_with_verdict, list_classes
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.tagging import tag_items
from fiftyone_dfaulo.plugin.app.plain_text import plain
from fiftyone_dfaulo.plugin.app.selection import selected_ids
from fiftyone_dfaulo.plugin.forms.fields import radio_group
from fiftyone_dfaulo.plugin.forms.problems import mark_invalid, problem_message
from fiftyone_dfaulo.plugin.forms.trust import check_export, confirmation, export_folder
from fiftyone_dfaulo.plugin.host import Context, Inputs, JsonDict
from fiftyone_dfaulo.plugin.operators.base import check_params
from fiftyone_dfaulo.plugin.operators.review_base import ReviewOperator, count_items

_EXAMPLES = 3
_PICKS = ("top", "fraction", "min_suspiciousness", "verdict")


class TagSuspicious(ReviewOperator):
    """Tags samples to relabel them elsewhere."""

    name_ = "tag_suspicious"
    label = "Tag suspicious samples"
    description = "Tag samples for relabeling, and save them as a view"
    icon = "sell"
    takes = (*_PICKS, "tag", "save_view")

    def ask_of_run(self, inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
        """Asks which samples, the tag and the view's name."""
        choices = {
            "faulty": "Those marked faulty",
            "top": "The most suspicious, by number",
            "fraction": "The most suspicious, by fraction",
            "min_suspiciousness": "All above a suspiciousness",
        }
        radio_group(inputs, "which", choices, label="Samples")
        which = ctx.params.get("which")
        if which == "top":
            inputs.int("top", default=100, min=1, label="How many")
        elif which == "fraction":
            inputs.float("fraction", default=0.05, min=0, max=1, label="Fraction")
        elif which == "min_suspiciousness":
            name = "min_suspiciousness"
            inputs.float(name, default=0.5, min=0, max=1, label="Suspiciousness")
        inputs.str("tag", default="relabel", required=True, label="Tag")
        inputs.str("save_view", label="Save as a view named", description="Optional")

    def act(self, ctx: Context, review: ReviewSession) -> str:
        """Tags the samples."""
        tag = ctx.params.get("tag") or "relabel"
        count = tag_items(
            review,
            tag=tag,
            save_view=ctx.params.get("save_view") or None,
            **_samples_to_tag(ctx.params),
        )
        return f"Tagged {tag!r}: {count_items(review, count)}"


def _samples_to_tag(params: JsonDict) -> JsonDict:
    """Which samples to tag, as :func:`.tag_suspicious` takes them.

    The form's choice comes first, then what was given from Python; else it is the
    faulty ones.
    """
    which = params.get("which")
    if which == "faulty":
        return {"verdict": "faulty"}
    if which is not None:
        return {which: params.get(which)}
    given = {n: params[n] for n in _PICKS if params.get(n) is not None}
    return given or {"verdict": "faulty"}


class ApplySuggestions(ReviewOperator):
    """Sets the labels of faulty samples to what they look like."""

    name_ = "apply_suggestions"
    label = "Correct labels"
    description = "Set labels to the suggestion, or to a class; can be undone"
    icon = "auto_fix_high"
    risk = RiskLevel.HIGH
    takes = ("ids", "verdict", "label")
    needs = ("suspiciousness", "suggestion", "verdict")

    def ask_of_run(self, inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
        """Asks which samples and which label."""
        check_writable(review)
        faulty = count_with_verdict(review, "faulty")
        choices = {"faulty": f"All that are marked faulty ({faulty:,})"}
        ids = selected_ids(ctx, review)
        if ids:
            chosen = {"selected": f"The selection ({len(ids):,})"}
            choices = {**chosen, **choices}
        radio_group(inputs, "which", choices, label="Samples")
        if self._takes_selection(ctx, review) and takes_one_class(review):
            _add_new_label(inputs, ctx, review)
        note = types.Notice(
            label=f"Changes the field {plain(review.config.label_field)}",
            description="The labels that were there are kept; 'Undo corrections' "
            "brings them back",
        )
        inputs.view("note", note)

    def act(self, ctx: Context, review: ReviewSession) -> str:
        """Corrects the labels."""
        given = {n: ctx.params[n] for n in self.takes if n in ctx.params}
        if self._takes_selection(ctx, review):
            one = ctx.params.get("set_to") == "class"
            label = ctx.params.get("class") if one else None
            given = {"ids": selected_ids(ctx, review), "label": label}
        done = apply(review, **given)
        corrected = count_items(review, done.applied)
        return f"Corrected: {corrected}{_skipped(review, done.skipped)}"

    def _takes_selection(self, ctx: Context, review: ReviewSession) -> bool:
        default = "selected" if selected_ids(ctx, review) else "faulty"
        return ctx.params.get("which", default) == "selected"


def _add_new_label(inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
    """Asks for the suggestions, or for one class."""
    labels = {"suggestion": "What each looks like", "class": "One class"}
    radio_group(inputs, "set_to", labels, label="New label")
    if ctx.params.get("set_to") == "class":
        classes = types.AutocompleteView()
        for name in list_classes(review):
            classes.add_choice(name, label=name)
        inputs.str("class", required=True, label="Class", view=classes)


def _skipped(review: ReviewSession, skipped: dict[str, str]) -> str:
    """How many items were skipped, with some of the reasons; empty if none was."""
    if not skipped:
        return ""
    reasons = sorted(set(skipped.values()))[:_EXAMPLES]
    count = count_items(review, len(skipped))
    return f"; left as they are: {count} ({'; '.join(reasons)})"


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


class ExportReview(ReviewOperator):
    """Writes the reviewed samples to a file."""

    name_ = "export_review"
    label = "Export the review"
    description = "Write verdicts, labels and suggestions to a CSV or JSON file"
    icon = "download"
    takes = ("path", "overwrite", "escape_formulas")

    def __call__(
        self, samples: Samples, brain_key: str = "dfaulo", **params: Any
    ) -> ExecutionResult:
        """As :meth:`.ReviewOperator.__call__`; ``overwrite`` is the form's yes."""
        check_params(params, self.takes)
        check_given(samples)
        sure = confirmation(samples._root_dataset, "overwrite")
        given = {sure if n == "overwrite" else n: v for n, v in params.items()}
        return self.call(samples, brain_key, given)

    def ask_of_run(self, inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
        """Asks for the file."""
        text = (
            "Ends in .csv or .json. Without a folder, it is written to "
            f"{plain(str(export_folder()))} on the machine of the App's server"
        )
        file = inputs.str("path", required=True, label="File", description=text)
        path = ctx.params.get("path")
        mark_invalid(file, problem_message(check_export, path) if path else "")
        name = confirmation(ctx.dataset, "overwrite")
        inputs.bool(name, default=False, label="Replace a file of that name")
        text = "Put ' before text that a spreadsheet would take for a formula"
        inputs.bool("escape_formulas", default=True, label=text)

    def act(self, ctx: Context, review: ReviewSession) -> str:
        """Writes the file."""
        overwrite = bool(ctx.params.get(confirmation(ctx.dataset, "overwrite")))
        path = ctx.params.get("path") or ""
        check_export(path)
        folder = export_folder()
        target = check_target(path, *ENDINGS, overwrite=overwrite, folder=folder)
        escape = bool(ctx.params.get("escape_formulas", True))
        count = export(review, target, overwrite=overwrite, escape_formulas=escape)
        return f"Written to {target}: {count_items(review, count)}"
