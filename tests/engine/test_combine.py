"""Scores put together, on numbers computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit

from fiftyone_dfaulo.engine.combine import average, with_own_loss
from fiftyone_dfaulo.engine.result import Scores


def scores(suspiciousness: list[float], name: str) -> Scores:
    count = len(suspiciousness)
    return Scores(
        suspiciousness=np.array(suspiciousness),
        suggestion=np.arange(count),
        confidence=np.ones(count, np.float32),
        reasons=np.zeros((count, 3), bool),
        signals=np.full((count, 1), float(len(name)), np.float32),
        signal_names=(name,),
        estimated_faults=len(name),
        notes=("same", name),
    )


def test_average_is_the_geometric_mean_of_the_labels_probabilities() -> None:
    first, second = scores([0.75, 0.0, 1.0, 0.36], "a"), scores([0, 0, 1, 0], "bb")
    both = average(first, second, "f_")
    np.testing.assert_allclose(both.suspiciousness, [0.5, 0, 1, 0.2], atol=1e-9)
    assert both.signal_names == ("a", "f_bb")
    np.testing.assert_array_equal(both.signals, [[1, 2]] * 4)
    assert both.estimated_faults == 2  # 1.7
    assert both.notes == ("same", "a", "bb")


def test_own_loss_counts_as_much_as_the_heads_in_the_order() -> None:
    logits = np.log([[0.25, 0.75], [0.5, 0.5], [0.96, 0.04]])
    heads = scores([0.0, 0.5, 0.2], "a")
    one = with_own_loss(heads, logits, np.array([0, 1, 0]))
    # means of both: 0.5, 0.5 and 1 - sqrt(0.8 * 0.96) = 0.1236
    assert one.suspiciousness[0] == pytest.approx(one.suspiciousness[1])
    odds = logit(one.suspiciousness)
    assert odds[0] - odds[2] == pytest.approx(-logit(1 - np.sqrt(0.768)))
    assert one.signal_names == ("a", "loss_original")
    np.testing.assert_allclose(one.signals[:, 1], -np.log([0.25, 0.5, 0.96]), rtol=1e-5)


def test_own_loss_leaves_the_number_of_faults_to_the_heads() -> None:
    logits = np.log([[0.25, 0.75], [0.5, 0.5], [0.5, 0.5], [0.9, 0.1]])
    heads = scores([0.9, 0.8, 0.2, 0.1], "a")
    one = with_own_loss(heads, logits, np.zeros(4, int))
    assert one.suspiciousness.sum() == pytest.approx(2.0)
    assert one.estimated_faults == 2


def test_own_loss_that_is_infinite_stays_below_certainty() -> None:
    logits = np.array([[-1e9, 0.0], [0.0, 0.0]])
    one = with_own_loss(scores([0.9, 0.1], "a"), logits, np.array([0, 0]))
    assert 0.9 < one.suspiciousness[0] < 1
