"""Draws items at random from all over the ranking: how many faults are there?"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.review.state.items import EXCLUDED, ReviewState
from fiftyone_dfaulo.adapter.review.state.kept import read_state
from fiftyone_dfaulo.checks import check_whole_number
from fiftyone_dfaulo.errors import InputError

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.feedback.audit import AuditEstimate

SIZE = 60
"""Items in an audit, unless another number is asked for."""


@public
def audit_view(
    samples: Samples, brain_key: str = "dfaulo", *, size: int = SIZE
) -> Samples:
    """A random part of a run, whose verdicts tell how many faults there are.

    The ranking can't tell how many faults lie where nobody looks. Give all that this
    shows a verdict, with :func:`.record_verdicts`; from then on
    :func:`.review_status` goes by the audit. Its interval halves with four times as
    many.

    Items are drawn from all over the ranking, more of them where it is uncertain. Those
    that were drawn before and have no verdict come again first, so that an audit that
    was interrupted goes on.

    Args:
        samples: the dataset, or any view into it; the whole run is drawn from.
        brain_key: the key of the run.
        size: items to show, at least 5; fewer where the run has fewer unchecked ones.

    Returns:
        a view of them in random order; of a run that scored objects, of patches.

    Raises:
        InputError: if ``size`` is no whole number of 5 or more, or everything has a
            verdict.
        RunError: if there is no such run, or a field of it was deleted.

    Examples:
        >>> drawn = dfaulo.audit_view(dataset, size=20)
        >>> changed = dfaulo.record_verdicts(dataset, correct=drawn)  # what you see
        >>> dfaulo.review_status(dataset).by_audit
        True
    """
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    ids = draw_audit(review, size)
    whole = review.dataset.to_frames() if review.target.frames else review.dataset
    return review.target.select(whole, ids)


def draw_audit(review: ReviewSession, size: int) -> list[str]:
    """Ids of what :func:`audit_view` shows, in a review that is open."""
    from fiftyone_dfaulo.engine.feedback.audit import STRATA, draw

    size = check_whole_number("size", size, STRATA)
    results = review.load_results()
    state = read_state(review, results)
    drawn = state.drawn
    chosen = np.flatnonzero(state.present & drawn & (state.verdicts == -1))[:size]
    stratum = results.strata
    seed = crc32(str(review.config.token).encode()) + int(drawn.sum())
    rng, new = np.random.default_rng(seed), []
    left = ~drawn & state.present
    while len(chosen) < size and left.any():
        # of these, some may have a verdict already: they are known, and drawn as well
        more = draw(stratum, ~left, size - len(chosen), rng)
        left[more] = False
        new += [results.ids[n] for n in more]
        chosen = np.concatenate([chosen, more[state.verdicts[more] == -1]])
    _keep(review, new)
    if not len(chosen):
        raise InputError(f"Every {review.target.noun} has a verdict already")
    return [results.ids[n] for n in chosen]


def count_drawn(state: ReviewState) -> tuple[int, int]:
    """Numbers of items that were drawn and have a verdict, and that have none."""
    drawn = state.drawn & state.present
    told = (state.verdicts >= 0) | (state.verdicts == EXCLUDED)
    return int((drawn & told).sum()), int((drawn & (state.verdicts == -1)).sum())


def estimate_drawn(
    results: ComparedResults, state: ReviewState
) -> AuditEstimate | None:
    """The number of faults by what was drawn; what is excluded is none, as it leaves.

    Returns:
        None until enough of it was checked; see :func:`.audit.estimate_by_audit`.
    """
    from fiftyone_dfaulo.engine.feedback.audit import estimate_by_audit

    there = state.present
    initial = results.suspiciousness[there]
    stratum = results.strata if there.all() else None
    return estimate_by_audit(initial, state.drawn[there], _told(state), stratum)


def audit_shift(
    results: ComparedResults, state: ReviewState, scores: np.ndarray
) -> float:
    """What to add to the log-odds of scores; see :func:`.audit.shift_to_audit`.

    0 without an audit, and of the paper's scores, which are no probabilities.
    """
    from fiftyone_dfaulo.engine.feedback.audit import shift_to_audit

    audit = estimate_drawn(results, state) if state.drawn.any() else None
    if audit is None or results.config.method == "paper":
        return 0.0
    return shift_to_audit(scores[state.present], _told(state), audit)


def _told(state: ReviewState) -> np.ndarray:
    """Int8, the verdicts on the items that exist; what is excluded is no fault."""
    return np.where(state.verdicts == EXCLUDED, 0, state.verdicts)[state.present]


def _keep(review: ReviewSession, ids: list[str]) -> None:
    """Writes down what was drawn."""
    if not ids:
        return
    name, items = review.own.audit, review.items.locate(ids)
    review.add_field("audit")
    review.write(review.items.fill([(items[i], {name: True}) for i in ids]))
    review.show_written(items.values())
