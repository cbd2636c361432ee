"""Cross-fitted linear heads: every sample is scored by a head not fitted on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple

import numpy as np

from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor, Shared
from fiftyone_dfaulo.engine.method import regression
from fiftyone_dfaulo.engine.method.outputs import (
    HeadOutputs,
    by_blocks,
    in_blocks,
)
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.signals import rank_in_class
from fiftyone_dfaulo.engine.threads import one_blas_thread

FOLDS = 5
INVERSE_REGULARIZATION = 30.0
"""Divided by the number of training samples, it is scikit-learn's C of each head, at
least. The regularisation is strong on purpose: a head that is free to follow single
samples follows faulty labels too. Many classes need it weaker: see
:func:`.sharpness.inverse_regularization`."""
FOREIGN = 0.5
"""From this probability of foreign content on, no model should learn from a sample."""
LEAST_SPREAD = 1e-6
"""A feature that spreads by a smaller share of its largest value is constant but for
rounding."""

_BLOCK = 10_000


def standardise(embeddings: np.ndarray) -> np.ndarray:
    """Float32 (N, D) features of mean 0 and variance 1; constant ones become 0."""
    mean = embeddings.mean(0, dtype=np.float64)
    count = len(embeddings)

    def squares(block: slice) -> np.ndarray:
        away = embeddings[block] - mean  # in double precision, but not all at once
        return np.asarray((away**2).sum(0))

    spread = np.sqrt(sum(by_blocks(count, squares, _BLOCK)) / count)
    largest = np.maximum(embeddings.max(0), -embeddings.min(0))
    varies = spread > LEAST_SPREAD * largest
    scale = varies / np.where(varies, spread, 1.0)
    features = np.empty(embeddings.shape, np.float32)

    def fill(block: slice) -> None:
        features[block] = (embeddings[block] - mean) * scale

    in_blocks(count, fill)
    return features


def assign_folds(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deals the samples of every class evenly over the folds.

    Args:
        labels: int64 (N,).
        rng: shuffles within classes, and picks the fold that each class starts at.

    Returns:
        int64 (N,), in 0..FOLDS-1. The folds differ by at most one in the number of
        samples of any class.
    """
    shuffled = rng.permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    counts = np.bincount(labels)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    start = np.repeat(rng.integers(0, FOLDS, len(counts)), counts)
    folds = np.empty(len(labels), np.int64)
    folds[order] = (np.arange(len(labels)) - first + start) % FOLDS
    return folds


def leave_out(scores: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """The subset of samples that a mutant is fitted without.

    Takes the ``count`` highest scores, but at most half of any class, and none of a
    class with fewer than ``2 * FOLDS`` samples, so that every head knows every class.

    Args:
        scores: (N,), higher is left out first; ties go by position.
        labels: int64 (N,).
        count: how many to leave out at most.

    Returns:
        bool (N,), True for samples left out.
    """
    totals = np.bincount(labels)
    most = np.where(totals >= 2 * FOLDS, totals // 2, 0)
    out = np.zeros(len(labels), bool)
    out[np.argsort(-scores, kind="stable")[:count]] = True
    return out & (rank_in_class(scores, labels) < most[labels])


class Samples(NamedTuple):
    """What heads learn from, N samples; the arrays are as of :func:`out_of_sample`."""

    features: np.ndarray
    labels: np.ndarray
    folds: np.ndarray
    along: regression.Directions


class _Head(NamedTuple):
    """One head: the fold that it does not see, and what else decides it."""

    fold: int
    left_out: np.ndarray | None
    inverse: float
    start: np.ndarray | None


def out_of_sample(
    features: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    left_out: np.ndarray | None = None,
    report: StageReport = silent_stage,
    inverse: float = INVERSE_REGULARIZATION,
    along: regression.Directions | None = None,
    start: np.ndarray | None = None,
    work: Work = UNKEPT,
    executor: Executor = HERE,
    shared: Shared[Samples] | None = None,
) -> HeadOutputs:
    """Log-probabilities of every sample by a head fitted on the other folds.

    The only sample of a class is never held out: no head could know its class then.

    Args:
        features: float32 (N, D), standardised.
        labels: int64 (N,), all of 0..K-1 present, K at least 2.
        folds: int64 (N,), from :func:`assign_folds`.
        left_out: bool (N,), samples that no head is fitted on; None is none of them.
        report: called with the fraction of heads fitted.
        inverse: C times the number of training samples, from
            :func:`inverse_regularization`.
        along: of the features, if they are known.
        start: weights of heads of the same folds, to start from.
        work: keeps the heads; decided by the features, the labels and the folds.
        executor: fits the heads.
        shared: the samples, if the executor has them already.

    Returns:
        (N, K), from log(1e-12) to 0.
    """
    own = work.of(left_out, inverse, start)
    kept = own.load()
    if kept is not None:
        report(1.0)
        return HeadOutputs(features, folds, kept["weights"])
    along = regression.directions(features) if along is None else along
    if shared is None:
        shared = executor.share(Samples(features, labels, folds, along))
    heads = [
        _Head(fold, left_out, inverse, None if start is None else start[fold])
        for fold in range(FOLDS)
    ]
    weights = []
    with closing(executor.each(_fit, shared, heads)) as fitted:
        for each in fitted:
            weights.append(each)
            report(len(weights) / FOLDS)
    own.save(weights=np.stack(weights))
    return HeadOutputs(features, folds, np.stack(weights))


def _fit(samples: Samples, heads: Iterable[_Head]) -> Iterator[np.ndarray]:
    """The weights of heads.

    One thread a head, all at once, so that no core waits for the last one. Several
    threads in one head would wait for one another at each of many small products, and
    long where the machine is busy.
    """
    features, labels, folds, along = samples
    single = np.bincount(labels)[labels] == 1

    def fit(head: _Head) -> np.ndarray:
        used = folds != head.fold
        if head.left_out is not None:
            used &= ~head.left_out
        rows = np.flatnonzero(used | single)
        return regression.fit(features, labels, rows, head.inverse, along, head.start)

    with one_blas_thread, ThreadPoolExecutor(FOLDS) as pool:
        yield from pool.map(fit, heads)


def mutant_subset(
    loss: np.ndarray, labels: np.ndarray, foreign: np.ndarray, share: float
) -> np.ndarray:
    """The subset that a mutant is fitted without: high losses and foreign content.

    Args:
        loss: (N,), by the heads before it.
        labels: int64 (N,).
        foreign: float64 (N,), probabilities of foreign content.
        share: of the samples that are left out for a high loss.

    Returns:
        bool (N,), True for samples left out; see :func:`leave_out`.
    """
    subset = leave_out(loss, labels, int(share * len(labels)))
    subset |= foreign >= FOREIGN
    # where a class has more than may be left out, the foreign ones go first
    order = np.where(subset, np.where(foreign >= FOREIGN, np.inf, loss), -1.0)
    return leave_out(order, labels, int(subset.sum()))
