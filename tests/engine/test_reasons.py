"""Each reason on a sample made for it."""

import numpy as np

from fiftyone_dfaulo.engine import reasons


def test_each_reason_says_what_its_name_says():
    vote = np.log([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.34, 0.33, 0.33]])
    labels = np.zeros(3, int)
    confident = np.array([0, 1, -1])
    original = np.log([[0.9, 0.05, 0.05], [0.9, 0.05, 0.05], [0.2, 0.4, 0.4]])
    found = reasons.find(vote, labels, confident, original)
    expected = [[False] * 3, [True, False, False], [False, True, True]]
    np.testing.assert_array_equal(found, expected)


def test_without_an_original_model_nothing_is_hard_to_learn():
    vote = np.log([[0.2, 0.8]])
    found = reasons.find(vote, np.array([0]), np.array([1]))
    np.testing.assert_array_equal(found, [[True, False, False]])
