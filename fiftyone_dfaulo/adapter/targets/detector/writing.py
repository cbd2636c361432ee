"""Writes the labels that a run on boxes makes: missing objects, and better boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import fiftyone as fo
from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.host import Documents
from fiftyone_dfaulo.adapter.results.boxes import ANOTHER_BOX, BoxResults
from fiftyone_dfaulo.adapter.storage.documents import batches
from fiftyone_dfaulo.adapter.storage.items import SAMPLE, Item, now
from fiftyone_dfaulo.adapter.storage.schema import SUGGESTED_TAG


def write_missing(documents: Documents, field: str, results: BoxResults) -> None:
    """Writes the objects that look missing, for each sample that has some.

    Args:
        documents: the samples, or frames, in the database.
        field: the field to write.
        results: what says which objects.
    """
    rows = (
        (
            ObjectId(one.sample),
            make_detection(ObjectId(one.id), one.label, one.box, one.probability),
        )
        for one in results.missing
        if one.id is not None
    )
    _append(documents, field, sorted(rows, key=_order))


def write_better_boxes(
    documents: Documents,
    field: str,
    items: Mapping[str, Item],
    results: BoxResults,
    rows: slice,
) -> None:
    """Writes where misplaced objects of a batch should be, as labels that are drawn.

    They have the ids of their objects, by which patches find them.
    """
    texts = zip(
        results.ids[rows],
        results.suggestion_texts(rows),
        results.labels[rows].tolist(),
        results.better_boxes[rows].tolist(),
        results.confidence[rows].tolist(),
    )
    found = (
        (
            items[one][SAMPLE],
            make_detection(ObjectId(one), results.classes[label], box, sure),
        )
        for one, text, label, box, sure in texts
        if text == ANOTHER_BOX
    )
    _append(documents, field, sorted(found, key=lambda row: row[0]))


def make_detection(
    one: ObjectId,
    label: str,
    box: Iterable[float],
    confidence: float | None = None,
    tag: str = SUGGESTED_TAG,
) -> dict[str, Any]:
    """A Detection as FiftyOne stores it."""
    made = fo.Detection(label=label, bounding_box=[], confidence=confidence, tags=[tag])
    return {**made.to_dict(), "_id": one, "bounding_box": list(box)}


def _order(row: tuple[ObjectId, Item]) -> tuple[ObjectId, float]:
    return row[0], -row[1]["confidence"]


def _append(
    documents: Documents, field: str, rows: Iterable[tuple[ObjectId, Item]]
) -> None:
    """Adds labels to a Detections field, of which rows of a sample are together."""
    for part in batches(list(_updates(field, rows))):
        documents.bulk_write(list(part), ordered=False)


def _updates(field: str, rows: Iterable[tuple[ObjectId, Item]]) -> Iterator[UpdateOne]:
    empty, at = fo.Detections().to_dict(), f"{field}.detections"
    for sample, group in groupby(rows, key=lambda row: row[0]):
        new = {"$literal": [label for _, label in group]}
        every = {"$concatArrays": [{"$ifNull": [f"${at}", []]}, new]}
        value = {"$mergeObjects": [{"$literal": empty}, {"detections": every}]}
        yield UpdateOne({"_id": sample}, [{"$set": {field: value, **now()}}])
