"""Classes are paired with those that they are taken for."""

from __future__ import annotations

import numpy as np

from fiftyone_dfaulo.engine.injection.class_pairs import nearest_pairs, rank_pairs


def test_classes_are_ranked_by_the_share_that_is_taken_for_one_other() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 3])
    seen = np.array([1, 1, 2, 0, 0, 1, 2, 0])
    # 0: half of it for 1; 1: half for 0; 2 for none; 3: all of it for 0
    assert rank_pairs(labels, seen, 4) == [(3, 0), (0, 1), (1, 0), (2, 3)]
    assert rank_pairs(labels, labels, 4) == [(0, 1), (1, 2), (2, 3), (3, 0)]


def test_the_class_nearest_to_another_ones_mean_comes_first() -> None:
    # means at 0, 10 and 12 of a line; the samples of class 1 lie nearest to another
    embeddings = np.array([[-1.0, 5], [1, 5], [10, 5], [10, 5], [11, 5], [13, 5]])
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert nearest_pairs(embeddings, labels) == [(1, 2), (2, 1), (0, 1)]
