"""Which class is mistaken for which: the label noise of a dataset, from its labels.

1. A sample's true class j has the probability p_j that models which never saw its label
   give it; its label is then i with probability T[j, i], the *transition matrix*.
2. T maximises the likelihood of all labels, together with a prior that holds mistakes
   for rare and equally likely: expectation-maximisation.
3. By Bayes' rule, the true class of a sample with label i is j with a probability
   proportional to p_j T[j, i].

Where one class leaks into another, T shows it, and a sample of the second that looks
like the first becomes more suspicious than one that looks like any third class.

The model is that of Patrini et al., "Making Deep Neural Networks Robust to Label
Noise", CVPR 2017, fitted as Dawid and Skene fit theirs, Applied Statistics 28, 1979.
"""

from __future__ import annotations

import numpy as np

MISTAKES = 0.05
"""Share of mislabelled samples, in every class, that the prior expects."""

PRIOR_WEIGHT = 0.5
"""The prior counts as much as this share of an average class's samples."""

STEPS = 100
CONVERGED = 1e-4


def transition_matrix(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probabilities of the labels that samples of each class are given.

    Args:
        probabilities: float (N, K) of the classes, out-of-sample.
        labels: int64 (N,), in 0..K-1, K at least 2.

    Returns:
        float64 (K, K), true class by given label; rows add up to 1.
    """
    count = probabilities.shape[1]
    prior = np.full((count, count), MISTAKES / (count - 1))
    np.fill_diagonal(prior, 1 - MISTAKES)
    prior *= PRIOR_WEIGHT * len(labels) / count
    transitions = prior / prior.sum(1, keepdims=True)
    blocks = [probabilities[labels == given] for given in range(count)]
    for _ in range(STEPS):
        expected = [
            true_class(block, transitions[:, given]).sum(0, dtype=np.float64)
            for given, block in enumerate(blocks)
        ]
        last, transitions = transitions, np.column_stack(expected) + prior
        transitions /= transitions.sum(1, keepdims=True)
        if np.abs(transitions - last).max() < CONVERGED:
            break
    return transitions


def true_class(probabilities: np.ndarray, likelihoods: np.ndarray) -> np.ndarray:
    """Probabilities (N, K) of the true classes, by Bayes' rule.

    Args:
        probabilities: float (N, K) of the classes, before the label was seen.
        likelihoods: float (K,) or (N, K), of the label by true class: a column of
            :func:`transition_matrix`, or one a sample.
    """
    joint = probabilities * likelihoods.astype(probabilities.dtype)
    return joint / joint.sum(1, keepdims=True)
