"""Operators that end a review: tag, correct, undo, export."""

from __future__ import annotations

from typing import Any

from fiftyone.operators.executor import ExecutionResult

from fiftyone_dfaulo.adapter.doors import check_given
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.export import ENDINGS, export
from fiftyone_dfaulo.adapter.review.files import check_target
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.tagging import tag_items
from fiftyone_dfaulo.plugin.app.plain_text import plain
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
