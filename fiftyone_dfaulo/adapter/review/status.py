"""Says how the review of a run stands, and how many faults are left."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.review.audit import count_drawn, estimate_drawn
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.review.state.items import ReviewState
from fiftyone_dfaulo.adapter.review.state.kept import read_state
from fiftyone_dfaulo.checks import check_whole_number

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.feedback.estimate import FaultEstimate


@dataclass(frozen=True)
class ReviewStatus:
    """How the review of a run stands, and what to expect of the next batch.

    Attributes:
        scored: items of the run that still exist.
        faulty: those with the verdict faulty, which are the faults found so far.
        correct: those with the verdict correct.
        unsure: those that somebody could not tell of.
        excluded: those that do not belong in the dataset. They are no faults, found or
            to be found: all estimates are of the others.
        unchecked: those without a verdict.
        estimate: how many faults there are in all, about; by the audit once items of
            it were checked in every part of the ranking, else by the scores and all
            verdicts.
        low: lower end of the 90 % interval of the estimate.
        high: its upper end.
        left: how many faults are not found yet, about.
        precision: share of faulty among the checked; None before any verdict.
        expected_next: faults to expect in the next batch.
        audited: how many of the items that :func:`.audit_view` drew have a verdict.
        to_audit: how many of them have none.
        by_audit: whether the estimate is the audit's.
        corrected: labels that were replaced by ``apply_suggestions``.
        stale: how many labels were edited or removed since the run, corrections by
            this run not counted.
        stale_ids: ids of the items that have them.
    """

    scored: int
    faulty: int
    correct: int
    unsure: int
    excluded: int
    unchecked: int
    estimate: float
    low: float
    high: float
    left: float
    precision: float | None
    expected_next: float
    audited: int
    to_audit: int
    by_audit: bool
    corrected: int
    stale: int
    stale_ids: list[str] = field(repr=False)

    @property
    def found(self) -> int:
        """Faults found so far."""
        return self.faulty

    def to_dict(self) -> dict[str, Any]:
        """These figures as JSON, without the ids, which may be many."""
        kept = {n: value for n, value in asdict(self).items() if n != "stale_ids"}
        return {**kept, "found": self.found}

    def __str__(self) -> str:
        return (
            f"{self.found} found of about {self.estimate:.0f} faults "
            f"({self.low:.0f} to {self.high:.0f}), {self.faulty + self.correct} of "
            f"{self.scored} checked, {self.corrected} corrected"
        )


@public
def review_status(
    samples: Samples, brain_key: str = "dfaulo", *, batch_size: int = 50
) -> ReviewStatus:
    """How the review of a run stands, and what to expect of the next batch.

    Args:
        samples: the dataset, or any view into it; the whole run is counted.
        brain_key: the key of the run.
        batch_size: items in the next batch, at least 1.

    Raises:
        InputError: if ``batch_size`` is no whole number of 1 or more.
        RunError: if there is no such run, or a field of it was deleted.

    Examples:
        >>> worst = dfaulo.suspicious_view(dataset, limit=10)
        >>> changed = dfaulo.record_verdicts(
        ...     dataset, faulty=worst[:6], correct=worst[6:]
        ... )
        >>> status = dfaulo.review_status(dataset)
        >>> status.found, status.unchecked
        (6, 50)
        >>> print(status)
        6 found of about ... faults (6 to ...), 10 of 60 checked, 0 corrected
    """
    check_whole_number("batch_size", batch_size, 1)
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    return status_of(review, batch_size)


def status_of(review: ReviewSession, batch_size: int) -> ReviewStatus:
    """As :func:`review_status`, in a review that is open."""
    results = review.load_results()
    return describe_state(results, read_state(review, results), batch_size)


def adjusted_scores(results: DFauLoResults, state: ReviewState) -> np.ndarray:
    """What :func:`.learning.adjust` makes of the initial scores, by the verdicts."""
    from fiftyone_dfaulo.engine.feedback.learning import adjust

    def compute() -> np.ndarray:
        return adjust(results.suspiciousness, state.verdicts, *results.groups())

    return state.once("adjusted", compute)


def estimate_state(results: DFauLoResults, state: ReviewState) -> FaultEstimate:
    """How many faults there are, by scores and verdicts, of the items that count."""
    from fiftyone_dfaulo.engine.feedback.estimate import estimate_adjusted

    def compute() -> FaultEstimate:
        there = state.counted
        score = adjusted_scores(results, state)[there]
        return estimate_adjusted(score, np.maximum(state.verdicts[there], -1))

    return state.once("estimate", compute)


def describe_state(
    results: ComparedResults, state: ReviewState, batch_size: int
) -> ReviewStatus:
    """As :func:`review_status`, of a state that was read already.

    Args:
        results, state: of which run, and how it stands.
        batch_size: items in the next batch.
    """
    estimate = estimate_state(results, state)
    audited, to_audit = count_drawn(state)
    audit = estimate_drawn(results, state) if audited else None
    count, low, high = audit or (estimate.count, estimate.low, estimate.high)
    given = state.count_verdicts()
    faulty, correct = given["faulty"], given["correct"]
    stale = np.flatnonzero(state.edited(results) & ~state.as_applied)
    return ReviewStatus(
        scored=int(state.present.sum()),
        faulty=faulty,
        correct=correct,
        unsure=given["unsure"],
        excluded=given["exclude"],
        unchecked=given[None],
        estimate=float(count),
        low=float(low),
        high=float(high),
        left=float(count) - faulty,
        precision=faulty / (faulty + correct) if faulty + correct else None,
        expected_next=min(estimate.next_batch(int(batch_size)), float(high) - faulty),
        audited=audited,
        to_audit=to_audit,
        by_audit=audit is not None,
        corrected=int(state.corrected.sum()),
        stale=len(stale),
        stale_ids=[results.ids[row] for row in stale],
    )
