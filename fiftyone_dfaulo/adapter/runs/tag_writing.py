"""Writes what a run says of each tag: beside the given ones, and which are missing.

A part of :mod:`.writer`, which writes the samples' own values.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import numpy as np
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.runs.multilabel_results import TagResults
from fiftyone_dfaulo.adapter.targets.base import Item, Place
from fiftyone_dfaulo.adapter.targets.multilabel import tag_paths
from fiftyone_dfaulo.adapter.targets.schema import add_field, label_maker
from fiftyone_dfaulo.adapter.targets.storage import Storage


def add_tag_fields(storage: Storage, key: str, place: Place, token: str | None) -> None:
    """Adds what :func:`.tags.tag_paths` names to the schema; nothing without tags."""
    for path in tag_paths(key, place):
        add_field(storage, path, path.rpartition("_")[2], token)


def write_tags(
    storage: Storage, items: dict[str, Item], results: TagResults, rows: slice
) -> None:
    """Writes a batch of samples' tags with one update a sample.

    Args:
        storage: where they lie.
        items: the samples, by id.
        results: what to write, with its config.
        rows: which samples.
    """
    updates = list(_updates(items, results, rows))
    storage.collection.bulk_write(updates, ordered=False)


def _updates(
    items: dict[str, Item], results: TagResults, rows: slice
) -> Iterator[UpdateOne]:
    """One a sample. Tags that were taken away meanwhile are passed over."""
    config = results.config
    at, names = config.tags_path, config.run_fields
    make, empty = label_maker(), fo.Classifications().to_dict()
    now = {"last_modified_at": datetime.now(timezone.utc)}
    for row in range(*rows.indices(len(results.ids))):
        given = np.flatnonzero(results.given[row]).tolist()
        classes = [results.classes[k] for k in given]
        values = [
            {
                names.suspiciousness: float(results.signals[row, k]),
                names.reasons: results.tag_reasons(row, k),
            }
            for k in given
        ]
        found = [make(*one) for one in results.missing(row).items()]
        missing = {**empty, "classifications": found} if found else None
        yield UpdateOne(
            {"_id": items[results.ids[row]]["_id"], at: {"$type": "array"}},
            [
                {
                    "$set": {
                        at: _merged(at, classes, values),
                        config.missing_field: {"$literal": missing},
                        **now,
                    }
                }
            ],
        )


def _merged(at: str, classes: list[str], values: list[dict[str, Any]]) -> Any:
    """The tags, each with the values of its class, if there are any."""
    place = {"$indexOfArray": [{"$literal": classes}, "$$tag.label"]}
    known = {"$arrayElemAt": [{"$literal": values}, "$$place"]}
    told = {"$mergeObjects": ["$$tag", known]}
    told = {"$cond": [{"$gte": ["$$place", 0]}, told, "$$tag"]}
    each = {"$let": {"vars": {"place": place}, "in": told}}
    return {"$map": {"input": f"${at}", "as": "tag", "in": each}}
