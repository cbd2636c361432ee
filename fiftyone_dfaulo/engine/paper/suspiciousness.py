"""The paper's suspiciousness: at first by resemblance to noise, then from verdicts.

Steps 5 and 6 of :mod:`.method`; both are a logistic regression on the features.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from fiftyone_dfaulo.engine.signals import rank_in_class

TRUSTED_PER_CLASS = 10
"""Samples of each class that the initial regression takes to be correct."""


# Step 5: initial suspiciousness


def draw_trusted(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ten random samples of each class, or all of a class that has fewer.

    Returns:
        int64 (T,), their positions in ``labels``, ascending.
    """
    rank = rank_in_class(rng.random(len(labels)), labels)
    return np.flatnonzero(rank < TRUSTED_PER_CLASS)


def initial_suspiciousness(
    features: np.ndarray, trusted: np.ndarray, noise_features: np.ndarray
) -> np.ndarray:
    """How much a sample resembles noise rather than the samples that are trusted.

    Args:
        features: float32 (N, F).
        trusted: int64 (T,), positions of samples taken to be correct.
        noise_features: float32 (K, F), the rows taken to be faults.

    Returns:
        float64 (N,), in [0, 1], higher is more likely a fault.
    """
    rows = np.concatenate([features[trusted], noise_features])
    faulty = np.arange(len(rows)) >= len(trusted)
    return _fault_probability(rows, faulty, features)


# Step 6: update from feedback


def update(
    features: np.ndarray,
    suspiciousness: np.ndarray,
    checked: np.ndarray,
    verdicts: np.ndarray,
) -> np.ndarray:
    """Suspiciousness learned from the checked samples alone.

    The paper has the next 200 of the :func:`ranking` checked between two updates.

    Args:
        features: float32 (N, F), the signals of :func:`.method.score`.
        suspiciousness: float64 (N,), as it was before.
        checked: int64 (C,), distinct positions of all samples checked so far.
        verdicts: bool (C,), True where the checked sample is faulty.

    Returns:
        float64 (N,), in [0, 1], higher is more likely a fault; unchanged while all
        verdicts are of one kind, or there are none.
    """
    if np.unique(verdicts).size < 2:
        return suspiciousness.copy()
    return _fault_probability(features[checked], verdicts, features)


def ranking(suspiciousness: np.ndarray, checked: np.ndarray) -> np.ndarray:
    """The order in which samples are listed after feedback.

    Args:
        suspiciousness: float64 (N,).
        checked: int64 (C,), distinct positions, in the order they were checked.

    Returns:
        int64 (N,), positions: the checked samples as given, then the others, most
        suspicious first; equal ones in the order of the samples.
    """
    order = np.argsort(-suspiciousness, kind="stable")
    return np.concatenate([checked, order[~np.isin(order, checked)]]).astype(np.int64)


def _fault_probability(
    rows: np.ndarray, faulty: np.ndarray, features: np.ndarray
) -> np.ndarray:
    """Logistic regression fitted on rows (R, F), read out on features (N, F)."""
    # Tighter than the default, so that rounding cannot decide where the solver stops.
    regression = LogisticRegression(C=1.0, tol=1e-6, max_iter=10_000)
    regression.fit(rows.astype(np.float64), faulty)
    return regression.predict_proba(features.astype(np.float64))[:, 1]
