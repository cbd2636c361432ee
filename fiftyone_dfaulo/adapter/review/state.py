"""What the dataset says now about the items of a run: scores, verdicts, labels.

All of it is read once, and kept for the reviews that are ``recent``, as those of the
App's panel: these read only the samples that were written since.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, NamedTuple

import numpy as np
from bson import ObjectId

from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.storage.items import CLASS, SAMPLE, Query

EXPIRY = 60.0
"""Seconds after which all is read anew: not every write shows."""

OVERLAP = timedelta(seconds=5)
"""How long after its time stamp a write may come, by a clock like ours: 100,000 scores
have one of these, and are written in so many seconds (``docs/review.md``)."""

_RUNS = 8
_IN_ONE_GROUP = 100_000  # of 60 bytes each; a document holds 16 MB
_WHEN = "last_modified_at"
EXCLUDED = -3
_CODES = {"faulty": 1, "correct": 0, None: -1, "unsure": -2, "exclude": EXCLUDED}


_SIDES: tuple[Literal["left"], Literal["right"]] = "left", "right"


class ReviewState(NamedTuple):
    """The N items of the results, in their order."""

    present: np.ndarray  # bool (N,), whether the item still exists
    scores: np.ndarray  # float64 (N,), NaN where there is none
    verdicts: np.ndarray  # int8 (N,), as in _CODES: 1 faulty, 0 correct
    labels: np.ndarray  # object (N,), the text of the label, or labels, or None
    drawn: np.ndarray  # bool (N,), whether an audit has drawn it
    samples: np.ndarray  # S12 (N,), the id of the sample that it lies in

    @property
    def counted(self) -> np.ndarray:
        """Bool (N,), the items that faults are counted among: all but the excluded."""
        return self.present & (self.verdicts != EXCLUDED)

    def count_verdicts(self) -> dict[str | None, int]:
        """How many of the items that exist have each verdict, or None."""
        there = self.verdicts[self.present]
        return {name: int((there == code).sum()) for name, code in _CODES.items()}


class _Kept:
    """A state, and what the database said when it was read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.state: ReviewState | None = None
        self.began = float("-inf")
        self.read_at = datetime.min
        self.count = 0


_lock = threading.Lock()
_kept: OrderedDict[Hashable, _Kept] = OrderedDict()


def read_state(review: ReviewSession, results: DFauLoResults) -> ReviewState:
    """Reads it, in one request; for a recent review only what was written since.

    The arrays are not to be changed.
    """
    if not review.recent:
        return _read(review, results, _nothing(len(results.ids)), {})
    kept = _entry(review)
    with kept.lock:
        began, now, count = time.monotonic(), datetime.now(timezone.utc), _count(review)
        before, kept.state = kept.state, None  # whatever fails, nothing half-read stays
        since: Query = {_WHEN: {"$gte": kept.read_at - OVERLAP}} if before else {}
        if began - kept.began > EXPIRY or kept.count != count or not _stamped(review):
            before = None
        if before is not None:
            before = _without(before, _written(review, since))
        if before is None:
            since, kept.began = {}, began
            before = _nothing(len(results.ids))
        kept.state = _read(review, results, before, since)
        kept.read_at, kept.count = now, count
        return kept.state


def forget_state(review: ReviewSession) -> None:
    """Has the next reading of this run be of everything."""
    with _lock:
        _kept.pop(_key(review), None)


def _entry(review: ReviewSession) -> _Kept:
    with _lock:
        kept = _kept.setdefault(_key(review), _Kept())
        _kept.move_to_end(_key(review))
        while len(_kept) > _RUNS:
            _kept.popitem(last=False)
        return kept


def _key(review: ReviewSession) -> Hashable:
    """The run, by what never changes, and what is read of it, by the names."""
    return review.items.documents.full_name, review.config.token, review.fields


def _nothing(count: int) -> ReviewState:
    """The state of items of which none exists."""
    return ReviewState(
        np.zeros(count, bool),
        np.full(count, np.nan),
        np.full(count, -1, np.int8),
        np.full(count, None, object),
        np.zeros(count, bool),
        np.zeros(count, "S12"),
    )


def _written(review: ReviewSession, since: Query) -> np.ndarray:
    """S12, ids of the samples that match."""
    found = review.items.documents.find(since, {"_id": True})
    return _packed(one["_id"] for one in found)


def _without(state: ReviewState, samples: np.ndarray) -> ReviewState | None:
    """A copy in which no item of these samples exists.

    None if one of them is new: it may have taken the place of one that was deleted.
    """
    order = np.argsort(state.samples, kind="stable")  # quick where they are in order
    in_order = state.samples[order]
    first, last = (np.searchsorted(in_order, samples, side) for side in _SIDES)
    if (first == last).any():
        return None
    copy = ReviewState(*(values.copy() for values in state))
    ranges = [np.arange(*ends) for ends in zip(first, last)]
    written = order[np.concatenate([order[:0], *ranges])]
    for values, nothing in zip(copy[:-1], _nothing(1)):
        values[written] = nothing[0]
    return copy


def _read(
    review: ReviewSession, results: DFauLoResults, state: ReviewState, since: Query
) -> ReviewState:
    """Reads the items of the samples that match into a state.

    The database puts those together that have the same verdict, class and so on: a
    document for each item would take most of the time.
    """
    score, verdict = review.fields.suspiciousness, review.fields.verdict
    audit = review.own.audit
    alike = {
        "verdict": f"${verdict}",
        "class": f"${CLASS}",
        "drawn": f"${audit}",
        "part": _part(results),
    }
    together = {
        "_id": alike,
        "ids": {"$push": "$_id"},
        "scores": {"$push": {"$ifNull": [f"${score}", None]}},
    }
    if review.items.lists:
        together["samples"] = {"$push": f"${SAMPLE}"}
    stages = review.items.stages(None, {}, score, verdict, audit, CLASS)
    pipeline = [{"$match": dict(since)}, *stages, {"$group": together}]
    rows_of = _Rows(results)
    for some in review.items.documents.aggregate(pipeline, allowDiskUse=True):
        ids = _packed(some["ids"])
        rows, known = rows_of.of(ids)
        state.present[rows] = True
        state.scores[rows] = np.array(some["scores"], np.float64)[known]
        shared = some["_id"]
        state.verdicts[rows] = _CODES.get(shared.get("verdict"), -1)
        state.labels[rows] = review.target.class_text(shared.get("class"))
        state.drawn[rows] = shared.get("drawn") is True
        samples = _packed(some["samples"]) if "samples" in some else ids
        state.samples[rows] = samples[known]
    return state


def _part(results: DFauLoResults) -> dict[str, Any]:
    """A number by which items are put into groups that are not too large."""
    count = 1 + len(results.ids) // _IN_ONE_GROUP
    return {"$floor": {"$multiply": [{"$rand": {}}, count]}}


def _packed(ids: Iterable[ObjectId]) -> np.ndarray:
    """Ids as S12 (N,)."""
    return np.frombuffer(b"".join(one.binary for one in ids), "S12")


class _Rows:
    """Which row of the results an item has."""

    def __init__(self, results: DFauLoResults) -> None:
        ids = np.frombuffer(bytes.fromhex("".join(results.ids)), "S12")
        self.order = np.argsort(ids, kind="stable")  # quick where they are in order
        self.sorted = ids[self.order]

    def of(self, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of items that were found, S12 (F,); and which of them have one."""
        near = np.minimum(np.searchsorted(self.sorted, found), len(self.sorted) - 1)
        known = self.sorted[near] == found
        return self.order[near[known]], known


def edited_ids(results: DFauLoResults, state: ReviewState) -> list[str]:
    """Ids of the samples whose label is no longer the one that was scored."""
    edited = state.present & np.asarray(state.labels != results.label_texts(), bool)
    return [results.ids[n] for n in np.flatnonzero(edited)]


def fingerprint(review: ReviewSession) -> tuple[Any, ...]:
    """A value that changes when something is written, as far as indexes tell.

    Takes milliseconds. It can miss what a machine with a slow clock writes, or what is
    written in the same millisecond.
    """
    dataset = review.dataset
    last, count = _last_write(review), _count(review)
    return review.config.token, dataset.last_modified_at, last, count


def _last_write(review: ReviewSession) -> datetime | None:
    """The time stamp of the last write to a sample."""
    last = review.items.documents.find_one(
        {}, {_WHEN: True, "_id": False}, sort=[(_WHEN, -1)]
    )
    return (last or {}).get(_WHEN)


def _stamped(review: ReviewSession) -> bool:
    """Whether writes to samples can be told by their time, as FiftyOne stamps them."""
    return _last_write(review) is not None


def _count(review: ReviewSession) -> int:
    return int(review.items.documents.estimated_document_count())
