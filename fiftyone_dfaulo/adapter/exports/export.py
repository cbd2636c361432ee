"""Writes the reviewed samples to a file, for other tools."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import Any

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.exports.files import check_target, replace_file
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.items import suggested
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.storage.items import LABEL, Item

COLUMNS = (
    "id",
    "filepath",
    "original_label",
    "label",
    "correction",
    "suggestion",
    "score",
    "reasons",
    "verdict",
    "by",
    "at",
    "audit",
)


ENDINGS = (".csv", ".json")

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What the text of a cell begins with that a spreadsheet would compute."""


@public
def export_review(
    samples: Samples,
    path: str | os.PathLike[str],
    brain_key: str = "dfaulo",
    *,
    overwrite: bool = False,
    escape_formulas: bool = True,
) -> int:
    """Writes the samples, or objects, with a verdict to a file, most suspicious first.

    A row holds ``id``, ``filepath``, ``original_label`` (from before a correction),
    ``label`` (as it is now), ``correction`` (the same, if it was corrected),
    ``suggestion``, ``score``, ``reasons``, ``verdict``, and who gave it and when:
    ``by`` and ``at``, in UTC; ``audit`` says whether it was drawn at random, by
    :func:`.audit_view`: those rows are a fair sample, the others are not. Several
    labels are joined by ``", "``. The reasons are joined by ``"; "`` in CSV, and a list
    in JSON, which is a list of objects.

    A spreadsheet would take text in a CSV file that begins with ``=``, ``+``, ``-``,
    ``@``, a tab or the end of a line for a formula. Such text has ``'`` before it.

    Args:
        samples: a dataset or view; of a view, only its own samples are written.
        path: the file, whose name ends in ``.csv`` or ``.json``; a leading ``~`` is the
            user's own folder.
        brain_key: the key of the run.
        overwrite: whether a file of that name is replaced, once all is written.
        escape_formulas: whether ``'`` stands before such text; False writes all text
            as it is, for programs that compute nothing.

    Returns:
        the number of rows.

    Raises:
        InputError: if the name ends otherwise, its folder does not exist, there is a
            file of that name and ``overwrite`` is False, or a link, pipe or folder, or
            the file cannot be written; what was there stays.
        RunError: if there is no such run, or a field of it was deleted.

    Examples:
        >>> worst = dfaulo.suspicious_view(dataset, limit=6)
        >>> changed = dfaulo.record_verdicts(dataset, faulty=worst)
        >>> dfaulo.export_review(dataset, "review.csv")
        6
    """
    check_target(path, *ENDINGS, overwrite=overwrite)
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    return export(review, path, overwrite=overwrite, escape_formulas=escape_formulas)


def export(
    review: ReviewSession,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    escape_formulas: bool = True,
) -> int:
    """As :func:`export_review`, in a review that is open."""
    target = check_target(path, *ENDINGS, overwrite=overwrite)
    text, count = as_text(review, target.suffix.lower(), escape_formulas)
    data = text.encode()
    replace_file(target, lambda file: file.write(data), overwrite=overwrite)
    return count


def as_text(
    review: ReviewSession, ending: str, escape_formulas: bool = True
) -> tuple[str, int]:
    """What the file would hold, and its number of rows.

    Args:
        review: the review.
        ending: one of :data:`ENDINGS`.
        escape_formulas: as of :func:`export_review`.
    """
    rows = _rows(review)
    text = _as_csv(rows, escape_formulas) if ending == ".csv" else _as_json(rows)
    return text, len(rows)


def _rows(review: ReviewSession) -> list[dict[str, Any]]:
    fields, own = review.fields, review.own
    within = review.ids_in(review.samples)
    query = {fields.verdict: {"$ne": None}}
    names = ("filepath", LABEL, *fields, own.original_label, own.history, own.audit)
    rows = [_row(review, item) for item in review.find(within, query, *names)]
    return sorted(rows, key=lambda row: (-(row["score"] or 0), row["id"]))


def _row(review: ReviewSession, item: Item) -> dict[str, Any]:
    fields, own, text = review.fields, review.own, review.target.label_text
    label, original = text(item.get(LABEL)), item.get(own.original_label)
    last = (item.get(own.history) or [{}])[-1]
    return {
        "id": str(item["_id"]),
        "filepath": item["filepath"],
        "original_label": label if original is None else text(original),
        "label": label,
        "correction": None if original is None else label,
        "suggestion": suggested(item.get(fields.suggestion)),
        "score": item.get(fields.suspiciousness),
        "reasons": item.get(fields.reasons) or [],
        "verdict": item[fields.verdict],
        "by": last.get("by"),
        "at": last["at"].isoformat(timespec="seconds") + "Z" if "at" in last else None,
        "audit": bool(item.get(own.audit)),
    }


def _as_csv(rows: list[dict[str, Any]], escape_formulas: bool) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for row in rows:
        cells = {**row, "reasons": "; ".join(row["reasons"])}
        if escape_formulas:
            cells = {name: _escaped(value) for name, value in cells.items()}
        writer.writerow(cells)
    return text.getvalue()


def _escaped(value: Any) -> Any:
    formula = isinstance(value, str) and value.startswith(_FORMULA)
    return f"'{value}" if formula else value


def _as_json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
