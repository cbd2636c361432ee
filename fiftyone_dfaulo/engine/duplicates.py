"""Near duplicates with different labels: one of the two labels is wrong at least.

1. Two samples are near duplicates if they are far closer to each other than either is
   to its tenth neighbour. How close is close enough depends on the dataset: the
   distances to the ten neighbours tell its dimension (Levina and Bickel, "Maximum
   Likelihood Estimation of Intrinsic Dimension", NIPS 2004), and that how close the
   nearest of ten comes by chance.
2. Two that models tell apart are two things, however alike: a scene with and without
   an animal. Their labels are likelier than not, each, to models that saw neither.
3. Only samples with a high loss look for a near duplicate: of two with different
   labels, models contradict one.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 10
CHANCE = 1e-4  # share of samples that may have a near duplicate by chance
CLOSEST = 0.3
"""Share of the distance to the tenth neighbour that near duplicates are apart at most.
Letters, digits, clothes and CIFAR-10 have no two natural images with different labels
that are as close."""

LIKELY = np.log(2)  # a loss below it: the label is likelier than not
SEARCHED = 10_000  # samples that look for a near duplicate, at most
SIDE = 8  # of thumbnails, in pixels


def thumbnails(pixels: np.ndarray) -> np.ndarray:
    """Images as points: their mean colours in 8 x 8 fields, float32 (N, 192).

    Noise, compression and scaling hardly move an image; a crop or a mirrored copy lies
    elsewhere.

    Args:
        pixels: uint8 (N, S, S, 3), S at least 8.
    """
    small = np.empty((len(pixels), 3 * SIDE * SIDE), np.float32)
    for start in range(0, len(pixels), 256):
        batch = torch.from_numpy(pixels[start : start + 256]).permute(0, 3, 1, 2)
        fields = F.adaptive_avg_pool2d(batch.float(), SIDE).flatten(1)
        small[start : start + 256] = fields.numpy()
    return small


def conflicting(points: np.ndarray, labels: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Of each sample, its nearest near duplicate that has another label.

    Args:
        points: float (N, P), finite; :func:`thumbnails`, or embeddings.
        labels: int64 (N,).
        loss: (N,), of models that did not see the labels; the :data:`SEARCHED` samples
            with the highest look for one.

    Returns:
        int64 (N,), positions; -1 where there is none.
    """
    twins = np.full(len(labels), -1)
    if len(labels) <= NEIGHBOURS:
        return twins
    search = NearestNeighbors(n_neighbors=NEIGHBOURS + 1, algorithm="brute").fit(points)
    searched = np.argsort(-loss, kind="stable")[:SEARCHED]
    distances, neighbours = _neighbours(search, points, searched)
    close = _closest(distances) * distances[:, -1:]
    near = (distances < close) & (labels[neighbours] != labels[searched, None])
    found = near.any(1)
    samples, first = searched[found], near[found].argmax(1)
    others = neighbours[found, first]
    if not len(samples):
        return twins
    far = _neighbours(search, points, others)[0][:, -1]
    both = distances[found, first] < close[found, 0] * far / distances[found, -1]
    told_apart = np.maximum(loss[samples], loss[others]) < LIKELY
    samples, others = samples[both & ~told_apart], others[both & ~told_apart]
    twins[others] = samples  # where these have not looked for one themselves
    twins[samples] = others
    return twins


def _neighbours(
    search: NearestNeighbors, points: np.ndarray, samples: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distances and positions (n, NEIGHBOURS) of the nearest others, nearest first."""
    distances, neighbours = search.kneighbors(points[samples])
    distances[neighbours == samples[:, None]] = np.inf
    order = np.argsort(distances, 1, kind="stable")[:, :NEIGHBOURS]
    return (
        np.take_along_axis(distances, order, 1),
        np.take_along_axis(neighbours, order, 1),
    )


def _closest(distances: np.ndarray) -> float:
    """Share of the distance to the last neighbour that is too small for chance.

    Samples that lie evenly in D dimensions have one of k - 1 nearer neighbours within
    a share r of the distance to the k-th with a probability of about (k - 1) r ** D.

    Args:
        distances: float (n, k) to the k nearest, ascending.
    """
    apart = distances[distances[:, 0] > 0]
    if not len(apart):
        return 0.0
    inverse_dimension = np.median(np.log(apart[:, -1:] / apart[:, :-1]).mean(1))
    by_chance = (CHANCE / (NEIGHBOURS - 1)) ** inverse_dimension
    return float(min(by_chance, CLOSEST))
