"""How many faults are there, found and left?

1. Let x be the log-odds of a sample's score, as of :func:`.learning.adjust`. The sample
   is a fault with probability c + (1 - c) expit(a + b x): the score is no exact
   probability in every dataset, and some faults (a share c) it does not see at all.
2. A verdict is wrong with a small probability.
3. a, b, c and that probability have broad priors on a grid. The verdicts weigh the
   points of the grid; without verdicts the priors alone do.
4. Each point gives a mean and a variance of the number of faults among the unchecked,
   hence a normal distribution. The 90 % interval of their mixture is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from fiftyone_dfaulo.engine.feedback.learning import adjust, highest, log_odds

INTERVAL = 0.90
SHIFT, SHIFT_SPREAD = 0.0, 1.5  # of a: mean and deviation, in log-odds
SLOPE, SLOPE_SPREAD = -0.1, 0.5  # of log b
UNSEEN = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)  # c: shares, equally likely beforehand
WRONG_VERDICTS = (0.02, 0.05, 0.10)  # probabilities, equally likely beforehand
CREDIT = 0.25
"""Weight of a verdict: less than 1, as three parameters describe no dataset fully.

These numbers were set by hand on the cases of ``docs/review.md``."""

BINS = 200
FURTHEST = 12.0  # log-odds beyond this are treated alike


@dataclass(frozen=True)
class FaultEstimate:
    """The number of faults among N samples.

    Attributes:
        count: the median of the number of faults, found ones included.
        low: the lower end of the 90 % interval of the count.
        high: its upper end.
        found: how many samples have the verdict faulty.
        left: the count without those found.
        chances: float64 (N,), in [0, 1], how likely each sample is a fault by its
            score, its own verdict not counted.
        unchecked: bool (N,), the samples without a verdict.
        score: float64 (N,), that the unchecked are shown by, highest first.
    """

    count: float
    low: float
    high: float
    found: int
    left: float
    chances: np.ndarray
    unchecked: np.ndarray
    score: np.ndarray

    def next_batch(self, size: int) -> float:
        """Expected number of faults in the next ``size`` unchecked samples."""
        rows = np.flatnonzero(self.unchecked)
        first = rows[highest(self.score[rows], size)] if size > 0 else rows[:0]
        return float(self.chances[first].sum())


def estimate_faults(
    initial: np.ndarray,
    verdicts: np.ndarray,
    suggestions: np.ndarray | None = None,
    labels: np.ndarray | None = None,
) -> FaultEstimate:
    """Estimates the number of faults from the initial score and the verdicts.

    Each faulty verdict counts as a fault found. Reviewers see only the top of the
    ranking, so the estimate for the rest is extrapolated: ``docs/review.md`` says how
    often the interval held the truth.

    Args:
        initial: float64 (N,), in [0, 1], the suspiciousness before any verdict.
        verdicts: int8 (N,); 1 faulty, 0 correct, -1 unchecked.
        suggestions: int64 (N,), at least 0, as given to :func:`.learning.learn`, whose
            order batches follow.
        labels: int64 (N,), at least 0, likewise.
    """
    return estimate_adjusted(adjust(initial, verdicts, suggestions, labels), verdicts)


def estimate_adjusted(score: np.ndarray, verdicts: np.ndarray) -> FaultEstimate:
    """As :func:`estimate_faults`, by what :func:`.learning.adjust` makes of the score.

    Args:
        score: float64 (N,), in [0, 1].
        verdicts: int8 (N,), as there.
    """
    odds = np.clip(log_odds(score), -FURTHEST, FURTHEST)
    bins, centres = _bin(odds)
    faulty, correct, unchecked = (
        np.bincount(bins[verdicts == kind], minlength=BINS) for kind in (1, 0, -1)
    )
    chances, weights = _posterior(centres, faulty, correct)
    means = chances @ unchecked
    spreads = np.sqrt((chances * (1 - chances)) @ unchecked)
    found, most = int(faulty.sum()), int(unchecked.sum())
    low, left, high = (
        _quantile(means, spreads, weights, share, most)
        for share in (0.5 - INTERVAL / 2, 0.5, 0.5 + INTERVAL / 2)
    )
    probability = (weights @ chances)[bins]
    return FaultEstimate(
        count=found + left,
        low=found + low,
        high=found + high,
        found=found,
        left=left,
        chances=probability,
        unchecked=verdicts < 0,
        score=score,
    )


def chances_of_fault(score: np.ndarray) -> np.ndarray:
    """How likely items are faults before any verdict, in the mean of the priors.

    Args:
        score: float64 (N,), in [0, 1], the suspiciousness.

    Returns:
        float64 (N,), above 0 and below 1; never falls as the score grows.
    """
    bins, _ = _bin(np.clip(log_odds(score), -FURTHEST, FURTHEST))
    return _prior_chances()[bins]


@cache
def _prior_chances() -> np.ndarray:
    """Of each bin, float64 (BINS,)."""
    none = np.zeros(BINS, np.int64)
    chances, weights = _posterior(_bin(np.zeros(0))[1], none, none)
    return np.asarray(weights @ chances)


def _bin(odds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bin of each sample, and the centres (BINS,) of the bins."""
    width = 2 * FURTHEST / BINS
    bins = np.minimum(((odds + FURTHEST) / width).astype(np.int64), BINS - 1)
    return bins, -FURTHEST + width * (np.arange(BINS) + 0.5)


def _posterior(
    centres: np.ndarray, faulty: np.ndarray, correct: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a fault (G, BINS) at the points of the grid; their weights."""
    normal = np.linspace(-2.5, 2.5, 31)
    grid = np.meshgrid(normal, normal, UNSEEN)
    shift, log_slope, unseen = (each.ravel() for each in grid)
    slope = np.exp(SLOPE + SLOPE_SPREAD * log_slope)
    seen = expit((SHIFT + SHIFT_SPREAD * shift)[:, None] + slope[:, None] * centres)
    chances = unseen[:, None] + (1 - unseen[:, None]) * seen
    prior = -(shift**2 + log_slope**2) / 2
    some = np.flatnonzero(faulty + correct)  # logarithms take most of the time
    logs = []
    for wrong in WRONG_VERDICTS:
        reported = wrong + (1 - 2 * wrong) * chances[:, some]
        reported = np.clip(reported, 1e-12, 1 - 1e-12)
        log, log_not = np.log(reported), np.log1p(-reported)
        logs.append(log @ faulty[some] + log_not @ correct[some])
    together = prior + CREDIT * np.logaddexp.reduce(logs)
    weights = np.exp(together - together.max())
    return chances, weights / weights.sum()


def _quantile(
    means: np.ndarray, spreads: np.ndarray, weights: np.ndarray, share: float, most: int
) -> float:
    """Where the mixture of normal distributions reaches ``share``, in 0..most."""
    widths = np.maximum(spreads, 1e-9)

    def lacking(number: float) -> float:
        return float(weights @ ndtr((number - means) / widths)) - share

    if lacking(0.0) >= 0:
        return 0.0
    if lacking(most) <= 0:
        return float(most)
    return float(brentq(lacking, 0.0, most, maxiter=1000))
