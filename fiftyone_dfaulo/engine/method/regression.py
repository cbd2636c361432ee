"""Multinomial logistic regression that needs few passes over many samples.

The mean loss and its gradient are computed in blocks, so no array of samples by classes
is made. L-BFGS finds the minimum in coordinates in which the loss curves alike in all
directions when it starts: of class k, in the direction of an eigenvector of the
features' covariance with eigenvalue s, by about c s + 1 / ``inverse``, where c = p (1 -
p) and p is the share of the class. So it takes few steps, even with features that are
correlated, and with classes of which each sample tells little.

The curvature is that of Boehning, "Multinomial Logistic Regression Algorithm", Annals
of the Institute of Statistical Mathematics 44, 1992.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from fiftyone_dfaulo.engine.threads import one_blas_thread

TOLERANCE = 1e-4
"""The search ends where the loss could fall by less, in nats a sample: by half the
squared length of the gradient in the coordinates above."""
MOST_STEPS = 100
BLOCK = 4_096  # samples
SAMPLES = 20_000  # that the covariance is taken of, evenly drawn


class Directions(NamedTuple):
    """The covariance of N features.

    Attributes:
        variances: float32 (D,), its eigenvalues, from 0 on.
        vectors: float32 (D, D), its eigenvectors, in columns.
    """

    variances: np.ndarray
    vectors: np.ndarray


@one_blas_thread
def directions(features: np.ndarray) -> Directions:
    """The directions in which features (N, D) of mean 0 vary."""
    count = min(len(features), SAMPLES)
    some = features[np.arange(count) * len(features) // count]
    variances, vectors = np.linalg.eigh(some.T @ some / np.float32(count))
    return Directions(np.maximum(variances, 0.0), vectors)


def fit(
    features: np.ndarray,
    labels: np.ndarray,
    rows: np.ndarray,
    inverse: float,
    along: Directions,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Weights of the likeliest regression, with an L2 penalty on all but the constant.

    It is scikit-learn's ``LogisticRegression`` with C = ``inverse`` / len(rows).

    Args:
        features: float32 (N, D), of mean 0.
        labels: int64 (N,), in 0..K-1, K at least 2.
        rows: int64 (n,), the samples to fit; each class has one at least.
        inverse: of the penalty on the mean loss.
        along: from :func:`directions`.
        start: float32 (D + 1, K), weights to start from; None is 0.

    Returns:
        float32 (D + 1, K); the last row is the constant.
    """
    shares = np.bincount(labels[rows]) / len(rows)
    curvature = shares * (1 - shares)
    # With two classes scikit-learn penalises one vector, half the difference of ours.
    penalty = (2.0 if len(shares) == 2 else 1.0) / inverse
    scale = np.empty((len(along.variances) + 1, len(shares)), np.float32)
    scale[:-1] = (np.outer(along.variances, curvature) + penalty) ** -0.5
    scale[-1] = curvature**-0.5

    def weights_at(point: np.ndarray) -> np.ndarray:
        weights = scale * point.reshape(scale.shape).astype(np.float32)
        weights[:-1] = along.vectors @ weights[:-1]
        return weights

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        weights = weights_at(point)
        value, slope = _loss(features, labels, rows, weights)
        value += penalty / 2 * float((weights[:-1].astype(np.float64) ** 2).sum())
        slope[:-1] = along.vectors.T @ (slope[:-1] + np.float32(penalty) * weights[:-1])
        return value, (scale * slope).ravel().astype(np.float64)

    point = np.zeros(scale.size)
    if start is not None:
        turned = np.vstack([along.vectors.T @ start[:-1], start[-1:]])
        point = (turned / scale).ravel().astype(np.float64)
    return weights_at(_minimum(objective, point))


def _minimum(
    objective: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray
) -> np.ndarray:
    """Where an objective, whose curvature is about 1, is least."""
    value, slope = objective(start)
    # In these units the first step of L-BFGS is Newton's.
    unit = max(float(np.linalg.norm(slope)), 1e-12)
    last = (start / unit * unit, value, slope)  # but for rounding, it is the start

    def scaled(point: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal last
        if not np.array_equal(point * unit, last[0]):
            last = (point * unit, *objective(point * unit))
        return last[1] / unit**2, last[2] / unit

    def stop(intermediate_result: OptimizeResult) -> None:
        if last[2] @ last[2] / 2 < TOLERANCE:
            raise StopIteration

    found = minimize(
        scaled,
        start / unit,
        jac=True,
        method="L-BFGS-B",
        callback=stop,
        options={"maxiter": MOST_STEPS, "ftol": 0.0, "gtol": 0.0},
    )
    return found.x * unit


def _loss(
    features: np.ndarray, labels: np.ndarray, rows: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray]:
    """The mean loss of some samples, and its gradient, float32 (D + 1, K)."""
    total, gradient = 0.0, np.zeros(weights.shape, np.float32)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        seen, own = features[block], (np.arange(len(block)), labels[block])
        found = _logits(seen, weights)
        total -= float(found[own].sum(dtype=np.float64))
        np.exp(found, out=found)
        sums = found.sum(1, keepdims=True)
        total += float(np.log(sums).sum(dtype=np.float64))
        found /= sums
        found[own] -= 1.0
        gradient[:-1] += seen.T @ found
        gradient[-1] += found.sum(0)
    return total / len(rows), gradient / np.float32(len(rows))


def log_probabilities(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Float32 (n, K), of samples with features (n, D), by weights of :func:`fit`."""
    found = _logits(features, weights)
    found -= np.log(np.exp(found).sum(1, keepdims=True))
    return found


def _logits(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Log-probabilities but for a constant of each sample; the highest is 0."""
    found = features @ weights[:-1]
    found += weights[-1]
    found -= found.max(1, keepdims=True)
    return found
