"""Labels that are no text, and classes without a name."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo.adapter.corrections.apply import apply_suggestions
from fiftyone_dfaulo.adapter.corrections.revert import revert_suggestions
from fiftyone_dfaulo.adapter.reading.labels import read_labels
from fiftyone_dfaulo.adapter.results.multi_label import Change, join_classes
from fiftyone_dfaulo.adapter.review.status import review_status
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.adapter.scoring.compute import compute_suspiciousness
from fiftyone_dfaulo.errors import InputError
from tests.adapter.conftest import contents
from tests.tagged import as_tags

NAN = float("nan")


@pytest.mark.parametrize(
    ("odd", "shown"),
    [
        ([1, 2, 1, 2], "4 labels .*: 1 .int"),
        ([0.5, 2.0, None, 0.5], r"3 labels .*: 0\.5 .float"),
        (["a", "b", NAN, "b"], "1 labels .*: nan .float"),
        (["a", True, None, 3], "2 labels .*: True .bool"),
    ],
)
def test_what_is_no_text_is_refused_and_named(
    make_dataset: Any, odd: list[Any], shown: str
) -> None:
    dataset = make_dataset(["a", "b", "a", "b"])
    # FiftyOne itself refuses these unless it is told not to look
    dataset.set_values("ground_truth.label", odd, validate=False)
    before = repr(contents(dataset))  # as text: NaN does not equal itself
    with pytest.raises(InputError, match=f"{shown}.*; store labels as text"):
        compute_suspiciousness(dataset, progress=False)
    assert repr(contents(dataset)) == before


def test_of_objects_and_of_several_labels_too(make_dataset: Any) -> None:
    dataset = make_dataset(["a", "b"])
    boxes = [fo.Detection(label="a", bounding_box=[0, 0, 1, 1]) for _ in range(4)]
    pairs = [fo.Detections(detections=boxes[n : n + 2]) for n in (0, 2)]
    dataset.set_values("boxes", pairs)
    dataset.set_values("boxes.detections.label", [["a", 1]] * 2, validate=False)
    with pytest.raises(InputError, match="2 labels in 'boxes' are no text"):
        read_labels(dataset, "boxes")
    dataset.set_values("many", [as_tags("ab") for _ in range(2)])
    dataset.set_values("many.classifications.label", [["a", 1]] * 2, validate=False)
    with pytest.raises(InputError, match="2 labels in 'many' are no text"):
        read_labels(dataset, "many")


def test_none_is_no_label(make_dataset: Any) -> None:
    dataset = make_dataset(["a", "b", "a", "b"])
    dataset.set_values("ground_truth.label", ["a", None, "b", "b"])
    labelled = read_labels(dataset, "ground_truth")
    assert labelled.unlabeled == dataset.values("id")[1:2]
    assert labelled.classes == ["a", "b"]


def test_a_class_without_a_name_is_one(make_dataset: Any, make_results: Any) -> None:
    dataset = make_dataset(["", "b", "", "b"])
    results = make_results(dataset)
    assert results.classes == ["", "b"]
    write_run(results)
    second = dataset.values("id")[1]
    done = apply_suggestions(dataset, ids=[second])
    assert (done.applied, done.skipped) == (1, {})
    assert dataset.values("ground_truth.label") == ["", "", "", "b"]
    assert revert_suggestions(dataset).reverted == 1
    assert dataset.values("ground_truth.label") == ["", "b", "", "b"]


def test_among_several_labels_it_is_another_set_than_no_label(
    make_dataset: Any,
) -> None:
    dataset = make_dataset(["a"] * 12)
    names = [["", "a"], ["a"], [""], []] * 3
    dataset.set_values("many", [as_tags(some) for some in names])
    rng = np.random.default_rng(51)
    vectors = [[9.0 * ("" in s), 9.0 * ("a" in s)] + rng.normal(size=2) for s in names]
    dataset.set_values("emb", vectors)
    found = compute_suspiciousness(dataset, "many", embeddings="emb", progress=False)
    assert list(found.label_texts()[:4]) == ['"", a', "a", '""', ""]
    assert review_status(dataset).stale == 0

    dataset.set_values("many", {dataset.values("id")[2]: as_tags([])}, key_field="id")

    assert review_status(dataset).stale_ids == dataset.values("id")[2:3]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        ([""], '""'),
        (["b", "a", None, "a"], "a, b"),
        (["a, b"], '"a, b"'),
        (['"a, b"'], r'"\"a, b\""'),
        (["a,b"], "a,b"),
    ],
)
def test_no_two_sets_of_classes_have_one_text(names: Any, text: str) -> None:
    assert join_classes(names) == text


def test_a_change_names_classes_in_the_same_way() -> None:
    change = Change(remove=("", "a"), add=("b, add c",))
    assert str(change) == 'remove "", remove a, add "b, add c"'


def test_but_none_to_be_given_by_hand(make_dataset: Any, make_results: Any) -> None:
    dataset = make_dataset(["a", "b"])
    write_run(make_results(dataset))
    with pytest.raises(InputError, match="label='' is no class"):
        apply_suggestions(dataset, ids=dataset.values("id"), label="")
