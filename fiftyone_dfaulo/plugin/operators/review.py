"""Operators that open the review, record verdicts and learn from them."""

from __future__ import annotations

import fiftyone.operators.types as types

from fiftyone_dfaulo.adapter.review.learning import learn
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.verdicts import check_name, write_verdicts
from fiftyone_dfaulo.adapter.runs.lookup import list_runs
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.selection import (
    Selected,
    mark_verdicts,
    read_selection,
    selected_ids,
)
from fiftyone_dfaulo.plugin.forms.fields import radio_group
from fiftyone_dfaulo.plugin.host import Context, Inputs, RiskLevel
from fiftyone_dfaulo.plugin.operators.base import Operator
from fiftyone_dfaulo.plugin.operators.review_base import ReviewOperator, count_items

_GIVEN = ("faulty", "correct", "unsure", "exclude", "cleared")


class OpenReview(Operator):
    """Opens the panel beside the grid."""

    name_ = "open_review"
    label = "Review suspicious labels"
    description = "Open the panel DFauLo review beside the grid"
    icon = "rate_review"
    risk = RiskLevel.LOW
    has_form = False
    sends_messages = False

    def resolve_placement(self, ctx: Context) -> types.Placement:
        """In the grid's toolbar."""
        return _toolbar_button(self)

    def execute(self, ctx: Context) -> None:
        """Opens it."""
        ctx.ops.open_panel("dfaulo_review", layout="horizontal")


class RecordVerdicts(ReviewOperator):
    """Marks the selected samples faulty or correct, or clears their verdicts."""

    name_ = "record_verdicts"
    label = "Mark labels as faulty or correct"
    description = "Record verdicts for the samples that are selected in the grid"
    icon = "rule"
    takes = (*_GIVEN, "by")
    clears_selection = True

    def ask_of_run(self, inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
        """Asks for the verdict and, if wanted, the reviewer's name."""
        if any(ctx.params.get(name) for name in _GIVEN):
            return  # called from Python
        ids = selected_ids(ctx, review)
        if not ids:
            raise InputError("No sample is selected; select some in the grid")
        count = count_items(review, len(ids))
        choices = {
            "faulty": f"Faulty: the label of the {count} is wrong",
            "correct": "Correct: the label is right",
            "unsure": "Unsure: nobody is asked again",
            "exclude": "Exclude: it does not belong in the dataset",
            "cleared": "Clear: take the verdict away",
        }
        if read_selection(ctx, review).correct:
            by_type = "As selected: clicked are faulty, Alt+clicked are correct"
            choices = {"selection": by_type, **choices}
        radio_group(inputs, "verdict", choices, label="Verdict")
        inputs.str(
            "by", label="Your name", description="Kept with the verdict, if given"
        )

    def act(self, ctx: Context, review: ReviewSession) -> str:
        """Records the verdicts: those given from Python, or the form's."""
        by = ctx.params.get("by") or None
        given = {n: ctx.params[n] for n in _GIVEN if ctx.params.get(n)}
        if not given:
            given = self._answered(ctx, review)
        check_name(by)
        write_verdicts(review, **given, by=by)
        count = sum(map(len, given.values()))
        return f"Recorded in run {review.key!r}: {count_items(review, count)}"

    def _answered(self, ctx: Context, review: ReviewSession) -> dict[str, list[str]]:
        ids = selected_ids(ctx, review)
        if not ids:
            raise InputError("No sample is selected; select some in the grid")
        selected = read_selection(ctx, review)
        verdict = ctx.params.get("verdict")
        if verdict is None:  # the form's first choice, left as it was
            verdict = "selection" if selected.correct else "faulty"
        if verdict == "selection":
            return selected._asdict()
        return {verdict: ids}


def _toolbar_button(operator: Operator) -> types.Placement:
    """A button in the grid's toolbar that executes an operator without a form."""
    view = types.Button(label=operator.label, icon=operator.icon, prompt=False)
    return types.Placement(types.Places.SAMPLES_GRID_SECONDARY_ACTIONS, view)


class _MarkButton(ReviewOperator):
    """A button in the grid's toolbar that marks the selection, without a form."""

    verdict: str
    has_form = False
    sends_messages = False  # for a generator the App opens a dialog, empty here
    clears_selection = True

    def resolve_placement(self, ctx: Context) -> types.Placement | None:
        """In the toolbar, once the dataset has a run."""
        if ctx.dataset is None or not list_runs(ctx.dataset):
            return None
        return _toolbar_button(self)

    def execute(self, ctx: Context) -> None:
        """Marks, and has the App show it; or says why not, and fails."""
        for _ in self.act_and_show(ctx):
            pass  # what is said and shown goes with the answer

    def act(self, ctx: Context, review: ReviewSession) -> str:
        """Marks all that is selected."""
        ids = selected_ids(ctx, review)
        if not ids:
            raise InputError("No sample is selected; select some in the grid first")
        faulty = self.verdict == "faulty"
        selected = Selected(ids if faulty else [], [] if faulty else ids)
        mark_verdicts(review, selected)
        count = count_items(review, len(ids))
        return f"Marked {self.verdict} in run {review.key!r}: {count}"


class MarkFaulty(_MarkButton):
    """Marks the selected samples faulty."""

    name_ = "mark_faulty"
    label = "Mark faulty"
    description = "Mark the labels of the selected samples as wrong"
    icon = "thumb_down"
    verdict = "faulty"


class MarkCorrect(_MarkButton):
    """Marks the selected samples correct."""

    name_ = "mark_correct"
    label = "Mark correct"
    description = "Mark the labels of the selected samples as right"
    icon = "thumb_up"
    verdict = "correct"


class UpdateSuspiciousness(ReviewOperator):
    """Ranks the samples anew by what the verdicts teach."""

    name_ = "update_suspiciousness"
    label = "Learn from verdicts"
    description = "Rank the unchecked samples anew, by the verdicts so far"
    icon = "model_training"

    def act(self, ctx: Context, review: ReviewSession) -> str:
        """Updates the scores."""
        learn(review)
        return f"The ranking of run {review.key!r} has learned from the verdicts"
