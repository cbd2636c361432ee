"""Which class is taken for which: the pairs that some kinds of faults name."""

from __future__ import annotations

from collections import Counter

import numpy as np


def rank_pairs(
    labels: np.ndarray, seen: np.ndarray, count: int
) -> list[tuple[int, int]]:
    """Each class with the one it is most often taken for, the most confused first.

    Args:
        labels: int64 (N,), in 0..K-1.
        seen: int64 (N,), what each sample is taken for. A sample that is taken for its
            own label counts for no pair.
        count: K, two or more.

    Returns:
        K pairs, each class first in one. A class that is taken for no other is paired
        with the next class; these pairs come last, in the order of the classes.
    """
    wrong = labels != seen
    votes = Counter(zip(labels[wrong].tolist(), seen[wrong].tolist()))
    sizes = np.bincount(labels, minlength=count)
    best: dict[int, tuple[float, int]] = {}
    for (source, target), number in votes.items():
        share = number / sizes[source]
        best[source] = max(best.get(source, (0.0, 0)), (share, target))
    order = sorted(best, key=lambda k: (-best[k][0], k))
    rest = [k for k in range(count) if k not in best]
    return [(k, best[k][1]) for k in order] + [(k, (k + 1) % count) for k in rest]


def nearest_pairs(embeddings: np.ndarray, labels: np.ndarray) -> list[tuple[int, int]]:
    """Each class with the one whose mean is nearest to most of its samples.

    Args:
        embeddings: float (N, D), finite.
        labels: int64 (N,), in 0..K-1, two classes or more; each occurs.

    Returns:
        K pairs, each class first in one. They begin with the classes whose samples lie
        nearest to the mean of another class, compared with the mean of their own.
    """
    rows, count = np.arange(len(labels)), int(labels.max()) + 1
    means = np.stack([embeddings[labels == k].mean(0) for k in range(count)])
    # squared distances, less each sample's own square, which changes no difference
    distances = (means**2).sum(1) - 2 * embeddings @ means.T
    own = distances[rows, labels]
    distances[rows, labels] = np.inf
    other, gap = distances.argmin(1), distances.min(1) - own
    found = [
        (gap[labels == k].mean(), k, int(np.bincount(other[labels == k]).argmax()))
        for k in range(count)
    ]
    return [(k, target) for _, k, target in sorted(found)]
