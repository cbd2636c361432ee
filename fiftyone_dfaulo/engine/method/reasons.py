"""Why a sample is suspicious: a short, fixed vocabulary."""

from __future__ import annotations

import numpy as np

NEAR_DUPLICATE = "near duplicate has another label"
REASONS = ("looks like another class", "fits no class", "hard to learn", NEAR_DUPLICATE)
"""In the order of the columns of ``Scores.reasons``:

- *looks like another class*: by the vote, another class has more than a half;
- *fits no class*: the image looks like none of the others, or no class has a half;
- *hard to learn*: the original model has seen the label and still finds it unlikely;
- *near duplicate has another label*: almost the same image has another label.

In the paper's method the first three mean: its mutants suggest another class; the image
is an input outlier; the sample has a high loss.
"""

LEAST = 0.2
"""Samples that are less suspicious than this need no reason."""


def find_reasons(
    suggestion: np.ndarray,
    confidence: np.ndarray,
    labels: np.ndarray,
    suspiciousness: np.ndarray,
    foreign: np.ndarray,
    paired: np.ndarray,
    original_loss: np.ndarray | None = None,
) -> np.ndarray:
    """Which reasons apply to the samples that are suspicious enough to need one.

    Args:
        suggestion: int64 (N,), the likeliest class by the vote.
        confidence: float (N,), its probability.
        labels: int64 (N,).
        suspiciousness: float (N,), in [0, 1].
        foreign: bool (N,), whether the content is foreign to the dataset.
        paired: bool (N,), whether a near duplicate has another label.
        original_loss: float (N,), of the original model, if there is one.

    Returns:
        bool (N, 4), columns as in :data:`REASONS`; none is True where suspiciousness is
        below :data:`LEAST`.
    """
    enough = suspiciousness >= LEAST
    clear = confidence >= 0.5
    another = enough & clear & (suggestion != labels) & ~foreign
    neither = enough & (foreign | ~clear)
    hard = np.zeros(len(labels), bool)
    if original_loss is not None:
        hard = enough & (np.exp(-original_loss) < 0.5)
    return np.column_stack([another, neither, hard, enough & paired])
