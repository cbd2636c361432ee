"""Objects that were counted twice, by overlaps alone."""

from __future__ import annotations

import numpy as np
import pytest

from fiftyone_dfaulo.engine.boxes.doubles import with_doubles
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes
from fiftyone_dfaulo.engine.scores import Scores
from tests.boxes import planted


def classes_alone(suspiciousness: np.ndarray) -> Scores:
    count = len(suspiciousness)
    none = np.zeros((count, 1))
    return Scores(
        suspiciousness,
        np.zeros(count, np.int64),
        np.ones(count, np.float32),
        none.astype(bool),
        none.astype(np.float32),
        ("loss",),
        np.full(count, -1),
        round(float(suspiciousness.sum())),
    )


def test_two_boxes_of_one_class_around_one_thing() -> None:
    box, apart = [0.1, 0.1, 0.2, 0.2], [0.6, 0.6, 0.2, 0.2]
    boxes = Boxes(np.array([0, 0, 0, 1, 1, 2]), np.array([box, box, apart] + 3 * [box]))
    labels = np.array([0, 0, 0, 0, 1, 0])
    before = classes_alone(np.array([0.5, 0.2, 0.0, 0.0, 0.0, 0.0]))
    found = with_doubles(before, boxes, labels)

    # the first is the likelier fault of the two; other classes and images do not count
    assert found.suspiciousness == pytest.approx([1, 0.2, 0, 0, 0, 0])
    assert found.reasons[:, 1].tolist() == [True, *[False] * 5]
    assert found.more_reasons == ("counted twice",)
    assert found.estimated_faults == 1
    assert found.notes == ("About 1 object was probably counted twice.",)


def test_planted_ones_are_told_from_others_and_counted() -> None:
    given, _, _ = planted(1500, 5)
    before = classes_alone(np.zeros(len(given.labels)))
    boxes = Boxes(given.images, given.boxes)
    twice = with_doubles(before, boxes, given.labels).suspiciousness
    second = np.flatnonzero(given.kinds == 3)
    pairs = np.maximum(twice[second], twice[given.twin[second]])

    assert (pairs > 0.9).mean() > 0.9
    assert twice.sum() == pytest.approx(len(second), rel=1 / 3)
