"""One class or several tags an item: what is left of them, and whether it will do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fiftyone_dfaulo.adapter.targets.class_labels import ClassLabels
from fiftyone_dfaulo.adapter.targets.labels import Labels
from fiftyone_dfaulo.adapter.targets.tags.labels import MultiLabels
from fiftyone_dfaulo.errors import InputError

SOME = np.array([0, 2])


def test_classes_are_numbered_in_the_order_of_their_names() -> None:
    labels = ClassLabels.of(["b", "c", "a", "b"])

    assert labels.classes == ["a", "b", "c"]
    assert labels.numbers.tolist() == [1, 2, 0, 1]
    assert labels.numbers.dtype == np.int64
    assert labels.training_labels is labels.numbers


def test_classes_that_are_gone_are_dropped() -> None:
    left = ClassLabels.of(["b", "c", "a", "b"]).take(SOME)

    assert left.classes == ["a", "b"]
    assert left.numbers.tolist() == [1, 0]


def test_what_a_review_says_goes_with_its_items_unless_a_class_is_gone() -> None:
    labels = replace(
        ClassLabels.of(["b", "c", "a", "b"]),
        taught=np.array([0, 1, 0, 2]),
        before=np.array([1, 2, 2, 1]),
    )
    left = labels.take(np.array([0, 2, 3]))  # c is gone

    assert left.taught is not None
    assert left.before is not None
    assert [left.classes[k] for k in left.taught] == ["a", "a", "b"]
    assert [left.classes[k] for k in left.before] == ["b", "a", "b"]


@pytest.mark.parametrize(
    ("taught", "lesson"),
    [
        ("aabb", "aabb"),
        ("abbb", "abbb"),
        ("bbbb", "aabb"),  # a class keeps all that it has, rather than none
        ("bbaa", "bbaa"),
    ],
)
def test_each_class_has_something_to_learn_from(taught: str, lesson: str) -> None:
    labels = ClassLabels.of([*"aabb"])
    told = replace(labels, taught=np.array(["ab".index(one) for one in taught]))

    assert "".join(labels.classes[k] for k in told.lesson) == lesson


def test_classes_that_give_way_to_each_other_all_keep_something() -> None:
    labels = ClassLabels.of([*"abc"])
    told = replace(labels, taught=np.array([2, 0, 2]))  # b is gone, and then a

    assert told.lesson.tolist() == [0, 1, 2]


def test_tags_are_a_matrix_and_equal_sets_have_equal_numbers() -> None:
    labels = MultiLabels.of([["b", "a"], [], ["b", None], ["a", "b", "b"]])

    assert labels.classes == ["a", "b"]
    given = [[True, True], [False, False], [False, True], [True, True]]
    assert labels.given.tolist() == given
    assert labels.training_labels is labels.given
    first, empty, second, again = labels.numbers
    assert first == again
    assert len({first, empty, second}) == 3


def test_tags_that_are_gone_are_dropped() -> None:
    left = MultiLabels.of([["b"], ["a"], ["c", "b"]]).take(SOME)

    assert left.classes == ["b", "c"]
    assert left.given.tolist() == [[True, False], [True, True]]


@pytest.mark.parametrize(
    "labels",
    [ClassLabels.of(["b", "c", "a", "b"]), MultiLabels.of([["b"], ["a"], ["c", "b"]])],
)
def test_the_classes_that_occur_are_those_that_are_left(labels: Labels) -> None:
    for index in (SOME, np.array([1])):
        kept = [labels.classes[k] for k in labels.occurring(index)]
        assert kept == labels.take(index).classes


@pytest.mark.parametrize(
    ("labels", "comparable"),
    [
        (ClassLabels.of(["a", "b"]), True),
        (ClassLabels.of(["a", "a"]), False),
        (ClassLabels.of(["a", "b"]).take(np.empty(0, np.int64)), False),
        (MultiLabels.of([["a"], ["a", "b"]]), True),
        (MultiLabels.of([["a"], []]), True),
        (MultiLabels.of([["a"], ["a"]]), False),
        (MultiLabels.of([[], []]), False),
        (MultiLabels.of([["a"], ["b"]]).take(np.empty(0, np.int64)), False),
    ],
)
def test_labels_that_are_all_the_same_cannot_be_compared(
    labels: Labels, comparable: bool
) -> None:
    assert labels.comparable is comparable


def test_logits_serve_classes_and_not_tags() -> None:
    names = ["b", "a"]
    classes, tags = ClassLabels.of(names), MultiLabels.of([[one] for one in names])

    columns = classes.match_logits(2, given=None, stated=names).columns
    assert columns is not None
    assert columns.tolist() == [1, 0]
    assert tags.match_logits(2, given=None, stated=names) == (None, None)
    with pytest.raises(InputError, match="lacks 1 of the 2 classes"):
        classes.match_logits(2, given=["a", "x"], stated=None)
