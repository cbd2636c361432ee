"""The three subsets that the paper's mutants are trained without, class by class.

Step 2 of :mod:`.method`.
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from fiftyone_dfaulo.engine import signals


def double_softmax_loss(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross-entropy of the softmax output taken as if it were logits.

    Args:
        logits: float (N, K).
        labels: int64 (N,), in [0, K).

    Returns:
        float64 (N,), log(sum(exp(p))) - p[label] with p the softmax; higher is a worse
        fit to the label.
    """
    return signals.loss(signals.log_softmax(signals.softmax(logits)), labels)


def input_outliers(errors: np.ndarray, labels: np.ndarray, ratio: float) -> np.ndarray:
    """The first subset: of each class of n samples, the int(n * ratio) worst rebuilt.

    Args:
        errors: float (N,), reconstruction errors; higher is worse.
        labels: int64 (N,).
        ratio: share of each class, in [0, 1].

    Returns:
        bool (N,); of equal ones, the first samples are taken.
    """
    return _highest_of_each_class(errors, labels, ratio)


def high_loss(logits: np.ndarray, labels: np.ndarray, ratio: float) -> np.ndarray:
    """The third subset: of each class of n samples, the int(n * ratio) highest losses.

    As :func:`input_outliers`, with the :func:`double_softmax_loss` of the original's
    logits, float (N, K), for the errors.
    """
    return _highest_of_each_class(double_softmax_loss(logits, labels), labels, ratio)


def unusual_activations(
    embeddings: np.ndarray, labels: np.ndarray, seed: int
) -> np.ndarray:
    """The second subset: of each class, the whole smaller one of two clusters.

    Args:
        embeddings: float (N, D), activations of the original's penultimate layer.
        labels: int64 (N,).
        seed: of the clustering, in [0, 2**32).

    Returns:
        bool (N,). Of two clusters of one size, it is the one without the class's first
        sample. A class with fewer than two different embeddings has none.
    """
    chosen = np.zeros(len(labels), dtype=bool)
    for given in np.unique(labels):
        members = np.flatnonzero(labels == given)
        points = embeddings[members].astype(np.float64)
        if (points == points[0]).all():
            continue
        # Summing in several threads would let their timing decide the last bits.
        with threadpool_limits(1, user_api="openmp"):
            means = KMeans(n_clusters=2, n_init=10, random_state=seed)
            cluster = means.fit_predict(points)
        away = cluster != cluster[0]
        chosen[members] = away if 2 * away.sum() <= len(away) else ~away
    return chosen


def _highest_of_each_class(
    values: np.ndarray, labels: np.ndarray, ratio: float
) -> np.ndarray:
    allowed = (np.bincount(labels) * ratio).astype(np.int64)
    return signals.rank_in_class(values, labels) < allowed[labels]
