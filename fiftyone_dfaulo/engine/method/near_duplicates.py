"""Near duplicates with different labels: at least one of the two labels is wrong.

1. Two samples are near duplicates if they are far closer to each other than either is
   to its tenth neighbour, and far closer than samples in general are to theirs (in a
   class of few samples the tenth neighbour lies in another class). The limit depends on
   the dataset. The distances to the ten neighbours give its dimension (Levina and
   Bickel, "Maximum Likelihood Estimation of Intrinsic Dimension", NIPS 2004). The
   dimension gives how close the nearest of ten comes by chance.
2. Two samples may show two things, however alike they look: a scene with and without an
   animal. They are no near duplicates if models that saw neither label find both labels
   likelier than not.
3. Only for samples with a high loss is a near duplicate searched: of two that have
   different labels, models contradict at least one.
"""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 10
COPIES = 3  # near duplicates that a sample may have
CHANCE = 1e-4  # share of samples that may have a near duplicate by chance
CLOSEST = 0.3
"""Near duplicates are at most this share of the distance to the tenth neighbour apart.
In letters, digits, clothes and CIFAR-10 no two natural images with different labels are
as close."""

EVEN_LOSS = np.log(2)  # a loss below it: the label is likelier than not
SEARCHED = 10_000  # samples for which a near duplicate is searched, at most
SIDE = 8  # of thumbnails, in pixels


def thumbnails(pixels: np.ndarray) -> np.ndarray:
    """Images as points: their mean colours in 8 x 8 fields, float32 (N, 192).

    Noise, compression and scaling hardly move an image; a crop or a mirrored copy lies
    elsewhere.

    Args:
        pixels: uint8 (N, S, S, 3), S at least 8.
    """
    edges = np.arange(SIDE) * pixels.shape[1] // SIDE
    lengths = np.diff(edges, append=pixels.shape[1]).astype(np.float32)
    areas = np.outer(lengths, lengths)[:, :, None]
    small = np.empty((len(pixels), 3 * SIDE * SIDE), np.float32)
    for start in range(0, len(pixels), 256):
        batch = pixels[start : start + 256].astype(np.float32)
        sums = np.add.reduceat(np.add.reduceat(batch, edges, 1), edges, 2)
        small[start : start + 256] = (sums / areas).reshape(len(batch), -1)
    return small


def conflicting(points: np.ndarray, labels: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """For each sample, its nearest near duplicate that has another label.

    Args:
        points: float (N, P), finite; :func:`thumbnails`, or embeddings.
        labels: int64 (N,).
        loss: (N,), of models that did not see the labels; a near duplicate is searched
            for the :data:`SEARCHED` samples with the highest loss.

    Returns:
        int64 (N,), positions; -1 where there is none.
    """
    near_duplicate_of = np.full(len(labels), -1)
    if len(labels) <= NEIGHBOURS:
        return near_duplicate_of
    # no square overflows; a power of two changes no other bit
    points = np.ldexp(points, -np.frexp(np.abs(points).max())[1])
    search = NearestNeighbors(n_neighbors=NEIGHBOURS + 1, algorithm="brute").fit(points)
    searched = np.argsort(-loss, kind="stable")[:SEARCHED]
    distances, neighbours = _neighbours(search, points, searched)
    far = np.minimum(distances[:, -1], np.median(distances[:, -1]))
    share = _closest(distances)
    near = distances < share * far[:, None]
    rows, columns = np.nonzero(near & (labels[neighbours] != labels[searched, None]))
    if not len(rows):
        return near_duplicate_of
    ones, others = searched[rows], neighbours[rows, columns]
    apart = distances[rows, columns]
    unique, inverse = np.unique(others, return_inverse=True)
    far_from_other = _neighbours(search, points, unique)[0][:, -1][inverse]
    told_apart = np.maximum(loss[ones], loss[others]) < EVEN_LOSS
    pairs = np.flatnonzero((apart < share * far_from_other) & ~told_apart)
    pairs = pairs[np.argsort(-apart[pairs], kind="stable")]  # the last one stays
    both = np.column_stack([ones[pairs], others[pairs]])
    near_duplicate_of[both.ravel()] = both[:, ::-1].ravel()
    return near_duplicate_of


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
    """The share of the distance to the last neighbour that chance hardly goes below.

    Let samples lie evenly in D dimensions. With a probability of about (k - 1) r ** D,
    one of the k - 1 nearer neighbours is then within a share r of the distance to the
    k-th. The m nearest are not used to find D, since they may be copies. Of the other k
    - 1 - m, the logarithms of 1 / r add up, in the mean, to 1 / D times the sum of 1 -
    m / i for i from m + 1 to k - 1.

    Args:
        distances: float (n, k) to the k nearest, ascending.
    """
    apart = distances[distances[:, COPIES] > 0]
    if not len(apart):
        return 0.0
    logarithms = np.log(apart[:, -1:] / apart[:, COPIES:-1]).sum(1)
    expected = (1 - COPIES / np.arange(COPIES + 1, NEIGHBOURS)).sum()  # times 1 / D
    inverse_dimension = np.median(logarithms) / expected
    by_chance = (CHANCE / (NEIGHBOURS - 1)) ** inverse_dimension
    return float(min(by_chance, CLOSEST))
