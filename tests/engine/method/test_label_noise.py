"""The transition matrix: what is planted is found, and Bayes' rule by hand."""

import numpy as np
import pytest

from fiftyone_dfaulo.engine.method import label_noise
from fiftyone_dfaulo.engine.method.outputs import Likeliest, likeliest


def whole(probabilities):
    """All probabilities (N, K) as what is kept of them."""
    classes = np.broadcast_to(np.arange(probabilities.shape[1]), probabilities.shape)
    return Likeliest(classes, probabilities, np.zeros(len(probabilities)), 0)


def leaking(count=3000, leak=0.2, seed=0):
    """Three classes that are seen well; of class 0, a part carries the label 1."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, count)
    labels = np.where((truth == 0) & (rng.random(count) < leak), 1, truth)
    probabilities = np.full((count, 3), 0.02)
    probabilities[np.arange(count), truth] = 0.96
    return whole(probabilities), labels


def test_a_leak_from_one_class_into_another_is_found():
    # of about 1,000 samples of the class 200 leak; the prior is worth 750 of which 50
    # are mistakes, 25 of them of this kind
    cautious = label_noise.transition_matrix(*leaking(), prior=0.05)
    assert cautious[0, 1] == pytest.approx(225 / 1750, abs=0.02)
    known = label_noise.transition_matrix(*leaking(), prior=0.05, mistakes=1 / 15)
    np.testing.assert_allclose(known, cautious, atol=0.01)
    matrix = label_noise.transition_matrix(*leaking(), prior=0.0005)
    assert matrix[0, 1] == pytest.approx(0.2, abs=0.02)
    for each in (cautious, matrix):
        assert each[[1, 2], [1, 2]].min() > 0.95
        np.testing.assert_allclose(each.sum(1), 1.0)


def test_labels_that_are_all_right_show_hardly_any_mistakes():
    matrix = label_noise.transition_matrix(*leaking(leak=0.0), prior=0.05)
    assert matrix.diagonal().min() > 0.99
    assert (matrix > 0).all()


def test_one_step_by_hand(monkeypatch):
    monkeypatch.setattr(label_noise, "STEPS", 1)
    probabilities = np.array([[0.5, 0.5], [0.5, 0.5], [0.1, 0.9], [0.1, 0.9]])
    given = np.array([0, 1, 0, 1])
    matrix = label_noise.transition_matrix(whole(probabilities), given, prior=0.05)
    # with mistakes of .05: label 0 and even odds are class 0 with .95; label 0 and .1
    # with .095 / (.095 + .045) = .678571; label 1 and .1 with .005 / .86 = .005814
    zero = np.array([0.95 + 0.678571, 0.05 + 0.005814])
    one = 2 - zero
    mistakes = 1 - (zero[0] + one[1]) / 4
    # the prior has mistakes of .05 of the 2 samples of an average class
    prior = (
        0.1 / mistakes * np.array([[1 - mistakes, mistakes], [mistakes, 1 - mistakes]])
    )
    expected = np.array([zero, one]) + prior
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(matrix, expected, rtol=1e-5)

    matrix = label_noise.transition_matrix(
        whole(probabilities), given, prior=0.05, mistakes=0.05
    )
    expected = np.array([zero, one]) + np.array([[1.9, 0.1], [0.1, 1.9]])
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(matrix, expected, rtol=1e-5)


def test_the_odds_of_a_mistake_follow_bayes():
    probabilities = np.array([[0.6, 0.3, 0.1]])
    matrix = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]])
    found = label_noise.log_odds_of_mistake(whole(probabilities), np.array([1]), matrix)
    # label 1: right .3 * .6 = .18; wrong .6 * .1 + .1 * .2 = .08
    np.testing.assert_allclose(found, [np.log(0.08 / 0.18)])


def test_near_duplicates_share_a_true_class_and_have_two_labels():
    probabilities = np.array([[0.6, 0.3, 0.1]] * 3)
    matrix = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]])
    found = label_noise.log_odds_of_mistake(
        whole(probabilities), np.array([1, 0, 1]), matrix, np.array([0, 1, -1])
    )
    # by true class: .6 * .1 * .8 = .048, .3 * .6 * .3 = .054, .1 * .2 * .2 = .004
    expected = np.log([(0.048 + 0.004) / 0.054, (0.054 + 0.004) / 0.048, 0.08 / 0.18])
    np.testing.assert_allclose(found, expected)


def test_a_sample_that_resembles_the_leaking_class_is_more_suspicious():
    probabilities, labels = leaking()
    matrix = label_noise.transition_matrix(probabilities, labels, prior=0.05)
    seen_as_0_or_2 = whole(np.array([[0.4, 0.6, 0.0], [0.0, 0.6, 0.4]]) + 1e-6)
    odds = label_noise.log_odds_of_mistake(seen_as_0_or_2, np.array([1, 1]), matrix)
    assert odds[0] > odds[1] + 1


def test_mistakes_may_be_held_for_equally_many_in_each_direction() -> None:
    truth = np.array([0] * 15 + [1] * 5)
    labels = truth.copy()
    labels[-1] = 0  # one of the five that are in truth of class 1
    probabilities = np.where(np.eye(2)[truth] > 0, 1.0, 1e-15)
    matrix = label_noise.transition_matrix(
        whole(probabilities), labels, prior=0.05, equal_counts_prior=True
    )
    # counted: 15, 0; 1, 4. One mistake in 20, so half a one in each direction:
    # 14.5, 0.5; 0.5, 4.5
    expected = [[29.5 / 30, 0.5 / 30], [1.5 / 10, 8.5 / 10]]
    np.testing.assert_allclose(matrix, expected, atol=1e-9)


def test_of_many_classes_the_unlikely_ones_are_known_together() -> None:
    """The same noise, whether all classes of a sample are kept or 50."""
    rng = np.random.default_rng(0)
    truth = np.arange(6000) % 60
    labels = np.where(rng.random(6000) < 0.1, rng.integers(0, 60, 6000), truth)
    labels[(truth == 0) & (rng.random(6000) < 0.5)] = 1
    probabilities = np.full((6000, 60), 1e-4)
    probabilities[np.arange(6000), truth] = 0.8
    probabilities[np.arange(6000), (truth + 1) % 60] = 0.2
    probabilities /= probabilities.sum(1, keepdims=True)
    few = likeliest(np.log(probabilities), labels).sharpened(1.0)
    assert few.values.shape == (6000, 50)
    matrices = [
        label_noise.transition_matrix(seen, labels, prior=0.02)
        for seen in (few, whole(probabilities))
    ]
    np.testing.assert_allclose(*matrices, rtol=0.02, atol=1e-5)
    assert matrices[0][0, 1] > 0.2 > 10 * matrices[0][0, 2:].max()
    np.testing.assert_allclose(matrices[0].sum(1), 1.0)
    odds = [
        label_noise.log_odds_of_mistake(seen, labels, matrix)
        for seen, matrix in zip((few, whole(probabilities)), matrices)
    ]
    np.testing.assert_allclose(*odds, atol=0.06)
