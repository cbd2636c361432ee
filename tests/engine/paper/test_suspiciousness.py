"""Suspiciousness is learned as in the paper: at first, and from verdicts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fiftyone_dfaulo.engine.paper import suspiciousness
from fiftyone_dfaulo.engine.paper.features import noise_features, sample_features
from tests.engine.paper import paper_oracle
from tests.engine.paper.stand_ins import random_labels

# Step 5


def test_ten_of_each_class_are_trusted_or_all_of_a_smaller_class() -> None:
    labels = np.array([0] * 30 + [1] * 10 + [3] * 4 + [4])
    trusted = suspiciousness.draw_trusted(labels, np.random.default_rng(0))
    assert np.bincount(labels[trusted]).tolist() == [10, 10, 0, 4, 1]
    assert len(set(trusted.tolist())) == 25


def test_trusted_samples_are_drawn_evenly() -> None:
    labels = np.zeros(40, int)
    rng = np.random.default_rng(0)
    times = sum(
        np.bincount(suspiciousness.draw_trusted(labels, rng), minlength=40)
        for _ in range(400)
    )
    # Each is drawn 100 times of 400, with a standard deviation of 8.7.
    assert times.sum() == 4000
    assert 60 < times.min() <= times.max() < 140


def test_initial_suspiciousness_is_high_for_what_resembles_noise() -> None:
    features = np.array([[0, 0], [0.1, 0], [0, 0.2], [1, 1], [0.9, 1]] * 4, np.float32)
    trusted = np.array([0, 1, 2, 5, 6, 7])
    noise = np.ones((6, 2), np.float32)
    found = suspiciousness.initial_suspiciousness(features, trusted, noise)
    assert found.dtype == np.float64
    assert (found[features[:, 0] > 0.5] > 0.5).all()
    assert (found[features[:, 0] < 0.5] < 0.5).all()


def test_initial_suspiciousness_solves_the_regularised_regression() -> None:
    # One feature; three trusted rows at 0, one noise row at 1. The penalised optimum
    # has sum(p - y) = 0 and w + sum((p - y) x) = 0.
    features = np.array([[0], [0], [0], [1]], np.float32)
    noise = np.array([[1]], np.float32)
    at_0, _, _, at_1 = suspiciousness.initial_suspiciousness(
        features, np.arange(3), noise
    )
    weight = math.log(at_1 / (1 - at_1)) - math.log(at_0 / (1 - at_0))
    assert 3 * at_0 + at_1 == pytest.approx(1, abs=1e-4)
    assert weight == pytest.approx(1 - at_1, abs=1e-4)


# Step 6


def test_update_learns_from_the_checked_samples_alone() -> None:
    features = np.array([[0, 1], [0, 0], [1, 0], [1, 1], [1, 1]], np.float32)
    before = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    checked, verdicts = np.array([2, 0]), np.array([False, True])
    found = suspiciousness.update(features, before, checked, verdicts)
    # Faulty at (0, 1), correct at (1, 0): by symmetry both others are even.
    assert found[[1, 3, 4]] == pytest.approx(0.5, abs=1e-6)
    assert found[0] == pytest.approx(1 - found[2], abs=1e-6)
    assert found[0] > 0.5
    turned = suspiciousness.update(features, 1 - before, checked, ~verdicts)
    assert turned == pytest.approx(1 - found, abs=1e-6)


@pytest.mark.parametrize("verdicts", [[], [True], [False], [True] * 3, [False] * 3])
def test_verdicts_of_one_kind_leave_the_ranking_as_it_is(verdicts: list[bool]) -> None:
    features = np.random.default_rng(0).random((5, 4), dtype=np.float32)
    before = np.array([0.1, 0.5, 0.3, 0.4, 0.2])
    checked = np.array([3, 1, 4])[: len(verdicts)]
    found = suspiciousness.update(features, before, checked, np.array(verdicts, bool))
    assert found.tolist() == before.tolist()
    assert found is not before


def test_ranking_lists_the_checked_samples_and_then_the_most_suspicious() -> None:
    before = np.array([0.2, 0.9, 0.5, 0.9, 0.1, 0.5])
    order = suspiciousness.ranking(before, np.array([4, 3]))
    assert order.tolist() == [4, 3, 1, 2, 5, 0]
    assert suspiciousness.ranking(before, np.array([])).tolist() == [1, 3, 2, 5, 0, 4]


def test_equally_suspicious_samples_are_ranked_in_their_order() -> None:
    before = np.tile([0.5, 0.25], 500)
    order = suspiciousness.ranking(before, np.array([]))
    assert order.tolist() == [*range(0, 1000, 2), *range(1, 1000, 2)]


# Against the independent computation


@pytest.mark.parametrize("num_classes", [2, 3, 5, 11])
def test_features_and_suspiciousness_agree_with_the_oracle(num_classes: int) -> None:
    rng = np.random.default_rng(num_classes)
    labels = random_labels(rng, num_classes)
    shape = (4, len(labels), num_classes)
    logits = (4 * rng.normal(size=shape)).astype(np.float32)
    flags = rng.random((len(labels), 3)) < 0.2
    noise = rng.normal(size=(4, 1, num_classes)).astype(np.float32)
    trusted = suspiciousness.draw_trusted(labels, rng)

    rows = sample_features(logits, labels, flags)
    slow_rows = paper_oracle.features(logits.tolist(), labels.tolist(), flags.tolist())
    assert rows == pytest.approx(np.array(slow_rows), abs=1e-6)

    noise_rows = noise_features(logits=list(noise), num_classes=num_classes)
    slow_noise = paper_oracle.noise_features(noise[:, 0].tolist(), num_classes)
    assert noise_rows == pytest.approx(np.array(slow_noise), abs=1e-6)

    found = suspiciousness.initial_suspiciousness(rows, trusted, noise_rows)
    slow = paper_oracle.initial_suspiciousness(slow_rows, trusted.tolist(), slow_noise)
    assert found == pytest.approx(slow, abs=1e-5)

    checked = rng.permutation(len(labels))[: len(labels) // 3]
    for verdicts in (rng.random(len(checked)) < 0.4, np.zeros(len(checked), bool)):
        after = suspiciousness.update(rows, found, checked, verdicts)
        order = suspiciousness.ranking(after, checked)
        slow_after, slow_order = paper_oracle.update(
            slow_rows, found.tolist(), checked.tolist(), verdicts.tolist()
        )
        assert after == pytest.approx(slow_after, abs=1e-5)
        assert order.tolist() == slow_order
