"""Images that are unlike all others: photographs among letters, blank or broken files.

1. A normal distribution is fitted to the appearance of the images, without those that
   lie farthest from it, so that faults cannot pull it towards them. Like the heads, it
   is cross-fitted.
2. The *outlier score* is the logarithm of the squared Mahalanobis distance, less its
   median, divided by its spread below the median. A class whose scores are high as a
   whole is a class of its own, not a fault: its median is subtracted.
3. A score above :data:`OUTLIER_LIMIT` is more than images of one kind reach. It means
   foreign content, unless the heads know the labels of such images better than by
   always saying one class. Then these images are a kind of their own, such as pictures
   taken at night.
4. Below the limit, it depends on the dataset. If the heads contradict the labels of
   outliers much more often than those of other samples, their content is wrong that
   often. This excess, which rises with the outlier score, is the probability.

The trimmed fit is Rousseeuw's minimum covariance determinant (Technometrics 41, 1999).
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from fiftyone_dfaulo.engine.method.heads import FOLDS
from fiftyone_dfaulo.engine.threads import one_blas_thread

KEPT = 0.75  # share of the samples that the distribution is fitted to
ROUNDS = 3  # of leaving out the farthest
SHRINKAGE = 0.1  # of the covariance, towards a multiple of the identity
OUTLIER_LIMIT = 9.0
"""Natural images reached 8 on letters and on CIFAR-10, foreign ones began at 10."""

BLOCK = 50  # samples with like outlier scores that are counted together
PSEUDO = 20  # samples of the usual disagreement that each block is filled up with
LEAST_EXCESS = 0.3  # a smaller excess is no evidence
MOST = 0.999  # of the probability by the excess
LEAST_KNOWN = 0.2
"""By this share the heads must confirm more labels of outliers than by chance."""

LEAST_SAMPLES = 200
"""With fewer samples, distances are too noisy to tell anything."""


def foreign_content(
    appearance: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    contradicted: np.ndarray,
) -> np.ndarray:
    """Probabilities that the content of the samples is wrong.

    Args:
        appearance: float (N, A), what the images look like, whatever they show.
        labels: int64 (N,), each of 0..K-1 occurs.
        folds: int64 (N,), in 0..FOLDS-1.
        contradicted: bool (N,), whether out-of-sample heads see another class.

    Returns:
        float64 (N,), in [0, 1].
    """
    if len(labels) < LEAST_SAMPLES:
        return np.zeros(len(labels))
    scores = outlier_score(appearance, labels, folds)
    above = scores > OUTLIER_LIMIT
    beyond = expit(2 * (scores - OUTLIER_LIMIT))
    if _are_known(labels[above], contradicted[above]):
        beyond = np.zeros(len(labels))
    return np.maximum(beyond, _excess(scores, contradicted))


@one_blas_thread
def outlier_score(
    appearance: np.ndarray, labels: np.ndarray, folds: np.ndarray
) -> np.ndarray:
    """How far images lie from the bulk: float64 (N,), 0 in the middle; see the top.

    Args:
        appearance, labels, folds: as of :func:`foreign_content`.
    """
    centred = appearance - np.median(appearance, 0)
    scaled = (centred / (centred.std(0) + 1e-6)).astype(np.float64)
    distances = np.empty(len(labels))
    for fold in range(FOLDS):
        held_out = folds == fold
        mean, precision = _trimmed_normal(scaled[~held_out])
        distances[held_out] = _distances(scaled[held_out], mean, precision)
    logs = np.log(np.maximum(distances, 1e-12))
    middle, below = np.quantile(logs, [0.5, 0.16])
    scores = (logs - middle) / max(middle - below, 1e-6)
    classes = range(int(labels.max()) + 1)
    medians = np.array([np.median(scores[labels == k]) for k in classes])
    return scores - np.maximum(medians, 0.0)[labels]


def _trimmed_normal(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (A,) and inverse covariance (A, A) of the nearest points."""
    near = points
    for _ in range(ROUNDS):
        mean, precision = _normal(near)
        order = np.argsort(_distances(points, mean, precision), kind="stable")
        near = points[order[: int(KEPT * len(points))]]
    return _normal(near)


def _normal(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    covariance = np.cov(points.T)
    size = len(covariance)
    level = max(np.trace(covariance) / size, 1e-12)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(size)
    return points.mean(0), np.linalg.inv(covariance)


def _distances(
    points: np.ndarray, mean: np.ndarray, precision: np.ndarray
) -> np.ndarray:
    away = points - mean
    return np.einsum("ij,ij->i", away @ precision, away)


def _are_known(labels: np.ndarray, contradicted: np.ndarray) -> bool:
    """Whether the heads know these labels, rather than always say one class."""
    if not len(labels):
        return False
    commonest = np.bincount(labels).max() / len(labels)
    return bool(1 - contradicted.mean() > commonest + LEAST_KNOWN)


def _excess(scores: np.ndarray, contradicted: np.ndarray) -> np.ndarray:
    """By how much more often samples with scores like these are contradicted, (N,)."""
    order = np.argsort(scores, kind="stable")
    usual = contradicted[order[: len(order) // 2]].mean()
    blocks = np.array_split(order, max(len(order) // BLOCK, 1))
    shares = [
        (contradicted[block].sum() + PSEUDO * usual) / (len(block) + PSEUDO)
        for block in blocks
    ]
    rising = IsotonicRegression().fit_transform(np.arange(len(blocks)), shares)
    excess = np.clip((rising - usual) / max(1 - usual, 1e-6), 0.0, MOST)
    excess[excess < LEAST_EXCESS] = 0.0
    result = np.empty(len(scores))
    for block, value in zip(blocks, excess):
        result[block] = value
    return result
