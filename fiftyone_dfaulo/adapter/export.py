"""Writes the reviewed samples to a file, for other tools."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from pathlib import Path
from typing import Any, TextIO

from fiftyone_dfaulo.adapter.corrections import suggested
from fiftyone_dfaulo.adapter.reviewing import Review, find, open_review, scope
from fiftyone_dfaulo.adapter.tags import label_text
from fiftyone_dfaulo.errors import InputError

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
        path: the file, whose name ends in ``.csv`` or ``.json``.
        brain_key: the key of the run.

    Returns:
        the number of rows.

    Raises:
        InputError: if the name ends otherwise, or its folder does not exist.
        RunError: if there is no such run, or a field of it was deleted.
    """
    target = Path(path)
    form = target.suffix.lower()
    if form not in (".csv", ".json"):
        raise InputError(f"path={str(path)!r} ends in neither .csv nor .json")
    if not target.parent.is_dir():
        raise InputError(f"path={str(path)!r}: folder {target.parent} does not exist")
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    rows = _rows(review, samples)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            (_write_csv if form == ".csv" else _write_json)(file, rows)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
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


def _write_csv(file: TextIO, rows: list[dict[str, Any]]) -> None:
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows({**row, "reasons": "; ".join(row["reasons"])} for row in rows)


def _write_json(file: TextIO, rows: list[dict[str, Any]]) -> None:
    json.dump(rows, file, ensure_ascii=False, indent=1)
    file.write("\n")
