"""Each reason on a sample made for it."""

import numpy as np

from fiftyone_dfaulo.engine import reasons


def test_each_reason_says_what_its_name_says():
    sure, other, unsure = [0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.34, 0.33, 0.33]
    vote = np.log([sure, other, unsure, sure, other, other])
    labels = np.zeros(6, int)
    confident = np.array([0, 1, -1, 0, 1, 1])
    suspiciousness = np.array([0.3, 0.9, 0.5, 1.0, 1.0, 0.1])
    foreign = np.array([False, False, False, True, True, False])
    original = np.log([sure, sure, [0.2, 0.4, 0.4], sure, sure, other])
    found = reasons.find(vote, labels, confident, suspiciousness, foreign, original)
    fits_none = [False, True, False]
    expected = [[False] * 3, [True, False, False], [False, True, True]]
    expected += [fits_none, fits_none, [False] * 3]
    np.testing.assert_array_equal(found, expected)


def test_without_an_original_model_nothing_is_hard_to_learn():
    vote, suspiciousness = np.log([[0.2, 0.8]]), np.array([0.9])
    label, confident, foreign = np.array([0]), np.array([1]), np.array([False])
    found = reasons.find(vote, label, confident, suspiciousness, foreign)
    np.testing.assert_array_equal(found, [[True, False, False]])
