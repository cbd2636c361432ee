"""Log-probabilities of many samples and classes, without an array of all of them.

A million samples and a thousand classes are four gigabytes for each model that is
asked. So models are asked for some samples at a time, and of what they say only the
likeliest classes are kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np

from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.method import regression
from fiftyone_dfaulo.engine.method.regression import BLOCK
from fiftyone_dfaulo.engine.threads import one_blas_thread

FEW = 50
"""So many classes are kept of each sample: all, where there are no more."""
LEAST_PROBABILITY = 1e-12
LEAST_LOG = float(np.log(LEAST_PROBABILITY))

Rows: TypeAlias = "slice | np.ndarray"
T = TypeVar("T")


class Outputs(Protocol):
    """Log-probabilities (N, K) that give those of some samples, as an array does."""

    @property
    def shape(self) -> tuple[int, ...]:
        """N and K."""

    def __getitem__(self, rows: Rows, /) -> np.ndarray:
        """Float (n, K), of the samples at a slice, or at positions."""


@dataclass(frozen=True)
class HeadOutputs:
    """What cross-fitted heads say: of each sample, the one that did not learn from it.

    Attributes:
        features: float32 (N, D).
        folds: int64 (N,), each sample's fold.
        weights: float32 (FOLDS, D + 1, K), of each fold's head.
    """

    features: np.ndarray
    folds: np.ndarray
    weights: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.folds), self.weights.shape[2]

    def __getitem__(self, rows: Rows, /) -> np.ndarray:
        features, folds = self.features[rows], self.folds[rows]
        found = np.empty((len(folds), self.shape[1]), np.float32)
        for fold in np.unique(folds):
            own = folds == fold
            found[own] = regression.log_probabilities(features[own], self.weights[fold])
        return np.maximum(found, np.float32(LEAST_LOG))


def in_memory(outputs: Outputs) -> Outputs:
    """The same outputs, as an array where the classes are few."""
    if outputs.shape[1] > FEW:
        return outputs
    found = np.empty(outputs.shape, np.float32)

    def keep(rows: slice) -> None:
        found[rows] = outputs[rows]

    in_blocks(len(found), keep)
    return found


@dataclass(frozen=True)
class SpreadOutputs:
    """Outputs of some samples and classes as those of all.

    Of the other samples nothing is known: all classes are equally likely. The other
    classes of these have a probability of 1e-12.

    Attributes:
        some: of M samples and J classes.
        position: int64 (N,), of each sample among the M; -1 for the others.
        columns: int64 (J,), ascending numbers of the classes among K.
        shape: N and K.
    """

    some: Outputs
    position: np.ndarray
    columns: np.ndarray
    shape: tuple[int, int]

    def __getitem__(self, rows: Rows, /) -> np.ndarray:
        position = self.position[rows]
        wide = np.full(
            (len(position), self.shape[1]), -np.log(self.shape[1]), np.float32
        )
        known = np.flatnonzero(position >= 0)
        wide[known] = LEAST_LOG
        wide[np.ix_(known, self.columns)] = self.some[position[known]]
        return wide


@dataclass(frozen=True)
class Vote:
    """The geometric mean of what groups of voters say.

    Attributes:
        groups: S groups of outputs, all of N samples and K classes.
        share: float (N, S), how much each group counts, from 0 on.
        near_duplicate_of: int64 (N,), the sample that each shares its vote with; -1
            where there is none.
    """

    groups: Sequence[Sequence[Outputs]]
    share: np.ndarray
    near_duplicate_of: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.groups[0][0].shape

    def __getitem__(self, rows: Rows, /) -> np.ndarray:
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self.near_duplicate_of)))
        found = self._unshared(rows)
        partner = self.near_duplicate_of[rows]
        paired = np.flatnonzero(partner >= 0)
        if len(paired):
            both = found[paired] + self._unshared(partner[paired])
            found[paired] = signals.log_softmax(both / 2)
        return found

    def _unshared(self, rows: np.ndarray) -> np.ndarray:
        share = self.share[rows]
        share = share / share.sum(1, keepdims=True)
        total = np.zeros((len(rows), self.shape[1]))
        for group, counts in zip(self.groups, share.T, strict=True):
            for each in group if counts.any() else ():
                total += (counts / len(group))[:, None] * each[rows]
        return signals.log_softmax(total)


class Likeliest(NamedTuple):
    """What is kept of the (log-)probabilities of N samples and K classes.

    Attributes:
        classes: int (N, T), ascending numbers of the likeliest classes and, always, of
            the sample's label; all of them where K is at most :data:`FEW`.
        values: float32 (N, T), of these classes.
        rest: float32 (N,), of each of the other classes, taken for equally likely.
        others: how many these are, K - T.
    """

    classes: np.ndarray
    values: np.ndarray
    rest: np.ndarray
    others: int

    def take(self, rows: Rows) -> Likeliest:
        """What is kept of some samples."""
        return Likeliest(
            self.classes[rows], self.values[rows], self.rest[rows], self.others
        )

    def of_label(self, labels: np.ndarray) -> np.ndarray:
        """Int64 (N,), the columns of the samples' labels, int64 (N,)."""
        if not self.others:
            return labels
        return np.asarray((self.classes == labels[:, None]).argmax(1))

    def best(self) -> np.ndarray:
        """Int64 (N,), the likeliest class; of equal ones the first."""
        columns = self.values.argmax(1)
        return self.classes[np.arange(len(columns)), columns].astype(np.int64)

    def sharpened(self, power: float) -> Likeliest:
        """Probabilities, each above 0: log-probabilities times a power, normalised."""
        values = np.empty_like(self.values)
        rest = np.empty_like(self.rest)

        def sharpen(rows: slice) -> None:
            logs = power * self.values[rows].astype(np.float64)
            highest = logs.max(1)
            found = np.exp(logs - highest[:, None])
            other = np.exp(power * self.rest[rows].astype(np.float64) - highest)
            total = found.sum(1) + self.others * other
            values[rows] = np.maximum(found / total[:, None], _TINY)
            rest[rows] = np.maximum(other / total, _TINY)

        in_blocks(len(values), sharpen)
        return Likeliest(self.classes, values, rest, self.others)


_TINY = np.finfo(np.float32).tiny


def likeliest(outputs: Outputs, labels: np.ndarray) -> Likeliest:
    """The log-probabilities that are kept of outputs (N, K), by their labels (N,)."""
    count, num_classes = outputs.shape
    kept = min(num_classes, FEW)
    values, rest = (
        np.empty((count, kept), np.float32),
        np.full(count, -np.inf, np.float32),
    )
    if kept == num_classes:
        classes = np.broadcast_to(np.arange(kept), (count, kept))

        def keep(rows: slice) -> None:
            values[rows] = outputs[rows]
    else:
        classes = np.empty((count, kept), np.int32)

        def keep(rows: slice) -> None:
            found = outputs[rows]
            samples = np.arange(len(found))
            order = -found
            order[samples, labels[rows]] = -np.inf
            chosen = np.argpartition(order, kept - 1, axis=1)[:, :kept]
            chosen.sort(1)
            classes[rows] = chosen
            values[rows] = np.take_along_axis(found, chosen, 1)
            np.put_along_axis(order, chosen, np.inf, 1)
            left = np.exp(-order).sum(1) / (num_classes - kept)
            rest[rows] = np.log(np.maximum(left, _TINY))

    in_blocks(count, keep)
    return Likeliest(classes, values, rest, num_classes - kept)


class Judged(NamedTuple):
    """What outputs say of N labels.

    Attributes:
        loss, margin: float32 (N,), as of :func:`.signals.loss` and
            :func:`.signals.margin`.
        likeliest: int64 (N,), the likeliest class.
    """

    loss: np.ndarray
    margin: np.ndarray
    likeliest: np.ndarray


def judge(outputs: Outputs, labels: np.ndarray) -> Judged:
    """What outputs (N, K) say of labels, int64 (N,)."""
    found = Judged(
        np.empty(len(labels), np.float32),
        np.empty(len(labels), np.float32),
        np.empty(len(labels), np.int64),
    )

    def look(rows: slice) -> None:
        block = outputs[rows]
        found.loss[rows] = signals.loss(block, labels[rows])
        found.margin[rows] = signals.margin(block, labels[rows])
        found.likeliest[rows] = block.argmax(1)

    in_blocks(len(labels), look)
    return found


def in_blocks(count: int, work: Callable[[slice], None]) -> None:
    """Does some work on samples 0..count-1 block by block, the blocks side by side."""
    for _ in by_blocks(count, work):
        pass


def by_blocks(count: int, work: Callable[[slice], T], size: int = BLOCK) -> Iterator[T]:
    """What some work on blocks of samples 0..count-1 gives, in the order of the blocks.

    They are done side by side. The blocks are the same on each machine, and each has
    one thread.
    """
    blocks = [slice(n, min(n + size, count)) for n in range(0, count, size)]
    with one_blas_thread, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from pool.map(work, blocks)
