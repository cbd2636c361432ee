"""Operators that end a review: tag, and export."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

from fiftyone.operators.executor import ExecutionResult

from fiftyone_dfaulo.adapter.doors import check_given, database_errors
from fiftyone_dfaulo.adapter.exports.export import ENDINGS, as_text, export
from fiftyone_dfaulo.adapter.exports.files import check_target
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.items import count_with_verdict
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.tagging import tag_items
from fiftyone_dfaulo.adapter.review.verdicts import EVERY_VERDICT, EXCLUDE
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.plain_text import plain
from fiftyone_dfaulo.plugin.forms.fields import radio_group
from fiftyone_dfaulo.plugin.forms.problems import mark_invalid, problem_message
from fiftyone_dfaulo.plugin.forms.trust import check_export, confirmation, export_folder
from fiftyone_dfaulo.plugin.host import DOWNLOADS, Context, Inputs, JsonDict
from fiftyone_dfaulo.plugin.operators.base import check_params
from fiftyone_dfaulo.plugin.operators.review_base import ReviewOperator, count_items

_LARGEST = 30_000_000  # bytes; the browser gets them in one piece
_PICKS = ("top", "fraction", "min_suspiciousness", "verdict")


_TAGS = {"tag": "relabel", "exclude_tag": EXCLUDE}
"""The form's fields for a tag, and what they say at first."""


def _tag_name(which: str | None) -> str:
    return "exclude_tag" if which == EXCLUDE else "tag"


class TagSuspicious(ReviewOperator):
    """Tags samples to relabel them elsewhere, or to exclude them."""

    name_ = "tag_suspicious"
    label = "Tag suspicious samples"
    description = "Tag samples to relabel or to exclude, and save them as a view"
    icon = "sell"
    takes = (*_PICKS, "tag", "save_view")

    def ask_of_run(self, inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
        """Asks which samples, the tag and the view's name."""
        choices = {
            "faulty": "Those marked faulty",
            "exclude": "Those to exclude from the dataset",
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
        name = _tag_name(which)  # for each of the two, the form keeps what was typed
        inputs.str(name, default=_TAGS[name], required=True, label="Tag")
        inputs.str("save_view", label="Save as a view named", description="Optional")

    def act(self, ctx: Context, review: ReviewSession) -> str:
        """Tags the samples."""
        name = _tag_name(ctx.params.get("which"))
        tag = ctx.params.get(name) or _TAGS[name]
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
    if which in EVERY_VERDICT:
        return {"verdict": which}
    if which is not None:
        return {which: params.get(which)}
    given = {n: params[n] for n in _PICKS if params.get(n) is not None}
    return given or {"verdict": "faulty"}


class ExportReview(ReviewOperator):
    """Writes the reviewed samples to a file."""

    name_ = "export_review"
    label = "Export the review"
    description = "Download verdicts, labels and corrections as CSV or JSON"
    icon = "download"
    sends_messages = False
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

    def execute(self, ctx: Context) -> None:
        """Exports; nothing that the App shows has changed."""
        with database_errors():
            done = self.act(ctx, self._open(ctx))
        ctx.ops.notify(done, variant="success")

    def ask_of_run(self, inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
        """Asks where the file goes, and what it is."""
        choices = {
            "download": "This computer, as a download",
            "server": "The machine of the App's server",
        }
        where = _to(ctx.params)
        if DOWNLOADS:
            radio_group(inputs, "to", choices, label="To", default=where)
        if where == "download":
            if not any(count_with_verdict(review, one) for one in EVERY_VERDICT):
                raise InputError("Nothing has a verdict yet; mark some samples first")
            formats = {"csv": "CSV, for spreadsheets", "json": "JSON"}
            radio_group(inputs, "format", formats, label="Format")
        else:
            _add_path(inputs, ctx)
        text = "Put ' before text that a spreadsheet would take for a formula"
        inputs.bool("escape_formulas", default=True, label=text)

    def act(self, ctx: Context, review: ReviewSession) -> str:
        """Has the browser download the file, or writes it on the server."""
        escape = bool(ctx.params.get("escape_formulas", True))
        if _to(ctx.params) == "download":
            ending = ".json" if ctx.params.get("format") == "json" else ".csv"
            text, count = as_text(review, ending, escape)
            name = f"{review.key}_review{ending}"
            ctx.ops.browser_download(_as_url(text), filename=name)
            return f"Downloaded {name}: {count_items(review, count)}"
        overwrite = bool(ctx.params.get(confirmation(ctx.dataset, "overwrite")))
        target = _check_file(ctx.params.get("path") or "", overwrite)
        count = export(review, target, overwrite=overwrite, escape_formulas=escape)
        return f"Written to {target}: {count_items(review, count)}"


def _to(params: JsonDict) -> str:
    """Where the file goes: as the form says, or to the path given from Python."""
    if not DOWNLOADS:
        return "server"
    return str(params.get("to") or ("server" if params.get("path") else "download"))


def _add_path(inputs: Inputs, ctx: Context) -> None:
    """Asks for a file on the server."""
    text = (
        "Ends in .csv or .json. Without a folder, it is written to "
        f"{plain(str(export_folder()))} there"
    )
    file = inputs.str("path", required=True, label="File", description=text)
    name = confirmation(ctx.dataset, "overwrite")
    inputs.bool(name, default=False, label="Replace a file of that name")
    path = ctx.params.get("path")
    if path:
        overwrite = bool(ctx.params.get(name))
        mark_invalid(file, problem_message(_check_file, path, overwrite))


def _check_file(path: str, overwrite: bool) -> Path:
    """The file on the server, once it is known that it may be written.

    Raises:
        InputError: if it may not.
    """
    check_export(path)
    folder = export_folder()
    return check_target(path, *ENDINGS, overwrite=overwrite, folder=folder)


def _as_url(text: str) -> str:
    """The text as an address that a browser can download, without a file anywhere.

    Raises:
        InputError: if it is too long for that.
    """
    data = text.encode()
    if len(data) > _LARGEST:
        raise InputError(
            f"The file would have {len(data) / 1e6:,.0f} MB, too many for a download "
            "here; write it on the machine of the App's server"
        )
    return f"data:text/plain;base64,{b64encode(data).decode()}"
