"""Reads what the database says of a run's items: of all, or of some samples' only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

import numpy as np
from bson import ObjectId

from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.results.texts import number_texts
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.state.items import CODES, ReviewState
from fiftyone_dfaulo.adapter.storage import packed
from fiftyone_dfaulo.adapter.storage.items import CLASS, LABEL, SAMPLE, Query

WHEN = "last_modified_at"
"""What FiftyOne, and this package, stamp each write with."""

_IN_ONE_GROUP = 100_000  # of 80 bytes each; a document holds 16 MB
_SIDES: tuple[Literal["left"], Literal["right"]] = "left", "right"


def read_all(review: ReviewSession, results: ComparedResults) -> ReviewState:
    """The state of all items."""
    state = ReviewState.nothing(len(results.ids), results.texts.numbers)
    _fill(review, results, state, {})
    return state


def as_written(results: ComparedResults) -> ReviewState:
    """The state that a run has left if, at its end, all items were as it scored them.

    Args:
        results: of samples, or frames.
    """
    state = ReviewState.nothing(len(results.ids), results.texts.numbers)
    state.present[:] = True
    state.scores[:] = results.suspiciousness
    state.labels[:] = results.texts.labels
    state.samples[:] = results.rows.ids
    return state


def read_written(
    review: ReviewSession,
    results: ComparedResults,
    before: ReviewState,
    since: datetime,
) -> ReviewState | None:
    """The state once the samples that were written since then are read again.

    It is the same one if nothing in it has changed. None if one of the samples is new,
    as it may have taken the place of one that was deleted; or if they are so many that
    to read all is quicker.
    """
    documents = review.items.documents
    written: Query = {WHEN: {"$gte": since}}
    found = documents.find(written, {"_id": True}).limit(_IN_ONE_GROUP + 1)
    samples = [one["_id"] for one in found]
    if len(samples) > _IN_ONE_GROUP:
        return None
    rows, unknown = _rows_in(before, _packed(samples))
    if unknown.any():
        others = {"_id": {"$in": [samples[n] for n in np.flatnonzero(unknown)]}}
        old = {"created_at": {"$lt": since}}
        if documents.find_one({**others, "$nor": [old]}) is not None:
            return None
    state = before.copy_without(rows)
    _fill(review, results, state, written)
    if state.same(before):
        return before
    state.keep_ranking(before)
    return state


def _packed(ids: Iterable[ObjectId]) -> np.ndarray:
    """Ids as S12 (N,)."""
    return np.frombuffer(b"".join(one.binary for one in ids), "S12")


def _rows_in(state: ReviewState, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The items in these samples; and bool, which of the samples have none."""
    order = np.argsort(state.samples, kind="stable")  # quick where they are in order
    in_order = state.samples[order]
    first, last = (np.searchsorted(in_order, samples, side) for side in _SIDES)
    ranges = [np.arange(*ends) for ends in zip(first, last)]
    return order[np.concatenate([order[:0], *ranges])], first == last


def _fill(
    review: ReviewSession, results: ComparedResults, state: ReviewState, query: Query
) -> None:
    """Reads the items of the samples that match into a new state.

    The database puts those together that have the same verdict, class and so on: a
    document for each item would take most of the time.
    """
    stages = _stages(review, results, query)
    groups = [*packed.aggregate(review.items.documents, stages)]
    if not groups:
        return
    ids = [one["ids"] for one in groups]
    rows, known = results.rows.of(np.concatenate(ids))
    sizes, shared = [*map(len, ids)], [one["_id"] for one in groups]
    times = [_filled(one["given_at"], size) for one, size in zip(groups, sizes)]
    verdicts = [CODES.get(one.get("verdict"), -1) for one in shared]
    text = review.target.class_text
    labels = number_texts(state.numbers, (text(one.get("class")) for one in shared))
    state.present[rows] = True
    state.scores[rows] = np.concatenate([one["scores"] for one in groups])[known]
    state.given_at[rows] = np.concatenate(times)[known]
    state.verdicts[rows] = np.repeat(verdicts, sizes)[known]
    state.labels[rows] = np.repeat(labels, sizes)[known]
    drawn = [one.get("drawn") is True for one in shared]
    state.drawn[rows] = np.repeat(drawn, sizes)[known]
    corrected = np.repeat([one["corrected"] for one in shared], sizes)[known]
    state.corrected[rows] = corrected
    samples = [one.get("samples", one["ids"]) for one in groups]
    state.samples[rows] = np.concatenate(samples)[known]
    if corrected.any():
        _fill_corrected(review, results, state, rows[corrected])


def _filled(values: np.ndarray, size: int) -> np.ndarray:
    """Values of the items of a group; zeros where they have none."""
    return values if len(values) else np.zeros(size, np.int64)


def _stages(
    review: ReviewSession, results: ComparedResults, query: Query
) -> list[dict[str, Any]]:
    """The aggregation: the ids of items that are alike, and what they differ in."""
    score, verdict = review.fields.suspiciousness, review.fields.verdict
    history, original, audit = review.own
    parts = 1 + len(results.ids) // _IN_ONE_GROUP
    names, at, items = (score, verdict, CLASS, *review.own), CLASS, review.items
    listed = items.stages(None, {}, *names) if items.lists else []
    if not listed:  # the documents are the items
        at = items.class_path
    alike = {
        "verdict": f"${verdict}",
        "class": f"${at}",
        "drawn": f"${audit}",
        "corrected": {"$gt": [f"${original}", None]},
        "part": {"$floor": {"$multiply": [{"$rand": {}}, parts]}},
    }
    given_at = packed.moment({"$last": f"${history}.at"})
    has_verdict = {"$gt": [f"${verdict}", None]}
    together = {
        "_id": alike,
        "ids": {"$push": "$_id"},
        "scores": {"$push": packed.number(f"${score}")},
        "given_at": {"$push": {"$cond": [has_verdict, given_at, "$$REMOVE"]}},
    }
    if listed:
        together["samples"] = {"$push": f"${SAMPLE}"}
    return [{"$match": dict(query)}, *listed, {"$group": together}]


def _fill_corrected(
    review: ReviewSession,
    results: ComparedResults,
    state: ReviewState,
    rows: np.ndarray,
) -> None:
    """Says which of these items, all corrected, have the label that was applied."""
    edit, original = review.label_edit(), review.own.original_label
    ids = [results.ids[row] for row in rows]
    found = [*review.find(ids, {original: {"$ne": None}}, LABEL, original)]
    same = [item["_id"] for item in found if edit.is_as_applied(item)]
    state.as_applied[results.rows.of(_packed(same))[0]] = True
