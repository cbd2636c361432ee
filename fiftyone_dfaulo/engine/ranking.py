"""Learning from verdicts: which suggested classes turned out to be faults?

1. The prior is the initial suspiciousness: its log-odds are a fixed offset.
2. Faults that have one cause look alike: the mutants suggest the same class for them.
   So a logistic model of the verdicts gets one effect for each suggested class, drawn
   from a normal distribution of scale 1, and an intercept.
3. The effects count only if the verdicts speak clearly for them: the (Laplace) marginal
   likelihood with effects must exceed that without by :data:`EVIDENCE`. Otherwise the
   unchecked keep their initial suspiciousness.

Why so little: only the top of the ranking is checked, and a regression on the signals
extrapolates from there to samples that nobody saw. ``docs/review.md`` has the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

EVIDENCE = 7.0
"""In nats; odds of about 1,100 to 1 for the effects over their absence."""

EFFECT_SCALE = 1.0  # in log-odds
NO_EFFECT = 1e-6
INTERCEPT_SCALE = 3.0  # in log-odds; the initial score is not calibrated
STEPS = 50
LOWEST, HIGHEST = np.finfo(float).tiny, np.nextafter(1.0, 0.0)
"""The unchecked stay between these: strictly between those checked."""


def learn(
    signals: np.ndarray,
    signal_names: Sequence[str],
    initial: np.ndarray,
    verdicts: np.ndarray,
    suggestions: np.ndarray | None = None,
) -> np.ndarray:
    """Suspiciousness after verdicts.

    Args:
        signals: float32 (N, S). Not read: every use of them that was tried made the
            ranking of some dataset worse.
        signal_names: of the S columns. The paper's, among which there is no "doubt",
            leave the order of the unchecked as it is.
        initial: float64 (N,), in [0, 1], the suspiciousness before any verdict.
        verdicts: int8 (N,); 1 faulty, 0 correct, -1 unchecked.
        suggestions: int64 (N,), at least 0, the suggested classes. None leaves the
            order of the unchecked as it is.

    Returns:
        float64 (N,), in [0, 1]: exactly 1 for faulty ones, 0 for correct ones, between
        them for the unchecked. A copy of ``initial`` while there are no verdicts. An
        unchecked sample whose suggested class nobody has checked keeps its value.
    """
    known = "doubt" in signal_names
    learned = adjust(initial, verdicts, suggestions if known else None)
    if (verdicts >= 0).any():
        learned = np.clip(learned, LOWEST, HIGHEST)
    learned[verdicts == 1] = 1.0
    learned[verdicts == 0] = 0.0
    return learned


def adjust(
    initial: np.ndarray,
    verdicts: np.ndarray,
    suggestions: np.ndarray | None = None,
) -> np.ndarray:
    """As :func:`learn`, but checked samples too get what their score suggests."""
    adjusted = np.array(initial, np.float64)
    checked = verdicts >= 0
    if suggestions is None or not checked.any():
        return adjusted
    effects = np.zeros(int(suggestions.max()) + 1)
    found = _suggestion_effects(
        log_odds(adjusted[checked]), verdicts[checked] == 1, suggestions[checked]
    )
    effects[: len(found)] = found
    moved = np.flatnonzero(effects[suggestions])
    shifted = log_odds(adjusted[moved]) + effects[suggestions[moved]]
    adjusted[moved] = sigmoid(shifted)
    return adjusted


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Log-odds of float64 probabilities, those of 0 and 1 finite."""
    inner = np.clip(probabilities, LOWEST, HIGHEST)
    return np.log(inner) - np.log1p(-inner)


def sigmoid(values: np.ndarray) -> np.ndarray:
    """The inverse of :func:`log_odds`."""
    return np.exp(-np.logaddexp(0.0, -values))


def _suggestion_effects(
    offset: np.ndarray, faulty: np.ndarray, suggestions: np.ndarray
) -> np.ndarray:
    """Float64 (highest suggestion + 1,), in log-odds; all 0 without clear evidence."""
    classes, groups = np.unique(suggestions, return_inverse=True)
    effects = np.zeros(int(classes[-1]) + 1)
    found, with_effects = _fit(offset, faulty, groups, EFFECT_SCALE)
    without = _fit(offset, faulty, groups, NO_EFFECT)[1]
    if with_effects - without >= EVIDENCE:
        effects[classes] = found
    return effects


def _fit(
    offset: np.ndarray, faulty: np.ndarray, groups: np.ndarray, scale: float
) -> tuple[np.ndarray, float]:
    """The effects (G,) likeliest after the verdicts, and the log marginal likelihood.

    Newton's method; the Hessian is diagonal but for the intercept, so that a step
    takes time in proportion to the verdicts.
    """
    size = int(groups.max()) + 1
    tightness = np.array([INTERCEPT_SCALE, scale]) ** -2.0
    intercept, effects = 0.0, np.zeros(size)

    def fitness(intercept: float, effects: np.ndarray) -> float:
        odds = offset + intercept + effects[groups]
        squares = np.array([intercept**2, effects @ effects])
        likelihood = np.sum(faulty * odds - np.logaddexp(0.0, odds))
        return float(likelihood - tightness @ squares / 2)

    best = fitness(intercept, effects)
    for _ in range(STEPS):
        odds = sigmoid(offset + intercept + effects[groups])
        weight, rest = odds * (1 - odds), faulty - odds
        shared = np.bincount(groups, weight, size)
        diagonal = shared + tightness[1]
        corner = weight.sum() + tightness[0] - np.sum(shared**2 / diagonal)
        slope = np.bincount(groups, rest, size) - tightness[1] * effects
        first = rest.sum() - tightness[0] * intercept
        move = (first - np.sum(shared * slope / diagonal)) / corner
        moves = (slope - shared * move) / diagonal
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
    curvature = np.log(corner) + np.log(diagonal).sum()
    prior = np.log(tightness[0]) + size * np.log(tightness[1])
    return effects, float(best + (prior - curvature) / 2)
