"""Features are the paper's, in its order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fiftyone_dfaulo.engine.paper import features, subsets
from tests.engine.paper.stand_ins import Array


def test_features_are_in_the_papers_order() -> None:
    def logits(p: float) -> Array:
        return np.log(np.array([[p, 1 - p]], dtype=np.float64))

    models = [logits(p) for p in (0.1, 0.2, 0.3, 0.4)]
    flags = np.array([[True, False, True]])
    (row,) = features.sample_features(models, np.array([1]), flags)

    def loss(p: float) -> float:
        return math.log(math.exp(p) + math.exp(1 - p)) - (1 - p)

    expected = [0.1, 0.9, 0, 1, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6, 1, 0, 1]
    expected += [loss(p) for p in (0.1, 0.2, 0.3, 0.4)]
    assert row.dtype == np.float32
    assert row == pytest.approx(expected, rel=1e-6)


def test_feature_names_are_in_the_order_of_the_features() -> None:
    assert features.feature_names(2) == (
        *("softmax[0]", "softmax[1]", "label[0]", "label[1]"),
        *("input_softmax[0]", "input_softmax[1]"),
        *("activation_softmax[0]", "activation_softmax[1]"),
        *("loss_softmax[0]", "loss_softmax[1]"),
        *("input_flag", "activation_flag", "loss_flag"),
        *("loss", "input_loss", "activation_loss", "loss_loss"),
    )
    assert len(features.feature_names(100)) == 507


def test_noise_is_claimed_to_be_each_class_with_all_flags_set() -> None:
    logits = [np.array([[m, 0, -1]], dtype=np.float32) for m in range(4)]
    rows = features.noise_features(logits, 3)
    assert rows.shape == (3, 22)
    assert (rows[:, 3:6] == np.eye(3)).all()
    assert (rows[:, 15:18] == 1).all()
    assert (rows[0, :3] == rows[2, :3]).all()
    found = rows[:, 18:]
    expected = [
        subsets.double_softmax_loss(np.repeat(each, 3, axis=0), np.arange(3))
        for each in logits
    ]
    assert found == pytest.approx(np.transpose(expected), rel=1e-6)
