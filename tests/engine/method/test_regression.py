"""Logistic regression in blocks: scikit-learn's result, in fewer passes."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fiftyone_dfaulo.engine.method import regression
from fiftyone_dfaulo.engine.method.heads import standardise
from tests.engine.method.test_single_label import faulty_blobs

INVERSE = 100.0


def problem(counts, correlated=False, dim=8):
    """Features, labels with faults, and the rows to fit: five in six."""
    features, labels, *_ = faulty_blobs(counts, dim=dim)
    if correlated:  # one direction varies a hundred times as much as most
        features = features + 100 * features[:, :1] * np.linspace(0, 1, dim)
    labels[-len(counts) :] = np.arange(len(counts))
    rows = np.flatnonzero(np.arange(len(labels)) % 6 != 0)
    rows = np.union1d(rows, np.unique(labels, return_index=True)[1])
    return standardise(features), labels, rows


def objective(features, labels, weights):
    """The mean loss with the penalty, as scikit-learn has it for three classes."""
    log_probabilities = regression.log_probabilities(features, weights)
    loss = -log_probabilities[np.arange(len(labels)), labels].mean()
    return loss + (weights[:-1] ** 2).sum() / 2 / INVERSE


@pytest.mark.parametrize("correlated", [False, True])
@pytest.mark.parametrize("counts", [[40, 60], [50, 20, 4], [7] * 60, [900, 10, 90]])
def test_the_weights_are_those_of_scikit_learn(counts, correlated, monkeypatch) -> None:
    monkeypatch.setattr(regression, "TOLERANCE", 1e-10)
    features, labels, rows = problem(counts, correlated)
    along = regression.directions(features)
    weights = regression.fit(features, labels, rows, INVERSE, along)
    oracle = LogisticRegression(C=INVERSE / len(rows), tol=1e-8, max_iter=5000)
    expected = oracle.fit(features[rows], labels[rows]).predict_proba(features)
    found = np.exp(regression.log_probabilities(features, weights))
    np.testing.assert_allclose(found, expected, atol=5e-3)


@pytest.mark.parametrize("correlated", [False, True])
def test_the_loss_is_the_least_but_for_the_tolerance(correlated, monkeypatch) -> None:
    features, labels, rows = problem([60] * 5, correlated)
    along = regression.directions(features)
    usual = regression.fit(features, labels, rows, INVERSE, along)
    again = regression.fit(features, labels, rows, INVERSE, along, start=usual)
    monkeypatch.setattr(regression, "TOLERANCE", 1e-12)
    best = regression.fit(features, labels, rows, INVERSE, along)
    losses = [
        objective(features[rows], labels[rows], each) for each in (usual, again, best)
    ]
    assert losses[0] - losses[2] < 10 * 1e-4
    assert losses[2] - 1e-6 <= losses[1] <= losses[0] + 1e-6


def test_features_that_are_all_zero_give_the_shares_of_the_classes() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    features = np.zeros((100, 4), np.float32)
    along = regression.directions(features)
    weights = regression.fit(features, labels, np.arange(100), INVERSE, along)
    found = np.exp(regression.log_probabilities(features[:1], weights))
    np.testing.assert_allclose(found, [[0.5, 0.3, 0.2]], atol=0.01)


def test_samples_beyond_one_block_count_alike(monkeypatch) -> None:
    monkeypatch.setattr(regression, "TOLERANCE", 1e-9)
    features, labels, rows = problem([60] * 3)
    along = regression.directions(features)
    found = []
    for block in (regression.BLOCK, 17):
        monkeypatch.setattr(regression, "BLOCK", block)
        found.append(regression.fit(features, labels, rows, INVERSE, along))
    np.testing.assert_allclose(*found, atol=0.02)
    assert np.abs(found[0]).max() > 1
