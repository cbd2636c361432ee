"""How many faults are there, by a sample drawn at random?

No ranking can tell how many faults lie where nobody looks. So a few items are drawn
from all over it:

1. Items are divided into strata by their initial score: each has the same share of what
   is uncertain (the sum of the standard deviations p (1 - p) ** .5), and is given the
   same share of the draw. Where it is clear what an item is, few are drawn.
2. In a stratum, the share of faults has a beta distribution: the verdicts on what was
   drawn, and a prior that expects what the scores say, worth :data:`PRIOR` verdicts.
3. The number of faults is the sum over the strata. It is at least what was found in any
   other way, and at most what was not found to be correct: the top of a ranking is no
   sample of anything, but it is known.
4. Scores that add up to a number outside the interval are moved, all by the same
   log-odds, to add up to what was found.

The strata are those of Dalenius and Hodges, "Minimum Variance Stratification", Journal
of the American Statistical Association 54, 1959.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fiftyone_dfaulo.engine.feedback.estimate import INTERVAL, chances_of_fault
from fiftyone_dfaulo.engine.feedback.learning import log_odds
from fiftyone_dfaulo.engine.signals import shift_to_sum

STRATA = 5
PRIOR = 2.0
"""What the scores say is worth as many verdicts, in each stratum. Both were chosen on
cases of ``docs/review.md``, that intervals hold the truth."""

_DRAWS = 4_000  # from the distribution of the number of faults; the same ones each time


class AuditEstimate(NamedTuple):
    """The number of faults among N items: the median and its 90 % interval."""

    median: float
    low: float
    high: float


def strata(initial: np.ndarray) -> np.ndarray:
    """The stratum of each item.

    Args:
        initial: float64 (N,), in [0, 1], the suspiciousness before any verdict.

    Returns:
        int64 (N,), in 0..STRATA-1; 0 is the most suspicious.
    """
    order = np.argsort(-initial, kind="stable")
    chances = chances_of_fault(initial)[order]
    uncertain = np.cumsum(np.sqrt(chances * (1 - chances)))
    result = np.empty(len(initial), np.int64)
    result[order] = np.minimum(
        (STRATA * uncertain / uncertain[-1:]).astype(np.int64), STRATA - 1
    )
    return result


def draw(
    stratum: np.ndarray, drawn: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """More items for the audit, evenly from all strata, in random order.

    Args:
        stratum: int64 (N,), from :func:`strata`.
        drawn: bool (N,), those that were drawn before.
        size: how many to draw; where fewer are left, all of them.
        rng: what draws.

    Returns:
        int64, their positions.
    """
    shuffled = rng.permutation(np.flatnonzero(~drawn))
    order = np.argsort(stratum[shuffled], kind="stable")
    counts = np.bincount(stratum[shuffled], minlength=STRATA)
    starts = np.cumsum(counts) - counts
    turn = np.empty(len(shuffled), np.int64)  # of an item in its stratum
    turn[order] = np.arange(len(shuffled)) - np.repeat(starts, counts)
    chosen = shuffled[np.argsort(turn, kind="stable")[:size]]
    return rng.permutation(chosen)


def estimate_by_audit(
    initial: np.ndarray,
    drawn: np.ndarray,
    verdicts: np.ndarray,
    stratum: np.ndarray | None = None,
) -> AuditEstimate | None:
    """The number of faults by what was drawn and checked.

    Args:
        initial: float64 (N,), as of :func:`strata`.
        drawn: bool (N,), the items that were drawn.
        verdicts: int8 (N,): 1 faulty, 0 correct, -1 unchecked; of all items, drawn or
            not.
        stratum: what :func:`strata` says of them, if it is known.

    Returns:
        None until an item of each stratum was drawn and checked.
    """
    chances = chances_of_fault(initial)
    if stratum is None:
        stratum = strata(initial)
    rng = np.random.default_rng(0)
    total = np.zeros(_DRAWS)
    for number in np.unique(stratum):
        mine = stratum == number
        size, known = int(mine.sum()), verdicts[mine]
        told = known[drawn[mine] & (known >= 0)]
        if not len(told):
            return None
        faulty, expected = int(told.sum()), PRIOR * float(chances[mine].mean())
        share = rng.beta(
            faulty + expected, len(told) - faulty + PRIOR - expected, _DRAWS
        )
        found = faulty + rng.binomial(size - len(told), share)
        least, most = int((known == 1).sum()), size - int((known == 0).sum())
        total += np.clip(found, least, most)
    ends = (0.5 - INTERVAL / 2, 0.5, 0.5 + INTERVAL / 2)
    low, median, high = (float(np.quantile(total, end)) for end in ends)
    return AuditEstimate(median, low, high)


def shift_to_audit(
    scores: np.ndarray, verdicts: np.ndarray, audit: AuditEstimate
) -> float:
    """What to add to log-odds so that an audit does not contradict the scores.

    Args:
        scores: float64 (N,), in [0, 1].
        verdicts: int8 (N,), 1 faulty, 0 correct, below 0 unchecked.
        audit: what :func:`estimate_by_audit` says of these N items.

    Returns:
        0 where the faults found and the scores of the unchecked add up to a number in
        the interval of the audit; else what makes them add up to its estimate.
    """
    unchecked, found = verdicts < 0, float((verdicts == 1).sum())
    total = found + float(scores[unchecked].sum())
    if audit.low <= total <= audit.high or not unchecked.any():
        return 0.0
    return shift_to_sum(log_odds(scores[unchecked]), audit.median - found)
