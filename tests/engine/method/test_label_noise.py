"""The transition matrix: what is planted is found, and Bayes' rule by hand."""

import numpy as np
import pytest

from fiftyone_dfaulo.engine.method import label_noise
from fiftyone_dfaulo.engine.method.label_noise import Noise
from fiftyone_dfaulo.engine.method.outputs import Likeliest, likeliest
from tests.engine.method.noise_oracle import find


def whole(probabilities):
    """All probabilities (N, K) as what is kept of them."""
    classes = np.broadcast_to(np.arange(probabilities.shape[1]), probabilities.shape)
    return Likeliest(classes, probabilities, np.zeros(len(probabilities)), 0)


def noise_of(matrix):
    """Noise of so many samples that no prior counts."""
    every = np.ones(len(matrix))
    return Noise(1e9 * matrix, 0.1, 0.1 * every, 1.0, every, 1.0, None, 0.0)


def leaking(count=3000, leak=0.2, seed=0):
    """Three classes that are seen well; of class 0, a part carries the label 1."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, count)
    labels = np.where((truth == 0) & (rng.random(count) < leak), 1, truth)
    probabilities = np.full((count, 3), 0.02)
    probabilities[np.arange(count), truth] = 0.96
    return whole(probabilities), labels


def test_a_leak_from_one_class_into_another_is_found():
    # of about 1,000 samples of the class 200 leak; as if 100 more of it were mistaken
    # in 1 of 15, and 50 more mistakes were for both others alike
    seen, labels = leaking()
    like = noise_of(np.eye(3))._replace(alike=100.0)
    known = label_noise.fit_noise(
        seen, labels, prior=0.05, mistakes=1 / 15, like=like
    ).transitions
    rate, kind = (200 + 100 / 15) / 1100, (200 + 25) / 250
    assert known[0, 1] == pytest.approx(rate * kind, abs=0.02)
    found = label_noise.fit_noise(seen, labels, prior=0.0005)
    assert found.transitions[0, 1] == pytest.approx(0.2, abs=0.02)
    assert found.mistakes == pytest.approx(1 / 15, abs=0.01)
    for each in (known, found.transitions):
        assert each[[1, 2], [1, 2]].min() > 0.95
        np.testing.assert_allclose(each.sum(1), 1.0)


def test_labels_that_are_all_right_show_hardly_any_mistakes():
    matrix = label_noise.fit_noise(*leaking(leak=0.0), prior=0.05).transitions
    assert matrix.diagonal().min() > 0.99
    assert (matrix > 0).all()


def test_a_class_that_is_mistaken_for_one_is_told_from_those_for_all():
    rng = np.random.default_rng(0)
    truth = np.arange(4000) % 20
    labels = (truth + (rng.random(4000) < 0.1) * rng.integers(1, 20, 4000)) % 20
    labels[(truth == 0) & (rng.random(4000) < 0.3)] = 1
    seen = np.full((4000, 20), 0.002)
    seen[np.arange(4000), truth] = 0.962
    noise = label_noise.fit_noise(whole(seen), labels, prior=0.02)
    assert noise.choosy[0] > 0.999
    assert np.median(noise.choosy[1:]) < 0.5  # some have the same mistake by chance
    assert noise.transitions[0, 1] > 0.2 > 10 * noise.transitions[0, 2:].max()
    alike = noise.choosy.argmin()
    others = noise.transitions[alike][np.arange(20) != alike]
    np.testing.assert_allclose(others, others.mean(), rtol=0.01)


@pytest.mark.parametrize("mistakes", [None, 0.1])
def test_it_is_what_plain_loops_find(mistakes):
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 60)
    probabilities = rng.dirichlet([0.3] * 3, 60) * 0.5 + 0.01
    probabilities[np.arange(60), truth] += 0.5
    probabilities /= probabilities.sum(1, keepdims=True)
    labels = np.where(rng.random(60) < 0.2, (truth + 1) % 3, truth)
    seen = whole(probabilities)
    noise = label_noise.fit_noise(seen, labels, prior=0.02, mistakes=mistakes)
    expected = find(
        probabilities.tolist(), labels.tolist(), prior=0.02, mistakes=mistakes
    )
    np.testing.assert_allclose(noise.expected, expected.expected, rtol=1e-4, atol=1e-5)
    assert noise.mistakes == pytest.approx(expected.mistakes, rel=1e-4)
    assert noise.alike == pytest.approx(expected.alike, rel=1e-3)
    np.testing.assert_allclose(noise.choosy, expected.choosy, atol=1e-3)
    odds = label_noise.log_odds_of_mistake(seen, labels, noise, noise.own)
    np.testing.assert_allclose(odds, np.log(expected.odds), atol=1e-3)


def test_no_sample_is_its_own_witness():
    """One of a small class that looks like another proves nothing; five do."""
    odds = []
    for mixed in (1, 5):
        truth = np.repeat(np.arange(40), 10)
        labels = truth.copy()
        labels[:mixed] = 1
        probabilities = np.full((400, 40), 1e-3)
        probabilities[np.arange(400), truth] = 0.9
        seen = whole(probabilities)
        noise = label_noise.fit_noise(seen, labels, prior=0.02, mistakes=0.001)
        found = label_noise.log_odds_of_mistake(seen, labels, noise, noise.own)
        odds.append(found[0])
    assert odds[0] < -2
    assert odds[1] > 1


def test_the_odds_of_a_mistake_follow_bayes():
    probabilities = np.array([[0.6, 0.3, 0.1]])
    matrix = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]])
    found = label_noise.log_odds_of_mistake(
        whole(probabilities), np.array([1]), noise_of(matrix)
    )
    # label 1: right .3 * .6 = .18; wrong .6 * .1 + .1 * .2 = .08
    np.testing.assert_allclose(found, [np.log(0.08 / 0.18)])


def test_near_duplicates_share_a_true_class_and_have_two_labels():
    probabilities = np.array([[0.6, 0.3, 0.1]] * 3)
    matrix = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]])
    found = label_noise.log_odds_of_mistake(
        whole(probabilities),
        np.array([1, 0, 1]),
        noise_of(matrix),
        near_duplicate_labels=np.array([0, 1, -1]),
    )
    # by true class: .6 * .1 * .8 = .048, .3 * .6 * .3 = .054, .1 * .2 * .2 = .004
    expected = np.log([(0.048 + 0.004) / 0.054, (0.054 + 0.004) / 0.048, 0.08 / 0.18])
    np.testing.assert_allclose(found, expected)


def test_a_sample_that_resembles_the_leaking_class_is_more_suspicious():
    probabilities, labels = leaking()
    noise = label_noise.fit_noise(probabilities, labels, prior=0.05)
    seen_as_0_or_2 = whole(np.array([[0.4, 0.6, 0.0], [0.0, 0.6, 0.4]]) + 1e-6)
    odds = label_noise.log_odds_of_mistake(seen_as_0_or_2, np.array([1, 1]), noise)
    assert odds[0] > odds[1] + 1


def test_mistakes_may_be_held_for_equally_many_in_each_direction() -> None:
    truth = np.array([0] * 15 + [1] * 5)
    labels = truth.copy()
    labels[-1] = 0  # one of the five that are in truth of class 1
    probabilities = np.where(np.eye(2)[truth] > 0, 1.0, 1e-15)
    usual = [
        label_noise.fit_noise(
            whole(probabilities), labels, prior=0.05, equal_counts_prior=equal
        ).usual
        for equal in (False, True)
    ]
    # counted: 15, 0; 1, 4. One mistake in 20, so half a one in each direction
    np.testing.assert_allclose(usual, [[1 / 20, 1 / 20], [0.5 / 15, 0.5 / 5]])


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
    noises = [
        label_noise.fit_noise(seen, labels, prior=0.02)
        for seen in (few, whole(probabilities))
    ]
    matrices = [each.transitions for each in noises]
    np.testing.assert_allclose(
        *matrices, rtol=0.12, atol=1e-5
    )  # of 60, 10 are not kept
    assert matrices[0][0, 1] > 0.2 > 10 * matrices[0][0, 2:].max()
    np.testing.assert_allclose(matrices[0].sum(1), 1.0)
    odds = [
        label_noise.log_odds_of_mistake(seen, labels, noise, noise.own)
        for seen, noise in zip((few, whole(probabilities)), noises)
    ]
    np.testing.assert_allclose(*odds, atol=0.08)
