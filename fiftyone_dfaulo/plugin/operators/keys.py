"""The operator that a key calls: one key a verdict. ``keys.js`` listens to them."""

from __future__ import annotations

from typing import Any

from fiftyone_dfaulo.adapter.corrections.apply import apply
from fiftyone_dfaulo.adapter.corrections.plan import Wish
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.verdicts import write_verdicts
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.keys import SUGGESTION, VERDICTS, class_of_key
from fiftyone_dfaulo.plugin.app.selection import selected_ids
from fiftyone_dfaulo.plugin.host import Context
from fiftyone_dfaulo.plugin.operators.review_base import ReviewOperator, count_items
from fiftyone_dfaulo.plugin.operators.running import run_or_notify


class MarkByKey(ReviewOperator):
    """Gives what is open, or selected, the verdict of a key; see :mod:`.app.keys`."""

    name_ = "mark_by_key"
    label = "Mark by key"
    description = "Give the open sample, or the selection, the verdict of a key"
    icon = "keyboard"
    takes = ("key",)
    is_listed = False
    has_form = False
    sends_messages = False
    needs = ("suspiciousness", "suggestion", "verdict")

    def execute(self, ctx: Context) -> None:
        """Marks, and has the App show it; or says why not, and fails."""
        if ctx.current_sample is None:
            for _ in self.act_and_show(ctx):
                pass  # what is said and shown goes with the answer
            ctx.ops.set_selected_samples([])
            return
        for _ in run_or_notify(ctx, lambda: self.act(ctx, self._open(ctx))):
            pass  # the modal goes on to the next sample
        ctx.ops.reload_samples()

    def act(self, ctx: Context, review: ReviewSession) -> str:
        """Records the verdict; a class is a correction as well."""
        key = str(ctx.params.get("key"))
        ids = _asked(ctx, review)
        if key in VERDICTS:
            verdict = VERDICTS[key]
            given: dict[str, Any] = {verdict: ids}
            write_verdicts(review, **given)
            return f"Marked {verdict}: {count_items(review, len(ids))}"
        name = None if key == SUGGESTION else class_of_key(review, key)
        done = apply(review, Wish(ids=ids, label=name))
        if not done.applied:
            raise InputError(next(iter(done.skipped.values()), "Nothing is to change"))
        what = "what it looks like" if name is None else repr(name)
        return f"Faulty, corrected to {what}: {count_items(review, done.applied)}"


def _asked(ctx: Context, review: ReviewSession) -> list[str]:
    """Ids of what is meant: selected labels, the sample that is open, the selection."""
    if ctx.current_sample is not None and not ctx.selected_labels:
        return [str(ctx.current_sample)]
    ids = selected_ids(ctx, review)
    if not ids:
        noun = review.target.noun
        raise InputError(f"No {noun} is selected or open; a key marks what is")
    return ids
