"""Scores put together, on numbers computed by hand."""

from __future__ import annotations

import numpy as np

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
    both = average(scores([0.75, 0.0, 1.0], "a"), scores([0.0, 0.0, 1.0], "bb"), "f_")
    np.testing.assert_allclose(both.suspiciousness, [0.5, 0.0, 1.0], atol=1e-9)
    assert both.signal_names == ("a", "f_bb")
    np.testing.assert_array_equal(both.signals, [[1, 2]] * 3)
    assert both.estimated_faults == 2
    assert both.notes == ("same", "a", "bb")


def test_own_loss_counts_as_much_as_the_heads() -> None:
    logits = np.log([[0.25, 0.75], [0.5, 0.5]])
    one = with_own_loss(scores([0.0, 0.5], "a"), logits, np.array([0, 1]))
    np.testing.assert_allclose(one.suspiciousness, [0.5, 0.5])


def test_own_loss_that_is_infinite_stays_below_certainty() -> None:
    logits = np.array([[-1e9, 0.0], [0.0, 0.0]])
    one = with_own_loss(scores([0.0, 0.0], "a"), logits, np.array([0, 0]))
    assert 0.99 < one.suspiciousness[0] < 1
