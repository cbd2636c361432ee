"""Learning from verdicts: which kinds of mistake turned out to be faults?

1. The prior is the initial suspiciousness: its log-odds are a fixed offset.
2. Faults that have one cause look alike: the mutants suggest the same class for them,
   perhaps only where they have the same label. So there are two logistic models of the
   verdicts, with an intercept and an effect for each group of samples, drawn from a
   normal distribution. In one a group is a suggested class, in the other a label and a
   suggested class.
3. A model is weighted by how much likelier it makes the verdicts than no effects do
   (Laplace's marginal likelihood), against odds of :data:`PRIOR_ODDS`. The unchecked
   get the weighted mean of the effects over the models, no effects included.
4. An effect fades with the distance in log-odds below the least suspicious sample of
   the group that was checked: nobody has seen what lies far below.

Some of the verdicts are taken to be wrong (:data:`WRONG`). All this was chosen by the
numbers in ``docs/review.md``.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

PRIOR_ODDS = 7.0
"""In nats, against each model with effects: about 1,100 to 1."""

LEAST_WEIGHT = 0.01
"""A model that is less probable than this does not count."""

WRONG = 0.02
"""Share of verdicts that are taken to be wrong."""

FADING = 1.0  # in log-odds; an effect has fallen to 1/e that far below
EFFECT_SCALE = 1.0  # in log-odds
NO_EFFECT = 1e-6
INTERCEPT_SCALE = 3.0  # in log-odds; the initial score may be off as a whole
STEPS = 50
LOWEST, HIGHEST = np.finfo(float).tiny, np.nextafter(1.0, 0.0)
"""The unchecked stay between these, so strictly between the checked at 0 and 1."""


def learn(
    initial: np.ndarray,
    verdicts: np.ndarray,
    suggestions: np.ndarray | None = None,
    labels: np.ndarray | None = None,
) -> np.ndarray:
    """Suspiciousness after verdicts.

    Args:
        initial: float64 (N,), in [0, 1], the suspiciousness before any verdict.
        verdicts: int8 (N,); 1 faulty, 0 correct, -1 unchecked.
        suggestions: int64 (N,), at least 0, the suggested classes. None leaves the
            order of the unchecked as it is.
        labels: int64 (N,), at least 0, the given labels. None groups samples by their
            suggestion alone.

    Returns:
        float64 (N,), in [0, 1]: exactly 1 for faulty ones, 0 for correct ones, between
        them for the unchecked. A copy of ``initial`` while there are no verdicts. An
        unchecked sample whose suggested class nobody has checked keeps its value.
    """
    return place_checked(adjust(initial, verdicts, suggestions, labels), verdicts)


def place_checked(learned: np.ndarray, verdicts: np.ndarray) -> np.ndarray:
    """Puts the checked at the ends of the scale, and the unchecked strictly between.

    Args:
        learned: float64 (N,), in [0, 1].
        verdicts: int8 (N,), as of :func:`learn`.

    Returns:
        float64 (N,); a copy of ``learned`` while there are no verdicts.
    """
    placed = np.array(learned, np.float64)
    if (verdicts >= 0).any():
        placed = np.clip(placed, LOWEST, HIGHEST)
    placed[verdicts == 1] = 1.0
    placed[verdicts == 0] = 0.0
    return placed


def adjust(
    initial: np.ndarray,
    verdicts: np.ndarray,
    suggestions: np.ndarray | None = None,
    labels: np.ndarray | None = None,
) -> np.ndarray:
    """As :func:`learn`, but the checked get a score as if they were unchecked."""
    adjusted = np.array(initial, np.float64)
    if suggestions is None or not (verdicts >= 0).any():
        return adjusted
    groupings = [suggestions]
    if labels is not None:
        groupings.append(labels * (int(suggestions.max()) + 1) + suggestions)
    odds = log_odds(adjusted)
    fits = [_fit_groups(odds, verdicts, groups) for groups in groupings]
    against = np.array([0.0, *(evidence - PRIOR_ODDS for _, evidence in fits)])
    weights = np.exp(against - against.max())
    weights /= weights.sum()
    shift = np.zeros(len(odds))
    for (effects, _), weight in zip(fits, weights[1:]):
        if weight >= LEAST_WEIGHT:
            shift += weight * effects
    moved = np.flatnonzero(shift)
    adjusted[moved] = expit(odds[moved] + shift[moved])
    return adjusted


def highest(scores: np.ndarray, count: int) -> np.ndarray:
    """Positions of the highest scores, highest first, of equal ones the first first.

    Args:
        scores: float64 (N,), not NaN.
        count: how many are wanted; where there are fewer, all.
    """
    rows = np.arange(len(scores))
    if count < len(scores):
        rows = np.flatnonzero(scores >= np.partition(scores, -count)[-count])
    return np.asarray(rows[np.argsort(-scores[rows], kind="stable")[:count]])


def shifted(scores: np.ndarray, shift: float) -> np.ndarray:
    """Probabilities float64 (N,), moved by a shift of their log-odds."""
    return expit(log_odds(scores) + shift) if shift else scores


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Log-odds of float64 probabilities, those of 0 and 1 finite."""
    return np.asarray(logit(np.clip(probabilities, LOWEST, HIGHEST)))


def _fit_groups(
    odds: np.ndarray, verdicts: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, float]:
    """The effect on every sample (N,), in log-odds, and the evidence in nats for it."""
    checked = np.flatnonzero(verdicts >= 0)
    present, position = np.unique(groups[checked], return_inverse=True)
    faulty = verdicts[checked] == 1
    found, with_effects = _fit(odds[checked], faulty, position, EFFECT_SCALE)
    without = _fit(odds[checked], faulty, position, NO_EFFECT)[1]
    lowest = np.full(len(present), np.inf)
    np.minimum.at(lowest, position, odds[checked])

    group = np.minimum(np.searchsorted(present, groups), len(present) - 1)
    below = np.maximum(lowest[group] - odds, 0.0)
    effects = np.where(present[group] == groups, found[group], 0.0)
    return effects * np.exp(-below / FADING), with_effects - without


def _fit(
    offset: np.ndarray, faulty: np.ndarray, groups: np.ndarray, scale: float
) -> tuple[np.ndarray, float]:
    """The effects (G,) likeliest after the verdicts, and the log marginal likelihood.

    A verdict is faulty with probability ``WRONG + (1 - 2 WRONG) expit(odds)``. Fitted
    by Fisher scoring. But for the intercept the information is diagonal, so that a step
    takes time in proportion to the verdicts.
    """
    size = int(groups.max()) + 1
    tightness = np.array([INTERCEPT_SCALE, scale]) ** -2.0
    intercept, effects = 0.0, np.zeros(size)

    def chance(intercept: float, effects: np.ndarray) -> np.ndarray:
        return np.asarray(expit(offset + intercept + effects[groups]))

    def fitness(intercept: float, effects: np.ndarray) -> float:
        reported = WRONG + (1 - 2 * WRONG) * chance(intercept, effects)
        squares = np.array([intercept**2, effects @ effects])
        likelihood = np.log(np.where(faulty, reported, 1 - reported)).sum()
        return float(likelihood - tightness @ squares / 2)

    best = fitness(intercept, effects)
    for _ in range(STEPS):
        true = chance(intercept, effects)
        move, moves, curvature = _scoring_step(
            true, faulty, groups, tightness, intercept, effects
        )
        step = 1.0
        while step > 1e-6 and not (
            (now := fitness(intercept + step * move, effects + step * moves)) >= best
        ):
            step /= 2
        if step <= 1e-6:
            break
        intercept, effects = intercept + step * move, effects + step * moves
        if now - best < 1e-9:
            break
        best = now
    prior = np.log(tightness[0]) + size * np.log(tightness[1])
    return effects, float(best + (prior - curvature) / 2)


def _scoring_step(
    true: np.ndarray,
    faulty: np.ndarray,
    groups: np.ndarray,
    tightness: np.ndarray,
    intercept: float,
    effects: np.ndarray,
) -> tuple[float, np.ndarray, float]:
    """One step of Fisher scoring: the moves of the intercept and of the effects (G,).

    The third result is the logarithm of the determinant of the information.
    """
    size = len(effects)
    reported = WRONG + (1 - 2 * WRONG) * true
    slopes = (1 - 2 * WRONG) * true * (1 - true)  # of ``reported`` by the odds
    rest = slopes * (faulty - reported) / (reported * (1 - reported))
    weight = slopes**2 / (reported * (1 - reported))
    shared = np.bincount(groups, weight, size)
    diagonal = shared + tightness[1]
    corner = weight.sum() + tightness[0] - np.sum(shared**2 / diagonal)
    slope = np.bincount(groups, rest, size) - tightness[1] * effects
    first = rest.sum() - tightness[0] * intercept
    move = (first - np.sum(shared * slope / diagonal)) / corner
    moves = (slope - shared * move) / diagonal
    return move, moves, float(np.log(corner) + np.log(diagonal).sum())
