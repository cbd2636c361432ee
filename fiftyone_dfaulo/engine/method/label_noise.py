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
    probabilities: np.ndarray,
    labels: np.ndarray,
    *,
    prior: float,
    mistakes: float | None = None,
    equal_counts_prior: bool = False,
) -> np.ndarray:
    """How likely samples of each class are to be given each label.

    Args:
        probabilities: float (N, K) of the classes, each above 0, out-of-sample.
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
    return fit_noise(
        *by_label(probabilities, labels),
        prior=prior,
        mistakes=mistakes,
        equal_counts_prior=equal_counts_prior,
        steps=STEPS,
    ).transitions


def by_label(
    probabilities: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same samples in the order of their labels, as :func:`fit_noise` needs."""
    order = np.argsort(labels, kind="stable")
    return probabilities[order], labels[order]


@one_blas_thread
def fit_noise(
    probabilities: np.ndarray,
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
        probabilities, prior, mistakes, equal_counts_prior: as of
            :func:`transition_matrix`.
        labels: int64 (N,), ascending.
        start: the noise to start from; None is equally likely mistakes.
        steps: of expectation-maximisation, at least 1.
    """
    total, count = probabilities.shape
    share = FIRST_MISTAKES if mistakes is None else _bounded(mistakes)
    transitions = _uniform(count, share)
    prior_counts = total / count * transitions
    if start is not None:
        share, transitions = start.mistakes, start.transitions
        prior_counts = total / count * _uniform(count, share)
    fit = 0.0
    for step in range(steps):
        expected, fit = _expect(probabilities, labels, transitions)
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


def _expect(
    probabilities: np.ndarray, labels: np.ndarray, transitions: np.ndarray
) -> tuple[np.ndarray, float]:
    """Expected numbers (K, K) of samples by true class and label; log-likelihood."""
    count = probabilities.shape[1]
    expected, likelihood = np.zeros((count, count)), 0.0
    of_label = np.ascontiguousarray(transitions.T, probabilities.dtype)
    ends = np.cumsum(np.bincount(labels, minlength=count))
    for given, (start, end) in enumerate(zip([0, *ends], ends)):
        if start < end:
            block = probabilities[start:end]
            chances = block @ of_label[given]  # of the label, whatever the true class
            likelihood += float(np.log(chances).sum(dtype=np.float64))
            expected[:, given] = (1 / chances) @ block
    return expected * transitions, likelihood


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
    probabilities: np.ndarray,
    labels: np.ndarray,
    transitions: np.ndarray,
    near_duplicate_labels: np.ndarray | None = None,
) -> np.ndarray:
    """Log-odds float64 (N,) that the true class is not the label.

    Args:
        probabilities: float (N, K), as of :func:`transition_matrix`.
        labels: int64 (N,).
        transitions: float64 (K, K), from :func:`transition_matrix`.
        near_duplicate_labels: int64 (N,), the other label, of a near duplicate; -1
            where there is none.
    """
    rows = np.arange(len(labels))
    of_label = transitions.T.astype(probabilities.dtype)
    joint = probabilities * of_label[labels]
    if near_duplicate_labels is not None:
        paired = near_duplicate_labels >= 0
        joint[paired] *= of_label[near_duplicate_labels[paired]]
    own = joint[rows, labels].astype(np.float64)
    joint[rows, labels] = 0.0
    return np.log(joint.sum(1, dtype=np.float64)) - np.log(own)
