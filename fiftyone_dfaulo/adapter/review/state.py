"""What the dataset says now about the items of a run: scores, verdicts, labels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.storage.items import CLASS

_CODES: dict[str | None, int] = {"faulty": 1, "correct": 0}


class ReviewState(NamedTuple):
    """The N items of the results, in their order."""

    present: np.ndarray  # bool (N,), whether the item still exists
    scores: np.ndarray  # float64 (N,), NaN where there is none
    verdicts: np.ndarray  # int8 (N,): 1 faulty, 0 correct, -1 unchecked
    labels: np.ndarray  # object (N,), the text of the label, or labels, or None


def read_state(review: ReviewSession, results: DFauLoResults) -> ReviewState:
    """Reads it, in one request: half a second for 100,000 samples."""
    score, verdict = review.fields.suspiciousness, review.fields.verdict
    flat: dict[str, Any] = {  # nested documents take longer to decode
        "score": f"${score}",
        "verdict": f"${verdict}",
        "class": f"${CLASS}",
    }
    stages = review.items.stages(None, {}, score, verdict, CLASS)
    documents = review.items.documents
    found: list[Any] = list(documents.aggregate([*stages, {"$project": flat}]))
    count = len(results.ids)
    rows, known = _rows_of(results.ids, [d["_id"].binary for d in found])
    scores = np.array([d.get("score") for d in found], np.float64)
    verdicts = np.array([_CODES.get(d.get("verdict"), -1) for d in found], np.int8)
    texts = (review.target.class_text(d.get("class")) for d in found)
    labels = np.fromiter(texts, object, len(found))
    state = ReviewState(
        np.zeros(count, bool),
        np.full(count, np.nan),
        np.full(count, -1, np.int8),
        np.full(count, None, object),
    )
    state.present[rows] = True
    state.scores[rows] = scores[known]
    state.verdicts[rows] = verdicts[known]
    state.labels[rows] = labels[known]
    return state


def _rows_of(ids: list[str], found: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the results that items that were found have; which of them have one."""
    wanted = np.frombuffer(bytes.fromhex("".join(ids)), "S12")
    there = np.array(found, "S12")
    order = np.argsort(wanted)
    near = np.minimum(np.searchsorted(wanted, there, sorter=order), len(wanted) - 1)
    rows = order[near]
    known = wanted[rows] == there
    return rows[known], known


def edited_ids(results: DFauLoResults, state: ReviewState) -> list[str]:
    """Ids of the samples whose label is no longer the one that was scored."""
    edited = state.present & np.asarray(state.labels != results.label_texts(), bool)
    return [results.ids[n] for n in np.flatnonzero(edited)]


def fingerprint(review: ReviewSession) -> tuple[Any, ...]:
    """A value that changes when something is written, as far as indexes tell.

    Takes milliseconds. It can miss what a machine with a slow clock writes, or what is
    written in the same millisecond.
    """
    dataset, when = review.dataset, "last_modified_at"
    last = review.items.documents.find_one(
        {}, {when: True, "_id": False}, sort=[(when, -1)]
    )
    return (
        review.config.token,
        dataset.last_modified_at,
        (last or {}).get(when),
        review.items.documents.estimated_document_count(),
    )
