"""Which samples are tagged."""

from __future__ import annotations

from typing import Any

import pytest

from fiftyone_dfaulo.adapter.review.tagging import tag_suspicious
from fiftyone_dfaulo.adapter.review.verdicts import record_verdicts
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.errors import InputError, RunError


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """Five samples; the run scored all but the third: 0.0, 0.1, 0.2, 0.3."""
    dataset = make_dataset(["a", "b", None, "a", "b"])
    write_run(make_results(dataset))
    return dataset


def tagged(dataset: Any, tag: str = "relabel") -> list[int]:
    return [n for n, tags in enumerate(dataset.values("tags")) if tag in tags]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"top": 2}, [3, 4]),
        ({"top": 99}, [0, 1, 3, 4]),
        ({"fraction": 0.3}, [3, 4]),
        ({"fraction": 1}, [0, 1, 3, 4]),
        ({"min_suspiciousness": 0.1}, [1, 3, 4]),
        ({"verdict": "faulty"}, []),
    ],
)
def test_rank_share_and_score_pick_samples(
    dataset: Any, choice: Any, expected: list[int]
) -> None:
    assert tag_suspicious(dataset, **choice) == len(expected)
    assert tagged(dataset) == expected


def test_verdicts_pick_and_correct_ones_are_passed_over(dataset: Any) -> None:
    ids = dataset.values("id")
    record_verdicts(dataset, faulty=[ids[0]], correct=[ids[4]])
    assert tag_suspicious(dataset, top=1) == 1
    assert tagged(dataset) == [3]
    tag_suspicious(dataset, verdict="faulty", tag="bad")
    assert tagged(dataset, "bad") == [0]


def test_tagging_again_and_a_saved_view(dataset: Any) -> None:
    sample = dataset.last()
    for _ in range(2):
        assert tag_suspicious(dataset[3:], top=9, save_view="todo") == 2
    assert sample.tags == ["relabel"]
    assert len(dataset.load_saved_view("todo")) == 2


@pytest.mark.parametrize("name", ["要修正", "To Do"])
def test_a_name_that_no_view_can_have_changes_nothing(
    dataset: Any, name: str, unchanged: Any
) -> None:
    dataset.save_view("to do", dataset.limit(1))
    check = unchanged(dataset)
    with pytest.raises(InputError, match="cannot be the name"):
        tag_suspicious(dataset, top=1, save_view=name)
    check()


def test_another_saved_view_is_never_replaced(dataset: Any, unchanged: Any) -> None:
    dataset.save_view("todo", dataset[:1])
    check = unchanged(dataset)
    with pytest.raises(InputError, match="'todo' is the name of another saved view"):
        tag_suspicious(dataset, top=1, save_view="todo")
    check()
    assert len(dataset.load_saved_view("todo")) == 1


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"top": 1, "verdict": "faulty"},
        {"top": 0},
        {"top": 1.5},
        {"top": True},
        {"fraction": 0},
        {"fraction": 1.1},
        {"min_suspiciousness": float("nan")},
        {"min_suspiciousness": "1"},
        {"verdict": "x"},
        {"top": 1, "tag": " "},
        {"top": 1, "tag": None},
        {"top": 1, "save_view": ""},
    ],
)
def test_bad_arguments_change_nothing(dataset: Any, unchanged: Any, bad: Any) -> None:
    check = unchanged(dataset)
    with pytest.raises(InputError):
        tag_suspicious(dataset, **bad)
    check()


def test_without_a_run_or_field_it_says_so(dataset: Any) -> None:
    with pytest.raises(RunError, match="no brain run 'other'"):
        tag_suspicious(dataset, "other", top=1)
    dataset.delete_sample_field("dfaulo_suspiciousness")
    with pytest.raises(RunError, match="was deleted"):
        tag_suspicious(dataset, top=1)
