"""What is known of a run's items: which are faults, and of what kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import fiftyone as fo
import numpy as np

from fiftyone_dfaulo.adapter.host import Field
from fiftyone_dfaulo.adapter.reading.injection_record import find_record
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.storage.items import LABEL, LIST, SAMPLE, Item
from fiftyone_dfaulo.engine.boxes.matching import assign
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, find_pairs
from fiftyone_dfaulo.engine.injection.box_plans import MISSING

_SAME = 0.5
"""An object that looks missing is one that was taken away from this overlap on."""


class Truth(NamedTuple):
    """What is known of one item.

    Attributes:
        id: its id; empty of an object that is missing and nobody has found.
        score: its suspiciousness; None if the run has none for it.
        fault: whether it is a fault.
        kind: of fault, of objects; empty if it is not known.
    """

    id: str
    score: float | None
    fault: bool
    kind: str = ""


def kind_of(field: Field) -> type:
    """The type of a field, or of the labels in it."""
    kind: type = getattr(field, "document_type", type(field))
    return kind


def read_truth(review: ReviewSession, fault_field: str) -> list[Truth]:
    """The samples whose truth is known, by id."""
    score = review.fields.suspiciousness
    known = {fault_field: {"$ne": None}}
    within = review.ids_in(review.samples)
    found = review.find(within, known, score, fault_field, LABEL)
    items = {str(item["_id"]): item for item in found}
    kind = kind_of(review.storage.get_field(fault_field))
    scored = {} if kind is fo.BooleanField else _scored_labels(review)
    entries = []
    for one, item in sorted(items.items()):
        truth, given = item[fault_field], review.target.label_text(item.get(LABEL))
        if kind is fo.Classification:
            truth = truth.get("label")
        if kind is not fo.BooleanField:
            truth = None if truth is None else truth != scored.get(one, given)
        if truth is not None:
            entries.append(Truth(one, item.get(score), bool(truth)))
    return entries


def _scored_labels(review: ReviewSession) -> dict[str, str]:
    """The labels that the run scored, by sample; they may have changed since."""
    results = review.load_results()
    return dict(zip(results.ids, results.label_texts()))


def read_object_truth(review: ReviewSession, fault_field: str) -> list[Truth]:
    """The objects whose truth is known; of planted faults, the missing ones too.

    Args:
        review: the review of a run on objects.
        fault_field: their boolean attribute.
    """
    record = find_record(review.dataset)
    planted = record is not None and record.fields.fault == fault_field
    kind = record.fields.kind if record is not None and planted else ""
    score, names = review.fields.suspiciousness, [LABEL, fault_field]
    names += [kind] if kind else []
    within = review.ids_in(review.samples)
    found = list(review.find(within, {}, score, *names))
    entries = [
        Truth(
            str(item["_id"]),
            item.get(score),
            bool(item[fault_field]),
            str(item.get(kind) or "") if kind else "",
        )
        for item in found
        if item.get(fault_field) is not None
    ]
    if record is not None and planted and len(review.items.lists) > 1:
        true_label = record.fields.true_label
        entries += _missing(review, found, true_label)
    return entries


def _missing(
    review: ReviewSession, found: list[dict[str, Any]], true_label: str
) -> Iterator[Truth]:
    """The objects that look missing, and those that are and do not."""
    score, here = review.fields.suspiciousness, {item["_id"] for item in found}
    looks = [one for one in found if one[LIST] == review.items.lists[1]]
    samples = sorted({item[SAMPLE] for item in found})
    fields = {true_label: True}
    gone: list[Item] = []
    for document in review.storage.collection.find({"_id": {"$in": samples}}, fields):
        before = (document.get(true_label) or {}).get("detections") or []
        missing = (one for one in before if one["_id"] not in here)
        gone += [{SAMPLE: document["_id"], LABEL: one} for one in missing]
    images = {one: n for n, one in enumerate(samples)}
    first, second = (_boxes(items, images) for items in (looks, gone))
    pairs = find_pairs(first, second)
    pairs = pairs.take(np.flatnonzero(pairs.iou >= _SAME))
    chosen = assign(pairs, pairs.iou, (len(looks), len(gone)))
    hits, known = {*pairs.first[chosen]}, {*pairs.second[chosen]}
    for n, item in enumerate(looks):
        kind = MISSING if n in hits else ""
        yield Truth(str(item["_id"]), item.get(score), n in hits, kind)
    for n in range(len(gone)):
        if n not in known:
            yield Truth("", 0.0, True, MISSING)


def _boxes(items: list[Any], images: dict[Any, int]) -> Boxes:
    boxes = [item[LABEL]["bounding_box"] for item in items]
    where = np.array([images[item[SAMPLE]] for item in items], np.int64)
    return Boxes(where, np.array(boxes, float).reshape(-1, 4))
