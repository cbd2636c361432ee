"""Numbers from what models say: signals, one a sample, of which higher is suspicious.

:func:`loss`, :func:`margin` and :func:`doubt` take log-probabilities, float (N, K), and
labels, int64 (N,), and give float (N,).
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, special


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities float64 (N, K) of logits (N, K)."""
    return np.asarray(special.log_softmax(logits.astype(np.float64), axis=1))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities float64 (N, K) of logits (N, K)."""
    return np.asarray(special.softmax(logits.astype(np.float64), axis=1))


def loss(log_probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How unlikely the label is: minus its log-probability, at least 0, in nats."""
    return -log_probabilities[np.arange(len(labels)), labels]


def margin(log_probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How much likelier the best other class is than the label, in nats.

    Negative where the label is the likeliest class.
    """
    rows = np.arange(len(labels))
    others = log_probabilities.copy()
    others[rows, labels] = -np.inf
    return others.max(1) - log_probabilities[rows, labels]


def doubt(log_probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How unlikely even the likeliest class is: in [0, 1 - 1/K], whatever the label."""
    return 1.0 - np.exp(log_probabilities.max(1))


def rank_in_class(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The rank of each sample within its class, highest value first.

    Args:
        values: float (N,).
        labels: int64 (N,), each at least 0.

    Returns:
        int64 (N,), from 0 in each class; of equal values the first sample ranks first.
    """
    order = np.lexsort((-values, labels))
    counts = np.bincount(labels)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(labels), dtype=np.int64)
    rank[order] = np.arange(len(labels)) - starts[labels[order]]
    return rank


def shift_to_sum(log_odds: np.ndarray, total: float) -> float:
    """What to add to log-odds so that their probabilities add up to a total.

    Args:
        log_odds: float (N,), finite; N at least 1.
        total: of the probabilities; what is not between 0 and N is moved there.
    """
    total = float(np.clip(total, 1e-6, len(log_odds) - 1e-6))
    furthest = float(np.abs(log_odds).max()) + 50.0
    return float(
        optimize.brentq(
            lambda x: special.expit(log_odds + x).sum() - total, -furthest, furthest
        )
    )
