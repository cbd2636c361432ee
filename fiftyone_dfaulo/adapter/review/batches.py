"""The next batch: which items to check next, and whether to learn for it first."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.review.learning import MOST, learned_scores, write_learned
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.state.items import ReviewState
from fiftyone_dfaulo.adapter.review.state.kept import read_state
from fiftyone_dfaulo.adapter.review.status import estimate_state

LOOK = 1.0
"""Seconds that a person looks at an item, at least."""

WRITE = 5e-5
"""Seconds to write a score: 5 s for 100,000 (``docs/review.md``)."""


class Batch(NamedTuple):
    """Items to check, most suspicious first.

    Attributes:
        ids: of the items.
        faults: how many of them are faults, about.
        gain: how many more that are than without learning, about.
        learned: whether the ranking has learned for this batch.
    """

    ids: list[str]
    faults: float
    gain: float
    learned: bool


def take_batch(
    review: ReviewSession,
    size: int,
    part: dict[str, Any] | None = None,
    among: Collection[str] | None = None,
) -> Batch:
    """The most suspicious unchecked items; ranked anew if that pays.

    It pays if it saves more time than it takes to write the scores: with more faults
    in a batch, a person looks at fewer items for each.

    Of near duplicates with different labels, the other one follows the first at once,
    however little suspicious, unless it is no part of what was asked for.

    Args:
        review: the review.
        size: the most items to take, at least 1.
        part: the part of the items to take from: None for all; or ``looks_like``,
            ``given`` (the label), or both; or ``alike``, two classes, for those of each
            that look like the other; or ``reason``; or ``low`` and ``high``, bounds of
            the suspiciousness.
        among: ids of the items that can be shown, if these are not all.
    """
    from fiftyone_dfaulo.engine.feedback.learning import highest

    results = review.load_results()
    state = read_state(review, results)
    open_ = state.present & (state.verdicts == -1) & np.isfinite(state.scores)
    if among is not None:
        open_ &= np.fromiter((i in among for i in results.ids), bool, len(open_))
    chances = np.zeros(len(results.ids))
    chances[state.counted] = estimate_state(results, state).chances

    def first(scores: np.ndarray) -> np.ndarray:
        rows = np.flatnonzero(open_ & _part_of(results, state, scores, part))
        return rows[highest(scores[rows], size)]

    rows = first(state.scores)
    learned = learned_scores(results, state, review.config.audit_shift)
    better = first(learned)
    faults = float(chances[better].sum())
    gain = faults - float(chances[rows].sum())
    cost = WRITE * min(MOST, int((learned != state.scores).sum()))
    pays = gain > 0 and LOOK * size * gain / faults > cost
    if pays:
        write_learned(review, results, state, learned, MOST)
        rows = better
    if part and "reason" not in part:  # "the rest is faulty" is said of the part
        open_ &= _part_of(results, state, state.scores, part)
    rows = _with_near_duplicates(results, open_, rows)
    faults = float(chances[rows].sum())
    return Batch([results.ids[n] for n in rows], faults, gain if pays else 0.0, pays)


def _with_near_duplicates(
    results: ComparedResults, open_: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """As many rows, an item followed by its near duplicate if that is unchecked.

    One of the two labels is wrong: a person sees at once which.
    """
    if not results.near_duplicates:
        return rows
    twins = {
        row: results.near_duplicates.get(results.ids[row]) for row in rows.tolist()
    }
    row_of = results.rows.find([one for one in twins.values() if one])
    placed: dict[int, None] = {}
    for row, one in twins.items():
        twin = row_of.get(one or "", -1)
        placed.update({row: None} | ({twin: None} if twin >= 0 and open_[twin] else {}))
    return np.array([*placed][: len(rows)], np.int64)


def lowest_shown(
    review: ReviewSession, part: dict[str, Any] | None, most: int, unchecked: bool
) -> tuple[float, int]:
    """What the most suspicious items of a part score at least, and how many there are.

    Args:
        review: the review.
        part: as of :func:`take_batch`.
        most: how many are to be shown, at least 1.
        unchecked: whether items with a verdict are no part of it.

    Returns:
        the score, 0.0 if all can be shown; and how many items the part has.
    """
    results = review.load_results()
    state = read_state(review, results)
    some = np.isfinite(state.scores) & _part_of(results, state, state.scores, part)
    if unchecked:
        some &= state.verdicts == -1
    scores, count = state.scores[some], int(some.sum())
    if count <= most:
        return 0.0, count
    return float(np.partition(scores, -most)[-most]), count


def _part_of(
    results: ComparedResults,
    state: ReviewState,
    scores: np.ndarray,
    part: dict[str, Any] | None,
) -> np.ndarray:
    """Bool (N,), or what broadcasts to it: the items of a part."""
    if not part:
        return np.ones(1, bool)
    if "reason" in part:
        columns = [name == part["reason"] for name in results.reason_names]
        return np.asarray(results.reasons[:, columns].any(1))
    if "alike" in part:
        one, other = part["alike"]
        swapped = _part_of(results, state, scores, {"given": one, "looks_like": other})
        return swapped | _part_of(
            results, state, scores, {"given": other, "looks_like": one}
        )
    if "looks_like" in part or "given" in part:
        some = np.ones(len(results.ids), bool)
        if "looks_like" in part:
            some &= results.texts.suggestions == state.number(part["looks_like"])
        if "given" in part:
            some &= state.labels == state.number(part["given"])
        return some
    return np.asarray((scores >= part["low"]) & (scores < part["high"]))
