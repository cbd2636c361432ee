"""How sure should models of the true class be? As sure as explains the labels best.

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

import numpy as np
from scipy import special
from scipy.optimize import minimize_scalar

from fiftyone_dfaulo.engine.method import label_noise
from fiftyone_dfaulo.engine.method.outputs import Likeliest

LEAST_POWER, MOST_POWER = 0.1, 100.0
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
