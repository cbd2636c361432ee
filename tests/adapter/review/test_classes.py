"""The table of classes, worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo.adapter.results.texts import Texts, number_texts
from fiftyone_dfaulo.adapter.review.classes import (
    AlikeClasses,
    ClassReport,
    alike_classes,
    class_reports,
)
from fiftyone_dfaulo.adapter.review.state.items import ReviewState
from fiftyone_dfaulo.adapter.targets.class_labels import ClassLabels
from fiftyone_dfaulo.adapter.targets.tags.labels import MultiLabels

CHANCES = np.array([0.9, 0.5, 0.0, 0.2, 0.9, 0.7])


LOOKS = ("b", "c", "a", "b", "a", "a")


def results(kind: type, looks: Any = LOOKS) -> Any:
    numbers = {"c": 0, "b": 1, "a": 2, "d": 3}  # their order is no matter
    suggested = number_texts(numbers, looks)
    return SimpleNamespace(
        config=SimpleNamespace(target=SimpleNamespace(labels_type=kind)),
        texts=Texts(numbers, suggested[:0], suggested),
    )


def state_of(labels: Any, verdicts: Any) -> ReviewState:
    state = ReviewState.nothing(len(labels), {"c": 0, "b": 1, "a": 2, "d": 3})
    state.present[:], state.verdicts[:] = True, verdicts
    state.labels[:] = number_texts(state.numbers, labels)
    return state


def test_classes_with_the_most_faults_come_first() -> None:
    labels = np.array(["a", "a", "a", "b", "b", None], object)
    verdicts = np.array([1, -1, -1, -1, 0, -1], np.int8)
    state = state_of(labels, verdicts)
    first, second = class_reports(results(ClassLabels), state, CHANCES)
    # of a, one is found, one more looks half like c; of b, one is correct
    assert first[:3] == ("a", 3, 1)
    assert first.expected == pytest.approx(1.5)
    assert first.share == pytest.approx(0.5)
    assert first.looks_like == "b"
    assert second == ClassReport("b", 2, 0, pytest.approx(0.2), None)
    assert class_reports(results(MultiLabels), state, CHANCES) == []


def test_what_is_excluded_is_no_label_of_a_class() -> None:
    labels = np.array(["a", "a", "a", "b", "b", None], object)
    state = state_of(labels, np.array([-3, -1, -1, -1, -1, -1], np.int8))
    first, _ = class_reports(results(ClassLabels), state, CHANCES)
    assert (first.name, first.scored) == ("b", 2)


def confused(**cells: int) -> tuple[Any, Any]:
    """Labels and looks of as many items as is said of each label and look."""
    pairs = [tuple(pair) for pair, count in cells.items() for _ in range(count)]
    labels, looks = np.array(pairs, object).T
    return labels, looks


def alike(labels: Any, looks: Any, **some: int) -> list[AlikeClasses]:
    verdicts = np.full(len(labels), -1, np.int8)
    verdicts[: some.get("checked", 0)] = 0
    state = state_of(labels, verdicts)
    return alike_classes(results(ClassLabels, looks), state)


def test_classes_may_be_one_where_looks_do_not_tell_the_label() -> None:
    # a and b: of 20 each, half look like the other; c and d are seen as they are, but
    # for one of each. One class makes the first 20!20!/41! likely, two (10!10!/21!)²:
    # 2.7 times less
    labels, looks = confused(aa=10, ab=10, ba=10, bb=10, cc=20, cd=1, dc=1, dd=20, ac=1)
    found = alike(labels, looks)
    assert found == [AlikeClasses(("a", "b"), (10, 10), (20, 20))]
    assert alike(labels, looks, checked=20) == []  # what was confirmed says no more so
    # of 3 of each, 2 look like their own: 3!3!/7! is less than (11/96)²
    assert alike(*confused(aa=2, ab=1, ba=1, bb=2, cc=9)) == []
    # a is taken for c more often than for b
    assert alike(*confused(aa=10, ab=10, ba=10, bb=10, ac=11, cc=90)) == []
    # in one direction only: b is not seen at all
    assert alike(*confused(aa=50, ba=20, cc=9)) == []
    assert alike_classes(results(MultiLabels, looks), state_of(labels, -1)) == []
