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

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
from sklearn.neighbors import NearestNeighbors

from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor
from fiftyone_dfaulo.engine.method.regression import directions

NEIGHBOURS = 10
COPIES = 3  # near duplicates that a sample may have
CHANCE = 1e-4  # share of samples that may have a near duplicate by chance
CLOSEST = 0.3
"""Near duplicates are at most this share of the distance to the tenth neighbour apart.
In letters, digits, clothes and CIFAR-10 no two natural images with different labels are
as close."""

EVEN_LOSS = np.log(2)  # a loss below it: the label is likelier than not
SEARCHED = 10_000  # samples for which a near duplicate is searched, at most
AT_ONCE = SEARCHED // 10  # of them, by one worker
SIDE = 8  # of thumbnails, in pixels

MANY = 20_000  # points
DIRECTIONS = 64
CANDIDATES = 100
DRAWN = 20  # of so many points one tells how far candidates may be
LIMIT = 3 * CANDIDATES // DRAWN  # three times as many candidates as it takes
BLOCK = 512  # points that are looked at together
LARGEST_EXPONENT = 40  # of a number whose square is taken as it is


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


def conflicting(
    points: np.ndarray,
    labels: np.ndarray,
    loss: np.ndarray,
    executor: Executor = HERE,
) -> np.ndarray:
    """For each sample, its nearest near duplicate that has another label.

    Args:
        points: float (N, P), finite; :func:`thumbnails`, or embeddings.
        labels: int64 (N,).
        loss: (N,), of models that did not see the labels; a near duplicate is searched
            for the :data:`SEARCHED` samples with the highest loss.
        executor: looks for them.

    Returns:
        int64 (N,), positions; -1 where there is none.
    """
    near_duplicate_of = np.full(len(labels), -1)
    if len(labels) <= NEIGHBOURS:
        return near_duplicate_of
    search = _Searched(_Search(points), executor)
    searched = np.argsort(-loss, kind="stable")[:SEARCHED]
    distances, neighbours = search.neighbours(searched)
    far = np.minimum(distances[:, -1], np.median(distances[:, -1]))
    share = _closest(distances)
    near = distances < share * far[:, None]
    rows, columns = np.nonzero(near & (labels[neighbours] != labels[searched, None]))
    if not len(rows):
        return near_duplicate_of
    ones, others = searched[rows], neighbours[rows, columns]
    apart = distances[rows, columns]
    unique, inverse = np.unique(others, return_inverse=True)
    far_from_other = search.neighbours(unique)[0][:, -1][inverse]
    told_apart = np.maximum(loss[ones], loss[others]) < EVEN_LOSS
    pairs = np.flatnonzero((apart < share * far_from_other) & ~told_apart)
    pairs = pairs[np.argsort(-apart[pairs], kind="stable")]  # the last one stays
    both = np.column_stack([ones[pairs], others[pairs]])
    near_duplicate_of[both.ravel()] = both[:, ::-1].ravel()
    return near_duplicate_of


class _Search:
    """Nearest neighbours among points (N, P).

    Where N and P are large, the neighbours are looked for among :data:`CANDIDATES` that
    are nearest in the directions in which the points vary most. In these no two points
    are farther apart than in all, so near duplicates are among them.
    """

    def __init__(self, points: np.ndarray) -> None:
        # no square overflows; a power of two changes no other bit
        exponent = np.frexp(max(points.max(), -points.min()))[1]
        if abs(exponent) > LARGEST_EXPONENT:
            points = np.ldexp(points, -exponent)
        self.points = points
        self._candidates: _Candidates | None = None
        if len(points) > MANY and points.shape[1] > 2 * DIRECTIONS:
            self._candidates = _Candidates(_along_most(points))
        else:
            self._search = NearestNeighbors(
                n_neighbors=NEIGHBOURS + 1, algorithm="brute"
            )
            self._search.fit(points)

    @property
    def at_once(self) -> int:
        """How many threads may search; scikit-learn has its own."""
        return 1 if self._candidates is None else os.cpu_count() or 1

    def neighbours(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances and positions (n, NEIGHBOURS) of the nearest others, nearest first.

        Args:
            samples: int64 (n,), positions of the points whose neighbours are wanted.
        """
        if self._candidates is None:
            distances, found = self._search.kneighbors(self.points[samples])
        else:
            found = self._candidates.of(samples)
            distances = np.empty(found.shape)
            for n, sample in enumerate(samples):
                away = self.points[found[n]] - self.points[sample]
                distances[n] = np.sqrt(np.einsum("ij,ij->i", away, away))
        distances[found == samples[:, None]] = np.inf
        order = np.argsort(distances, 1, kind="stable")[:, :NEIGHBOURS]
        return (
            np.take_along_axis(distances, order, 1),
            np.take_along_axis(found, order, 1),
        )


class _Candidates:
    """The :data:`CANDIDATES` points that are nearest to each of some, to rounding.

    Most points are passed over for being farther than any candidate can be, by what
    evenly drawn points tell.

    Args:
        points: float (N, P), N at least :data:`MANY`.
    """

    def __init__(self, points: np.ndarray) -> None:
        self._points = points.astype(np.float32)
        # less half the squared length of the other, and halved, it is the distance's
        # square: all that orders the others
        self._halves = np.einsum("ij,ij->i", self._points, self._points) / 2

    def of(self, samples: np.ndarray) -> np.ndarray:
        """Int64 (n, CANDIDATES), of the points at some positions (n,)."""
        ones = self._points[samples]
        drawn = self._away(ones, slice(None, None, DRAWN))
        limits = np.partition(drawn, LIMIT, axis=1)[:, LIMIT, None]
        rows, columns, away = [], [], []
        for start in range(0, len(self._points), BLOCK):
            block = self._away(ones, slice(start, start + BLOCK))
            near = np.flatnonzero(block < limits)
            rows.append(near // block.shape[1])
            columns.append(near % block.shape[1] + start)
            away.append(block.ravel()[near])
        row, column, apart = map(np.concatenate, (rows, columns, away))
        order = np.argsort(row, kind="stable")
        ends = np.cumsum(np.bincount(row, minlength=len(ones)))
        found = np.empty((len(ones), CANDIDATES), np.int64)
        for n, near in enumerate(np.split(order, ends[:-1])):
            others, far = column[near], apart[near]
            if len(near) < CANDIDATES:  # those that were drawn lie about it by chance
                others = np.arange(len(self._points))
                far = self._away(ones[n : n + 1], slice(None))[0]
            found[n] = others[np.argpartition(far, CANDIDATES - 1)[:CANDIDATES]]
        return found

    def _away(self, ones: np.ndarray, others: slice) -> np.ndarray:
        """Float32 (n, m): what orders others by their distance to each of n points."""
        return self._halves[others] - ones @ self._points[others].T


class _Searched:
    """A search, done part by part by whoever does the work."""

    def __init__(self, search: _Search, executor: Executor) -> None:
        self._search, self._executor = executor.share(search), executor

    def neighbours(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`_Search.neighbours`."""
        parts = [samples[n : n + AT_ONCE] for n in range(0, len(samples), AT_ONCE)]
        with closing(self._executor.each(_neighbours, self._search, parts)) as found:
            distances, positions = zip(*found)
        return np.concatenate(distances), np.concatenate(positions)


def _neighbours(
    search: _Search, parts: Iterable[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    with ThreadPoolExecutor(search.at_once) as pool:
        yield from pool.map(search.neighbours, parts)


def _along_most(points: np.ndarray) -> np.ndarray:
    """Points (N, DIRECTIONS): along the directions in which they vary most."""
    some = points[np.arange(MANY) * len(points) // MANY]
    mean = some.mean(0)
    along = directions(some - mean).vectors[:, -DIRECTIONS:]
    return np.asarray(points @ along - mean @ along)


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
