"""What a correction would change is told in groups, and each can be chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo import (
    InputError,
    apply_suggestions,
    preview_corrections,
    record_verdicts,
    revert_suggestions,
)
from fiftyone_dfaulo.adapter.runs.writer import write_run


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """All are marked faulty but the last: a, b and c look like the next class.

    But for one a, which looks like a.
    """
    dataset = make_dataset(["a", "b", None, "a", "c", "a", "b"])
    results = make_results(dataset)
    results.suggestions = np.array([1, 2, 1, 0, 0, 2])
    write_run(results)
    ids = dataset.values("id")
    record_verdicts(dataset, faulty=[ids[n] for n in (0, 1, 3, 4, 5)])
    return dataset


def labels(dataset: Any) -> list[str | None]:
    dataset.reload()
    return dataset.values("ground_truth.label")


def test_groups_are_told_before_anything_is_written(
    dataset: Any, unchanged: Any
) -> None:
    ids, check_same = dataset.values("id"), unchanged(dataset)
    preview = preview_corrections(dataset)
    assert str(preview).splitlines() == [
        "4 labels would change, 1 would not",
        "      2  a -> b",
        "      1  b -> c",
        "      1  c -> a",
        "      1  a (stays: its label is 'a' already)",
    ]
    assert preview.groups[0].ids == [ids[0], ids[3]]
    assert preview.groups[0].pair == ("a", "b")
    check_same()
    done = apply_suggestions(dataset)
    assert done.applied == preview.changed
    assert list(done.skipped) == preview.groups[-1].ids
    assert labels(dataset) == ["b", "c", None, "b", "a", "a", "b"]


def test_a_group_gets_the_class_that_is_chosen_or_stays(dataset: Any) -> None:
    classes = {("a", "b"): "c", ("b", "c"): None, ("a", "a"): "b"}
    preview = preview_corrections(dataset, classes=classes)
    assert [str(group) for group in preview.groups] == [
        "a -> c",
        "a -> b",
        "c -> a",
        "b (stays: it was chosen to stay as it is)",
    ]
    done = apply_suggestions(dataset, classes=classes)
    assert done.applied == 4
    assert labels(dataset) == ["c", "b", None, "c", "a", "b", "b"]
    revert_suggestions(dataset)
    assert labels(dataset) == ["a", "b", None, "a", "c", "a", "b"]


def test_a_class_that_does_not_exist_is_set_only_if_it_is_meant(
    dataset: Any, unchanged: Any
) -> None:
    check_same = unchanged(dataset)
    classes = {("a", "b"): "cc"}
    assert preview_corrections(dataset, classes=classes).new_classes == ["cc"]
    with pytest.raises(InputError, match=r"add_classes=True .* pass 'c' if that was"):
        apply_suggestions(dataset, classes=classes)
    with pytest.raises(InputError, match="'cc' is no class of 'ground_truth' yet"):
        apply_suggestions(dataset, ids=dataset.first().id, label="cc")
    check_same()
    apply_suggestions(dataset, classes=classes, add_classes=True)
    assert labels(dataset)[:4] == ["cc", "c", None, "cc"]
    assert preview_corrections(dataset, classes={}).new_classes == []


def test_a_class_that_the_dataset_declares_exists(dataset: Any) -> None:
    dataset.classes = {"ground_truth": ["a", "b", "c", "rare"]}
    dataset.save()
    apply_suggestions(dataset, ids=dataset.first().id, label="rare")
    assert labels(dataset)[0] == "rare"


def test_to_correct_a_selection_is_a_verdict(dataset: Any) -> None:
    last = dataset.last()
    assert last.dfaulo_verdict is None
    record_verdicts(dataset, correct=[last.id])
    apply_suggestions(dataset, ids=[last.id, dataset.first().id], by="Ada")
    assert last.dfaulo_verdict == "faulty"
    assert [e["verdict"] for e in last.dfaulo_history] == ["correct", "faulty"]
    assert last.dfaulo_history[-1]["by"] == "Ada"
    assert len(dataset.first().dfaulo_history) == 1


def test_what_is_skipped_gets_no_verdict(dataset: Any) -> None:
    last = dataset.last()
    done = apply_suggestions(dataset, ids=[last.id], classes={("b", "c"): None})
    assert done.applied == 0
    assert last.dfaulo_verdict is None


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"classes": {("a", "z"): "b"}}, "pair .'a', 'z'., which none of these"),
        ({"classes": {"a": "b"}}, "takes a dict of pairs"),
        ({"classes": {("a", "b"): " "}}, "is no class"),
        ({"classes": {}, "label": "b", "ids": []}, "both given"),
    ],
)
@pytest.mark.parametrize("function", [apply_suggestions, preview_corrections])
def test_choices_that_cannot_be_meant_are_refused(
    dataset: Any, unchanged: Any, function: Any, wish: Any, message: str
) -> None:
    check_same = unchanged(dataset)
    with pytest.raises(InputError, match=message):
        function(dataset, **wish)
    check_same()
