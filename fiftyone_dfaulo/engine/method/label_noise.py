"""Which class is mistaken for which: the label noise of a dataset, from its labels.

1. Models that never saw the label of a sample give class j the probability p_j of being
   its true class. Given j, the label is i with the probability T[j, i] of the
   *transition matrix*.
2. T maximises the likelihood of all labels under a prior (expectation-maximisation). By
   the prior all mistakes are equally likely. How common they are is known, or estimated
   with T. The prior weighs as much as a fixed number of mistakes: in any dataset,
   models contradict some correct labels of classes that look alike. That matters where
   real mistakes are rare, and little where they are common.
3. By Bayes' rule, the true class of a sample with label i is j with a probability
   proportional to p_j T[j, i]. If a near duplicate has another label i', the two share
   one true class: then it is proportional to p_j T[j, i] T[j, i'].

Where one class leaks into another, T shows it, and a sample of the second that looks
like the first becomes more suspicious than one that looks like any third class.

The model is that of Patrini et al., "Making Deep Neural Networks Robust to Label
Noise", CVPR 2017, fitted as Dawid and Skene fit theirs, Applied Statistics 28, 1979.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fiftyone_dfaulo.engine.method.outputs import Likeliest, in_blocks
from fiftyone_dfaulo.engine.method.regression import BLOCK
from fiftyone_dfaulo.engine.threads import one_blas_thread

FIRST_MISTAKES = 0.05  # share of mislabelled samples to start from
LEAST_MISTAKES, MOST_MISTAKES = 0.001, 0.6
STEPS = 40


class Noise(NamedTuple):
    """The label noise of N samples and K classes.

    Attributes:
        transitions: float64 (K, K), true class by given label; above 0, rows add up
            to 1.
        mistakes: share of the labels that are wrong, in [.001, .6].
        fit: log-likelihood of the labels plus the log-density of the prior, relative to
            the density where the prior is densest; of the step before ``transitions``.
    """

    transitions: np.ndarray
    mistakes: float
    fit: float


def transition_matrix(
    seen: Likeliest,
    labels: np.ndarray,
    *,
    prior: float,
    mistakes: float | None = None,
    equal_counts_prior: bool = False,
) -> np.ndarray:
    """How likely samples of each class are to be given each label.

    Args:
        seen: probabilities (N, K) of the classes, each above 0, out-of-sample.
        labels: int64 (N,), in 0..K-1, K at least 2.
        prior: weight of the prior, above 0: as much as mistakes in this share of the
            samples of an average class.
        mistakes: the share of labels that are wrong; None estimates it as well.
        equal_counts_prior: whether, by the prior, every kind of mistake is made equally
            often, rather than equally likely for each sample. Where one class is far
            larger, equally likely mistakes would all be among its samples.

    Returns:
        float64 (K, K), true class by given label; above 0, rows add up to 1.
    """
    order = np.argsort(labels, kind="stable")
    return fit_noise(
        seen.take(order),
        labels[order],
        prior=prior,
        mistakes=mistakes,
        equal_counts_prior=equal_counts_prior,
        steps=STEPS,
    ).transitions


@one_blas_thread
def fit_noise(
    seen: Likeliest,
    labels: np.ndarray,
    *,
    prior: float,
    mistakes: float | None = None,
    equal_counts_prior: bool = False,
    start: Noise | None = None,
    steps: int,
) -> Noise:
    """The transition matrix, the share of mistakes, and how well they fit.

    Args:
        seen, prior, mistakes, equal_counts_prior: as of :func:`transition_matrix`.
        labels: int64 (N,), ascending.
        start: the noise to start from; None is equally likely mistakes.
        steps: of expectation-maximisation, at least 1.
    """
    total, count = len(labels), seen.values.shape[1] + seen.others
    expect = _expect_few if seen.others else _expect_all
    share = FIRST_MISTAKES if mistakes is None else _bounded(mistakes)
    transitions = _uniform(count, share)
    prior_counts = total / count * transitions
    if start is not None:
        share, transitions = start.mistakes, start.transitions
        prior_counts = total / count * _uniform(count, share)
    fit = 0.0
    for step in range(steps):
        expected, fit = expect(seen, labels, transitions)
        if step == steps - 1:
            densest = prior_counts / prior_counts.sum(1, keepdims=True)
            density = prior_counts * (np.log(transitions) - np.log(densest))
            fit += prior / share * float(density.sum())
        if mistakes is None:
            share = _bounded(1 - np.trace(expected) / total)
        prior_counts = total / count * _uniform(count, share)
        if equal_counts_prior:
            prior_counts = _equal_counts(expected.sum(1), share)
        transitions = expected + prior / share * prior_counts
        transitions /= transitions.sum(1, keepdims=True)
    return Noise(transitions, share, fit)


def _expect_all(
    seen: Likeliest, labels: np.ndarray, transitions: np.ndarray
) -> tuple[np.ndarray, float]:
    """Expected numbers (K, K) of samples by true class and label; log-likelihood."""
    count = len(transitions)
    expected, likelihood = np.zeros((count, count)), 0.0
    of_label = np.ascontiguousarray(transitions.T, seen.values.dtype)
    ends = np.cumsum(np.bincount(labels, minlength=count))
    for given, (start, end) in enumerate(zip([0, *ends], ends)):
        if start < end:
            block = seen.values[start:end]
            chances = block @ of_label[given]  # of the label, whatever the true class
            likelihood += float(np.log(chances).sum(dtype=np.float64))
            expected[:, given] = (1 / chances) @ block
    return expected * transitions, likelihood


def _expect_few(
    seen: Likeliest, labels: np.ndarray, transitions: np.ndarray
) -> tuple[np.ndarray, float]:
    """The same where most classes of a sample are only known together."""
    count = len(transitions)
    by_rest = _mean_mistake(transitions) * seen.others
    expected, of_rest = np.zeros(count * count), np.zeros(count)
    likelihood = 0.0
    step = max(BLOCK, count * count // seen.values.shape[1])
    for start in range(0, len(labels), step):
        some, given = seen.take(slice(start, start + step)), labels[start:][:step]
        chances = (some.values * transitions[some.classes, given[:, None]]).sum(1)
        chances += some.rest * by_rest[given]
        likelihood += float(np.log(chances).sum())
        expected += np.bincount(
            (some.classes * np.int64(count) + given[:, None]).ravel(),
            (some.values / chances[:, None]).ravel(),
            count * count,
        )
        of_rest += np.bincount(given, some.rest / chances, count)
    mistaken = np.broadcast_to(of_rest, (count, count)) * (1 - np.eye(count))
    return (expected.reshape(count, count) + mistaken) * transitions, likelihood


def _mean_mistake(transitions: np.ndarray) -> np.ndarray:
    """How likely each label is given to samples of another class, in the mean, (K,)."""
    wrong = transitions.sum(0) - transitions.diagonal()
    return np.asarray(wrong / (len(transitions) - 1))


def _bounded(mistakes: float) -> float:
    return float(np.clip(mistakes, LEAST_MISTAKES, MOST_MISTAKES))


def _uniform(count: int, mistakes: float) -> np.ndarray:
    """The transition matrix (K, K) where all mistakes are equally likely."""
    matrix = np.full((count, count), mistakes / (count - 1))
    np.fill_diagonal(matrix, 1 - mistakes)
    return matrix


def _equal_counts(sizes: np.ndarray, mistakes: float) -> np.ndarray:
    """Numbers (K, K) of samples where every kind of mistake is made equally often.

    A class keeps at least as many samples as it loses to one other.
    """
    count = len(sizes)
    each = mistakes * sizes.sum() / (count * (count - 1))
    matrix = np.full((count, count), each)
    np.fill_diagonal(matrix, np.maximum(sizes - (count - 1) * each, each))
    return matrix


def log_odds_of_mistake(
    seen: Likeliest,
    labels: np.ndarray,
    transitions: np.ndarray,
    near_duplicate_labels: np.ndarray | None = None,
) -> np.ndarray:
    """Log-odds float64 (N,) that the true class is not the label.

    Args:
        seen: probabilities (N, K), as of :func:`transition_matrix`.
        labels: int64 (N,).
        transitions: float64 (K, K), from :func:`transition_matrix`.
        near_duplicate_labels: int64 (N,), the other label, of a near duplicate; -1
            where there is none.
    """
    found = np.empty(len(labels))
    by_rest = _mean_mistake(transitions) * seen.others
    own_column = seen.of_label(labels)

    def compare(rows: slice) -> None:
        some, given = seen.take(rows), labels[rows]
        joint = some.values * transitions[some.classes, given[:, None]]
        rest = some.rest * by_rest[given]
        if near_duplicate_labels is not None:
            other = near_duplicate_labels[rows]
            paired = np.flatnonzero(other >= 0)
            of_other = other[paired]
            joint[paired] *= transitions[some.classes[paired], of_other[:, None]]
            rest[paired] *= by_rest[of_other] / max(seen.others, 1)
        own = (np.arange(len(given)), own_column[rows])
        right = joint[own]
        joint[own] = 0.0
        found[rows] = np.log(joint.sum(1) + rest) - np.log(right)

    in_blocks(len(labels), compare)
    return found
