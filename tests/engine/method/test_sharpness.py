"""How sharp models of the true class are: found from labels that noise has changed."""

import numpy as np
import pytest
from scipy.special import log_softmax

from fiftyone_dfaulo.engine.method import label_noise, sharpness
from fiftyone_dfaulo.engine.method.outputs import Likeliest, likeliest


def seen(count, classes, noise, flat=1.0, spread=4.0, seed=0):
    """Log-probabilities of the noisy label, and labels; the true class is drawn too.

    A calibrated model of the true class, its logits ``spread`` wide. What is returned
    is flatter by ``flat``.
    """
    rng = np.random.default_rng(seed)
    logits = log_softmax(spread * rng.normal(size=(count, classes)), axis=1)
    draws = rng.random(count)[:, None]
    truth = (np.exp(logits).cumsum(1) < draws).sum(1).clip(0, classes - 1)
    chosen = rng.random(count) < noise
    moved = (truth + rng.integers(1, classes, count)) % classes
    labels = np.where(chosen, moved, truth)
    return likeliest(logits / flat, labels), labels, chosen


@pytest.mark.parametrize("flat", [0.5, 1.0, 3.0])
def test_without_noise_the_power_undoes_the_flatness(flat):
    log_probabilities, labels, _ = seen(4000, 5, 0.0, flat)
    power, loss = sharpness.fit_power(log_probabilities, labels)
    assert power == pytest.approx(flat, rel=0.1)
    true = log_softmax(flat * log_probabilities.values, axis=1)
    expected = -true[np.arange(4000), labels].mean()
    assert loss == pytest.approx(expected, rel=0.01)
    found = sharpness.explain_labels(log_probabilities, labels, prior=0.02)
    assert found == pytest.approx(flat, rel=0.15)


@pytest.mark.parametrize("classes", [2, 10, 20])
@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_noise_is_told_from_doubt_and_counted(classes, noise):
    log_probabilities, labels, wrong = seen(4000, classes, noise, flat=2.0)
    found = sharpness.explain_labels(log_probabilities, labels, prior=0.02)
    alone, _ = sharpness.fit_power(log_probabilities, labels)
    assert found > 1.2 * alone  # alone, noise is taken for doubt
    sharp = log_probabilities.sharpened(found)
    noise = label_noise.fit_noise(sharp, labels, prior=0.02)
    odds = label_noise.log_odds_of_mistake(sharp, labels, noise, noise.own)
    counted = (1 / (1 + np.exp(-odds))).sum()
    assert counted == pytest.approx(wrong.sum(), rel=0.25)


def test_the_order_of_the_samples_does_not_matter():
    log_probabilities, labels, _ = seen(500, 4, 0.1)
    order = np.random.default_rng(1).permutation(500)
    one = sharpness.explain_labels(log_probabilities, labels, prior=0.02)
    other = sharpness.explain_labels(
        log_probabilities.take(order), labels[order], prior=0.02
    )
    assert one == pytest.approx(other, rel=1e-3)


def test_of_many_classes_the_unlikely_ones_are_known_together() -> None:
    """The same power, whether all of 60 classes are kept or 50 of each sample."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 60, 2000)
    logits = rng.normal(size=(2000, 60))
    logits[np.arange(2000), truth] += 4
    labels = np.where(rng.random(2000) < 0.1, rng.integers(0, 60, 2000), truth)
    logits = log_softmax(logits / 2, axis=1)
    kept = likeliest(logits, labels)
    classes = np.broadcast_to(np.arange(60), logits.shape)
    whole = Likeliest(classes, logits, np.full(2000, -np.inf), 0)
    for found, expected in zip(
        sharpness.fit_power(kept, labels), sharpness.fit_power(whole, labels)
    ):
        assert found == pytest.approx(expected, rel=0.03)
    found, expected = (
        sharpness.explain_labels(seen, labels, prior=0.02) for seen in (kept, whole)
    )
    assert found == pytest.approx(expected, rel=0.03)
