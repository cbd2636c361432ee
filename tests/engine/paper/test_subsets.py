"""The subsets are those of the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fiftyone_dfaulo.engine.paper import subsets
from tests.engine.paper import paper_oracle
from tests.engine.paper.stand_ins import random_labels

E = math.e


def test_double_softmax_loss_is_the_cross_entropy_of_the_softmax() -> None:
    # Softmax of (0, log 3) is (1/4, 3/4).
    logits = np.array([[0, math.log(3)], [0, math.log(3)]], dtype=np.float32)
    total = math.exp(0.25) + math.exp(0.75)
    expected = [math.log(total) - 0.25, math.log(total) - 0.75]
    found = subsets.double_softmax_loss(logits, np.array([0, 1]))
    assert found.dtype == np.float64
    assert found == pytest.approx(expected, rel=1e-6)


def test_double_softmax_loss_has_a_range_one_wide() -> None:
    logits = np.array([[900, 0, 0], [900, 0, 0]], dtype=np.float32)
    best, worst = subsets.double_softmax_loss(logits, np.array([0, 2]))
    assert best == pytest.approx(math.log(E + 2) - 1)
    assert worst == pytest.approx(math.log(E + 2))


def test_input_outliers_are_the_worst_of_each_class() -> None:
    labels = np.array([0] * 40 + [1] * 20 + [3] * 19)
    errors = np.zeros(79)
    errors[[5, 30]] = 9, 8  # int(40 * .05) = 2 of class 0
    errors[6] = 7
    errors[45] = 0.5  # int(20 * .05) = 1 of class 1, however small its error
    errors[70] = 100  # int(19 * .05) = 0 of class 3
    chosen = subsets.input_outliers(errors, labels, 0.05)
    assert chosen.dtype == bool
    assert np.flatnonzero(chosen).tolist() == [5, 30, 45]


def test_of_equal_errors_the_first_samples_are_taken() -> None:
    labels = np.array([1, 0, 1, 0, 1, 0, 1, 0])
    chosen = subsets.input_outliers(np.ones(8), labels, 0.5)
    assert np.flatnonzero(chosen).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [20, 40, 60, 80, 100, 140, 180, 200, 1000])
def test_rounding_never_drops_a_sample_from_a_whole_share(size: int) -> None:
    chosen = subsets.input_outliers(np.arange(size), np.zeros(size, int), 0.05)
    assert chosen.sum() == size // 20


def test_high_loss_takes_the_worst_fits_to_the_label_in_each_class() -> None:
    logits = np.array([[5, 0], [0, 5], [1, 0], [0, 5], [5, 0], [0, 1]], np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1])
    chosen = subsets.high_loss(logits, labels, 1 / 3)
    assert np.flatnonzero(chosen).tolist() == [1, 4]


def test_unusual_activations_are_the_smaller_cluster_of_each_class() -> None:
    # Class 0: near 0 three times, near 9 twice. Class 1: near 9 twice, near 0 once.
    embeddings = np.array([[0], [9], [0.1], [9.1], [0.2], [9], [9.1], [0]], np.float32)
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    chosen = subsets.unusual_activations(embeddings, labels, seed=0)
    assert np.flatnonzero(chosen).tolist() == [1, 3, 7]


def test_the_smaller_cluster_may_hold_the_first_sample() -> None:
    embeddings = np.array([[9.0, 9.0], [0.0, 0.1], [0.1, 0.0]])
    chosen = subsets.unusual_activations(embeddings, np.zeros(3, int), seed=0)
    assert chosen.tolist() == [True, False, False]


@pytest.mark.parametrize("seed", range(5))
def test_of_equal_clusters_the_one_without_the_first_sample_is_taken(seed: int) -> None:
    embeddings = np.array([[1.0], [8.0], [1.1], [8.1]])
    chosen = subsets.unusual_activations(embeddings, np.zeros(4, int), seed)
    assert chosen.tolist() == [False, True, False, True]


def test_one_sample_or_identical_samples_have_no_unusual_activations() -> None:
    embeddings = np.array([[1.0, 2.0]] * 5 + [[3.0, 4.0]])
    labels = np.array([0, 0, 0, 0, 0, 2])
    assert not subsets.unusual_activations(embeddings, labels, seed=0).any()


def test_two_distinct_points_among_many_copies_are_two_clusters() -> None:
    embeddings = np.array([[1.0]] * 6 + [[2.0]] * 2)
    chosen = subsets.unusual_activations(embeddings, np.zeros(8, int), seed=0)
    assert chosen.tolist() == [False] * 6 + [True] * 2


@pytest.mark.parametrize("num_classes", [2, 3, 5, 11])
def test_subsets_agree_with_the_oracle(num_classes: int) -> None:
    rng = np.random.default_rng(num_classes)
    labels = random_labels(rng, num_classes)
    logits = rng.normal(size=(len(labels), num_classes)).astype(np.float32)
    logits[::5] = logits[0]
    errors = rng.integers(8, size=len(labels)) / 4  # many are equal
    embeddings = rng.normal(size=(len(labels), 4)).astype(np.float32)
    embeddings[labels == num_classes - 1] = 1
    listed = labels.tolist()
    for ratio in (0.05, 0.3):
        expected = paper_oracle.highest_in_each_class(errors, listed, ratio)
        found = subsets.input_outliers(errors, labels, ratio)
        assert found.tolist() == expected
        expected = paper_oracle.high_loss(logits.tolist(), listed, ratio)
        assert subsets.high_loss(logits, labels, ratio).tolist() == expected
    expected = paper_oracle.unusual_activations(embeddings.tolist(), listed, 3)
    assert subsets.unusual_activations(embeddings, labels, 3).tolist() == expected
