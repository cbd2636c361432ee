"""Writes the reviewed samples to a file, for other tools."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import Any

from fiftyone_dfaulo.adapter.review.corrections import suggested
from fiftyone_dfaulo.adapter.review.files import check_target, replace_file
from fiftyone_dfaulo.adapter.review.session import Review, find, open_review, scope
from fiftyone_dfaulo.adapter.targets.multilabel import label_text

COLUMNS = (
    "id",
    "filepath",
    "label",
    "suggestion",
    "score",
    "reasons",
    "verdict",
)


def export_review(
    samples: Any, path: str | os.PathLike[str], brain_key: str = "dfaulo"
) -> int:
    """Writes the samples, or objects, with a verdict to a file, most suspicious first.

    A row holds ``id``, ``filepath``, ``label`` (as it is now), ``suggestion``,
    ``score``, ``reasons`` and ``verdict``. Several tags are joined by ``", "``. In CSV
    the reasons are joined by ``"; "``; in JSON, a list of objects, they are a list. A
    file of that name is replaced, once all is written.

    Args:
        samples: a dataset or view; of a view, only its own samples are written.
        path: the file, whose name ends in ``.csv`` or ``.json``; a leading ``~`` is the
            user's own folder.
        brain_key: the key of the run.

    Returns:
        the number of rows.

    Raises:
        InputError: if the name ends otherwise, its folder does not exist, or the file
            cannot be written; what was there stays.
        RunError: if there is no such run, or a field of it was deleted.
    """
    target = check_target(path, ".csv", ".json")
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    rows = _rows(review, samples)
    text = _as_csv(rows) if target.suffix.lower() == ".csv" else _as_json(rows)
    replace_file(target, lambda file: file.write(text.encode()))
    return len(rows)


def _rows(review: Review, samples: Any) -> list[dict[str, Any]]:
    fields, label = review.fields, review.config.label_field
    query = {fields.verdict: {"$ne": None}}
    within = scope(review, samples)
    found = find(review, within, query, "filepath", label, *fields)
    rows = [
        {
            "id": str(document["_id"]),
            "filepath": document["filepath"],
            "label": label_text(document.get(label)),
            "suggestion": suggested(document.get(fields.suggestion)),
            "score": document.get(fields.suspiciousness),
            "reasons": document.get(fields.reasons) or [],
            "verdict": document[fields.verdict],
        }
        for document in found
    ]
    return sorted(rows, key=lambda row: (-(row["score"] or 0), row["id"]))


def _as_csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({**row, "reasons": "; ".join(row["reasons"])} for row in rows)
    return text.getvalue()


def _as_json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
