"""What is said of our scores' truth, on scores made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from bench import calibration
from bench.cases import Case
from bench.methods import Subject
from bench.outputs import Outputs

from fiftyone_dfaulo.engine.feedback.estimate import estimate_faults
from fiftyone_dfaulo.engine.scores import Scores


def subject_and_scores():
    truth = np.array([0, 0, 1, 1, -1, 0])
    labels = np.array([0, 1, 1, 0, 1, 1])
    nothing = np.zeros((6, 0), np.float32)
    logits = np.eye(2)[[0, 0, 1, 0, 1, 1]]
    outputs = Outputs(
        embeddings=nothing,
        logits=logits,
        views=nothing,
        views_logits=logits,
        learning=logits,
        appearance=nothing,
        epochs=logits[None],
        seconds=np.float64(0),
    )
    case = Case("hand-made", np.zeros((6, 1, 1)), labels, truth != labels, truth)
    scores = Scores(
        suspiciousness=np.array([0.0, 0.95, 0.2, 0.6, 1.0, 0.05]),
        suggestion=np.array([0, 0, 1, 1, 1, 1]),
        confidence=np.ones(6, np.float32),
        reasons=np.array(
            [[0] * 4, [1, 0, 1, 1], [0] * 4, [1, 0, 0, 0], [0, 1, 0, 0], [0] * 4]
        )
        == 1,
        signals=nothing,
        signal_names=(),
        near_duplicate_of=np.full(6, -1),
        estimated_faults=3,
    )
    return Subject(case, outputs, 0), scores


def test_each_figure_is_counted():
    found = calibration.look(*subject_and_scores())
    assert found.faults == 4
    unchecked = np.full(6, -1, np.int8)
    shown = estimate_faults(subject_and_scores()[1].suspiciousness, unchecked)
    assert (found.low, found.estimated, found.high) == (
        shown.low,
        shown.count,
        shown.high,
    )
    # wrong labels are the samples 1, 3 and 5; the suggestion is right for 1 and 3
    assert found.suggested == pytest.approx(2 / 3)
    assert found.argmax == pytest.approx(1 / 3)
    bins = [[0.05, 1, 2], [0.2, 0, 1], [0] * 3, [0.6, 1, 1], [0] * 3, [1.95, 2, 2]]
    np.testing.assert_allclose(found.bins, bins)
    assert found.reasons.tolist() == [[2, 2, 0], [1, 0, 1], [1, 1, 0], [1, 1, 0]]


def test_the_tables_hold_every_case_and_reason():
    found = calibration.look(*subject_and_scores())
    found = replace(found, estimated=2.6, low=1.0, high=4.0)
    beside = replace(found, high=3.9)
    text = "\n".join(calibration.tables({"one": [found, beside]}))
    assert "| one | 4 | 3, 3 | 1 of 2 | 0.667 | 0.333 |" in text
    assert "0.03, 0.50 (4)" in text
    assert "| fits no class | 2 | 0% | 100% |" in text
    assert "| near duplicate has another label | 2 | 100% | 0% |" in text


def test_the_calibration_error_is_the_gap_weighed_by_samples():
    # gaps .1 of 2 samples, .5 of 1, and an empty bin: (.2 + .5) / 3
    bins = np.array([[0.2, 0.0, 2], [0.5, 1.0, 1], [0, 0, 0]])
    assert calibration.calibration_error(bins) == pytest.approx(0.7 / 3)
