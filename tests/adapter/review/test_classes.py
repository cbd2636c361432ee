"""The table of classes, worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo.adapter.review.classes import ClassReport, class_reports
from fiftyone_dfaulo.adapter.review.state import ReviewState
from fiftyone_dfaulo.adapter.targets.labels import ClassLabels
from fiftyone_dfaulo.adapter.targets.multilabels import MultiLabels

CHANCES = np.array([0.9, 0.5, 0.0, 0.2, 0.9, 0.7])


def results(kind: type) -> Any:
    looks = np.array(["b", "c", "a", "b", "a", "a"], object)
    return SimpleNamespace(
        config=SimpleNamespace(target=SimpleNamespace(labels_type=kind)),
        suggestion_texts=lambda: looks,
    )


def test_classes_with_the_most_faults_come_first() -> None:
    labels = np.array(["a", "a", "a", "b", "b", None], object)
    verdicts = np.array([1, -1, -1, -1, 0, -1], np.int8)
    state = ReviewState(
        np.ones(6, bool),
        CHANCES,
        verdicts,
        labels,
        np.zeros(6, bool),
        np.zeros(6, "S12"),
    )
    first, second = class_reports(results(ClassLabels), state, CHANCES)
    # of a, one is found, one more looks half like c; of b, one is correct
    assert first[:3] == ("a", 3, 1)
    assert first.expected == pytest.approx(1.5)
    assert first.share == pytest.approx(0.5)
    assert first.looks_like == "b"
    assert second == ClassReport("b", 2, 0, pytest.approx(0.2), None)
    assert class_reports(results(MultiLabels), state, CHANCES) == []
