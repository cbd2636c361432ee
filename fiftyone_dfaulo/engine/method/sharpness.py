"""How sure should models of the true class be? As sure as explains the labels best.

How strongly heads are regularised is chosen first, by labels that they never saw:
:func:`inverse_regularization`, :func:`likeliest_regularization`. For the rest, they are
too unsure still:

Models that learned from labels of which some are wrong are unsure for two reasons:
because samples resemble two classes, and because labels are wrong wherever one looks.
The second lies in the label, not in the true class: taken for doubt about the class, it
explains the wrong labels away, and they are not counted.

1. Log-probabilities times a *power* are sharper or flatter. The power at which they
   alone explain the labels best is the least that comes into question.
2. For this and greater powers, the label noise (:mod:`.label_noise`) is fitted as well.
   Doubt that all samples have alike is then better explained by noise, doubt that some
   have more of than others by their classes.
3. The mean of the powers is taken, in logarithms, each weighted by how likely it and
   its noise make the labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special
from scipy.optimize import minimize_scalar

from fiftyone_dfaulo.engine.method import label_noise, regression
from fiftyone_dfaulo.engine.method.heads import FOLDS, INVERSE_REGULARIZATION
from fiftyone_dfaulo.engine.method.outputs import LEAST_LOG, Likeliest, likeliest
from fiftyone_dfaulo.engine.threads import one_blas_thread

LEAST_POWER, MOST_POWER = 0.1, 100.0
WEAKER = 10**0.5  # the factor by which a regularisation is weaker than the last one
UNSURE = 2.5
"""Heads are too unsure if the labels are likelier at a greater power than this. Up to
50 classes they hardly ever are."""
MOST_TRIED = 7
HELD_OUT = 400  # samples; at least so many judge, or all
STEP = 0.1  # between the logarithms of the powers that are compared
STEPS_OF_NOISE = 12  # of expectation-maximisation at each, from the power before
FURTHEST = 1.6  # of the logarithm of a power, above the least
HOPELESS = 20.0  # nats below the best: no greater power is looked at after two of these
SAMPLES = 20_000
"""A power is one number; more samples than these, drawn evenly from all labels, would
hardly change it."""


def evenly(labels: np.ndarray) -> np.ndarray:
    """Positions of at most :data:`SAMPLES` samples, in the order of their labels."""
    order = np.argsort(labels, kind="stable")
    count = min(len(order), SAMPLES)
    return order[np.arange(count) * len(order) // count]


def fit_power(seen: Likeliest, labels: np.ndarray) -> tuple[float, float]:
    """The power, .1 to 100, at which labels are likeliest; the log-loss there.

    Args:
        seen: log-probabilities (N, K), of models that did not see these labels.
        labels: int64 (N,).
    """
    rows, own = np.arange(len(labels)), seen.of_label(labels)
    logs = seen.values.astype(np.float64)
    others = np.log(seen.others) if seen.others else 0.0

    def loss(logarithm: float) -> float:
        power = np.exp(logarithm)
        total = np.logaddexp(
            special.logsumexp(power * logs, axis=1), power * seen.rest + others
        )
        return float((total - power * logs[rows, own]).mean())

    ends = np.log([LEAST_POWER, MOST_POWER])
    found = minimize_scalar(
        loss, bounds=ends, method="bounded", options={"xatol": 0.04}
    )
    return float(np.exp(found.x)), float(found.fun)


def explain_labels(
    seen: Likeliest,
    labels: np.ndarray,
    *,
    prior: float,
    equal_counts_prior: bool = False,
) -> float:
    """The power at which models and label noise together explain the labels.

    Args:
        seen: log-probabilities (N, K), of models that did not see these labels.
        labels: int64 (N,), in 0..K-1.
        prior, equal_counts_prior: as of :func:`.label_noise.fit_noise`.

    Returns:
        The mean, in logarithms, of the powers that explain them well; at least that of
        :func:`fit_power`.
    """
    some = evenly(labels)
    seen, labels = seen.take(some), labels[some]
    least, _ = fit_power(seen, labels)
    powers = least * np.exp(np.arange(0.0, FURTHEST, STEP))
    fits: list[float] = []
    noise = None
    for power in powers:
        noise = label_noise.fit_noise(
            seen.sharpened(power),
            labels,
            prior=prior,
            equal_counts_prior=equal_counts_prior,
            start=noise,
            steps=STEPS_OF_NOISE,
        )
        fits.append(noise.fit)
        if max(fits[-2:]) < max(fits) - HOPELESS:
            break
    likely = np.exp(np.array(fits) - max(fits))
    likely /= likely.sum()
    logarithms = np.log(powers[: len(likely)])
    return float(np.exp(likely @ logarithms))


def inverse_regularization(
    features: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    along: regression.Directions | None = None,
) -> float:
    """How weakly heads are regularised: C times the number of training samples.

    It is the strongest regularisation, from :data:`INVERSE_REGULARIZATION` on, that
    does not leave heads too unsure (:data:`UNSURE`): heads that learned from four folds
    are judged on the fifth, in as many folds as it takes.

    Args:
        features, labels, folds, along: as of :func:`.heads.out_of_sample`.

    Returns:
        30 times a power of the square root of 10, at most 30,000.
    """
    along = regression.directions(features) if along is None else along
    inverse = INVERSE_REGULARIZATION
    with one_blas_thread:
        for _ in range(MOST_TRIED - 1):
            if _explain(features, labels, folds, inverse, along)[0] <= UNSURE:
                break
            inverse *= WEAKER
    return inverse


def likeliest_regularization(
    features: np.ndarray,
    problems: Sequence[tuple[np.ndarray, np.ndarray]],
    along: regression.Directions,
) -> float:
    """How weakly the heads of several problems are regularised, all alike.

    It is the strongest regularisation, from :data:`INVERSE_REGULARIZATION` on, at which
    a weaker one makes the labels that heads never saw no likelier. (Where there is one
    problem of several classes, this finds fewer faults than
    :func:`inverse_regularization`: see ``docs/benchmark.md``.)

    Args:
        features, along: as of :func:`.heads.out_of_sample`.
        problems: of each, ``labels`` and ``folds``.

    Returns:
        as :func:`inverse_regularization`.
    """

    best, inverse = np.inf, INVERSE_REGULARIZATION
    with one_blas_thread:
        for _ in range(MOST_TRIED):
            now = sum(_explain(features, *one, inverse, along)[1] for one in problems)
            if now >= best:
                break
            best, inverse = now, inverse * WEAKER
    return inverse / WEAKER


def _explain(
    features: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    inverse: float,
    along: regression.Directions,
) -> tuple[float, float]:
    """As :func:`fit_power`, of labels that heads of some folds never saw."""
    some = evenly(labels)
    features, labels, folds = features[some], labels[some], folds[some]
    numbers = np.unique(labels, return_inverse=True)[1]
    seen, given = [], []
    for fold in range(FOLDS):
        training = np.flatnonzero(folds != fold)
        classes = np.unique(numbers[training])
        held_out = (folds == fold) & np.isin(numbers, classes)
        if len(classes) > 1 and held_out.any():
            known = np.searchsorted(classes, numbers)
            weights = regression.fit(features, known, training, inverse, along)
            found = np.full((held_out.sum(), numbers.max() + 1), LEAST_LOG)
            found[:, classes] = regression.log_probabilities(
                features[held_out], weights
            )
            seen.append(np.maximum(found, LEAST_LOG))
            given.append(numbers[held_out])
        if sum(map(len, given)) >= HELD_OUT:
            break
    if not given:
        return 1.0, 0.0
    labels = np.concatenate(given)
    return fit_power(likeliest(np.concatenate(seen), labels), labels)
