"""How likely is each label wrong, and how many are?

1. The mutants count. How many labels are wrong is what label noise explains
   (:mod:`.label_noise`), with mutants as sure of the true class as the labels have
   them (:mod:`.sharpness`), and some of the others that the mutants contradict.
2. The vote orders, given that share of mistakes, and how alike classes are in theirs.
3. The log-odds of the order are shifted so that the probabilities add up to the count.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from fiftyone_dfaulo.engine.method import label_noise, sharpness
from fiftyone_dfaulo.engine.method.label_noise import Noise
from fiftyone_dfaulo.engine.method.outputs import Likeliest
from fiftyone_dfaulo.engine.signals import shift_to_sum

SHARPNESS = 1.65
"""Regularised heads are right more often than they are sure, and the log-odds that come
from their vote are multiplied by this. (If the vote were, samples that look like no
class would come last.) Where a network has learned the labels, faulty ones too, these
cannot tell how sure its heads should be: then this is the power that counts faults."""

HARD = 0.05
"""People mistake what is hard to tell, and there a wrong label looks like a correct one
of a hard sample. The number of faults lies between what label noise explains and what
the mutants contradict: this far, in logarithms, from the first."""

PRIOR = 0.02
"""How much evidence it takes at least that one class is mistaken for another: see
:func:`.label_noise.fit_noise`."""


def wrong_label(
    vote: Likeliest,
    mutant_vote: Likeliest,
    labels: np.ndarray,
    trusted: np.ndarray,
    *,
    learned: bool,
    near_duplicate_labels: np.ndarray | None = None,
    equal_counts_prior: bool = False,
) -> np.ndarray:
    """Probabilities float64 (N,) that the labels are wrong.

    Args:
        vote: log-probabilities (N, K) of the classes.
        mutant_vote: those by the mutants alone.
        labels: int64 (N,).
        trusted: bool (N,), samples whose content is not foreign. Which class is
            mistaken for which is learned from these alone.
        learned: whether the mutants' network has learned these labels.
        near_duplicate_labels: as of :func:`.label_noise.log_odds_of_mistake`.
        equal_counts_prior: as of :func:`.label_noise.fit_noise`.
    """
    known = _Known(labels, trusted, near_duplicate_labels, equal_counts_prior)
    count, noise = _count(mutant_vote, learned, known)
    share = count / trusted.sum()
    ordering, _ = _log_odds(vote, 1.0, known, share, noise)
    order = SHARPNESS * ordering
    return expit(order + shift_to_sum(order[trusted], count))


def count_wrong(
    mutant_vote: Likeliest, labels: np.ndarray, trusted: np.ndarray, *, learned: bool
) -> float:
    """How many of the trusted labels are wrong, by step 1.

    Args:
        mutant_vote, labels, trusted, learned: as of :func:`wrong_label`.
    """
    return _count(mutant_vote, learned, _Known(labels, trusted))[0]


class _Known(NamedTuple):
    """What is known of the samples beside what models see."""

    labels: np.ndarray
    trusted: np.ndarray
    near_duplicate_labels: np.ndarray | None = None
    equal_counts_prior: bool = False

    @property
    def kept(self) -> slice | np.ndarray:
        """The samples that label noise is learned from."""
        return slice(None) if self.trusted.all() else np.flatnonzero(self.trusted)


def _count(mutant_vote: Likeliest, learned: bool, known: _Known) -> tuple[float, Noise]:
    """How many labels are wrong, and the label noise that explains them."""
    labels, trusted, kept = known.labels, known.trusted, known.kept
    power = SHARPNESS
    if not learned:
        power = sharpness.explain_labels(
            mutant_vote.take(kept),
            labels[kept],
            prior=PRIOR,
            equal_counts_prior=known.equal_counts_prior,
        )
    counting, noise = _log_odds(mutant_vote, power, known)
    explained = expit(counting)[trusted].sum()
    contradicted = (mutant_vote.best() != labels)[trusted].sum()
    count = explained ** (1 - HARD) * max(contradicted, explained) ** HARD
    return float(count), noise


def _log_odds(
    seen: Likeliest,
    power: float,
    known: _Known,
    mistakes: float | None = None,
    like: Noise | None = None,
) -> tuple[np.ndarray, Noise]:
    """Log-odds (N,) that labels are wrong, and the noise behind them."""
    labels, kept = known.labels, known.kept
    sharp = seen.sharpened(power)
    noise = label_noise.fit_noise(
        sharp.take(kept),
        labels[kept],
        prior=PRIOR,
        mistakes=mistakes,
        like=like,
        equal_counts_prior=known.equal_counts_prior,
    )
    own = np.zeros_like(sharp.values)
    own[kept] = noise.own
    found = label_noise.log_odds_of_mistake(
        sharp, labels, noise, own, known.near_duplicate_labels
    )
    return found, noise
