"""What the dataset says now about the items of a run: scores, verdicts, labels.

All of it is read once, and kept for the reviews that are ``recent``, as those of the
App's panel: these read only the samples that were written since.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta, timezone
from typing import Any

from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.state.items import ReviewState
from fiftyone_dfaulo.adapter.review.state.reading import (
    WHEN,
    as_written,
    read_all,
    read_written,
)

EXPIRY = 60.0
"""Seconds after which all is read anew, for each second that it takes, and at least
once: FiftyOne stamps what it writes, but others may not."""

OVERLAP = timedelta(seconds=5)
"""How long after its time stamp a write may come, by a clock like ours: 100,000 scores
have one of these, and are written in so many seconds (``docs/review.md``)."""

SHORT = 1.0
"""Seconds: a panel that opens reads all anew only where that took no longer."""

_RUNS = 8


class _Kept:
    """A state, and what the database said when it was read.

    At first it is the one that the run has left, where to read all is not :data:`SHORT`
    and the run knows it.
    """

    def __init__(self, results: ComparedResults) -> None:
        self.lock = threading.Lock()
        self.state: ReviewState | None = None
        self.began, self.took = float("-inf"), 0.0
        self.read_at, self.count = datetime.min, 0
        settled = results.settled
        if settled is not None and settled.took > SHORT:
            self.state = as_written(results)
            self.began, self.took = time.monotonic(), settled.took
            self.read_at = datetime.fromtimestamp(settled.at, timezone.utc)
            self.count = settled.documents


_lock = threading.Lock()
_kept: OrderedDict[Hashable, _Kept] = OrderedDict()


def read_state(review: ReviewSession, results: ComparedResults) -> ReviewState:
    """Reads it; for a recent review only what was written since."""
    if not review.recent:
        return read_all(review, results)
    kept = _entry(review, results)
    with kept.lock:
        began, now, count = time.monotonic(), datetime.now(timezone.utc), _count(review)
        state, kept.state = kept.state, None  # whatever fails, nothing half-read stays
        expired = began - kept.began > EXPIRY * max(1.0, kept.took)
        if expired or kept.count != count or not _stamped(review):
            state = None
        if state is not None:
            state = read_written(review, results, state, kept.read_at - OVERLAP)
        if state is None:
            state = read_all(review, results)
            kept.began, kept.took = began, time.monotonic() - began
        kept.state, kept.read_at, kept.count = state, now, count
        return state


def forget_state(review: ReviewSession) -> None:
    """Has the next reading of this run be of everything, if that is :data:`SHORT`."""
    with _lock:
        kept = _kept.get(_key(review))
        if kept is not None and kept.took <= SHORT:
            del _kept[_key(review)]


def _entry(review: ReviewSession, results: ComparedResults) -> _Kept:
    key = _key(review)
    with _lock:
        if key not in _kept:
            _kept[key] = _Kept(results)
        _kept.move_to_end(key)
        while len(_kept) > _RUNS:
            _kept.popitem(last=False)
        return _kept[key]


def _key(review: ReviewSession) -> Hashable:
    """The run, by what never changes, and what is read of it, by the names."""
    return review.items.documents.full_name, review.config.token, review.fields


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
        {}, {WHEN: True, "_id": False}, sort=[(WHEN, -1)]
    )
    return (last or {}).get(WHEN)


def _stamped(review: ReviewSession) -> bool:
    """Whether writes to samples can be told by their time, as FiftyOne stamps them."""
    return _last_write(review) is not None


def _count(review: ReviewSession) -> int:
    return int(review.items.documents.estimated_document_count())
