"""Signals, on arrays small enough to compute by hand."""

import numpy as np
import pytest

from fiftyone_dfaulo.engine import signals

PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
LABELS = np.array([1, 1])


def test_loss_is_minus_the_log_probability_of_the_label():
    loss = signals.loss(np.log(PROBABILITIES), LABELS)
    np.testing.assert_allclose(loss, [np.log(4), -np.log(0.8)])


def test_margin_compares_the_label_with_the_best_other_class():
    margin = signals.margin(np.log(PROBABILITIES), LABELS)
    np.testing.assert_allclose(margin, [np.log(2), -np.log(8)])


def test_margin_leaves_its_input_as_it_was():
    given = np.log(PROBABILITIES)
    signals.margin(given, LABELS)
    np.testing.assert_array_equal(given, np.log(PROBABILITIES))


def test_doubt_is_what_the_likeliest_class_lacks_to_certainty():
    doubt = signals.doubt(np.log(PROBABILITIES), LABELS)
    np.testing.assert_allclose(doubt, [0.5, 0.2])


def test_log_softmax_normalises_and_survives_large_logits():
    result = signals.log_softmax(np.array([[0.0, np.log(3)], [1e4, 0.0]]))
    np.testing.assert_allclose(np.exp(result), [[0.25, 0.75], [1.0, 0.0]])
    assert result[1, 1] == pytest.approx(-1e4)


def test_softmax_is_double_precision_whatever_the_logits_are():
    logits = np.array([[0.0, np.log(3)]], np.float32)
    for function in (signals.softmax, signals.log_softmax):
        assert function(logits).dtype == np.float64
    np.testing.assert_allclose(signals.softmax(logits), [[0.25, 0.75]], rtol=1e-6)


def test_rank_in_class_counts_from_the_highest_of_each_class():
    values = np.array([1.0, 3.0, 2.0, 3.0, 5.0])
    labels = np.array([0, 0, 2, 0, 2])
    assert signals.rank_in_class(values, labels).tolist() == [2, 0, 1, 1, 0]
