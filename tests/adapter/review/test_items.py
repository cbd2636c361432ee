"""What forms and summaries say of a run's items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fiftyone_dfaulo.adapter.review.items import (
    count_with_verdict,
    file_names,
    list_classes,
)
from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.adapter.review.verdicts import record_verdicts
from fiftyone_dfaulo.adapter.runs.writer import write_run


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """Five samples; the run scored all but the third."""
    dataset = make_dataset(["a", "b", None, "a", "b"])
    write_run(make_results(dataset))
    return dataset


def test_verdicts_are_counted_in_what_the_review_was_opened_with(dataset: Any) -> None:
    ids = dataset.values("id")
    record_verdicts(dataset, faulty=ids[3:], correct=ids[:1])
    for samples, faulty, correct in ((dataset, 2, 1), (dataset.limit(4), 1, 1)):
        review = open_review(samples, "dfaulo")
        assert count_with_verdict(review, "faulty") == faulty
        assert count_with_verdict(review, "correct") == correct


def test_classes_are_those_that_the_labels_have_now(dataset: Any) -> None:
    sample = dataset.first()
    sample.ground_truth.label = "z"
    sample.save()
    assert list_classes(open_review(dataset, "dfaulo")) == ["a", "b", "z"]


def test_file_names_come_in_order_and_with_the_reason(
    make_dataset: Any, make_results: Any
) -> None:
    dataset = make_dataset(["a", "b", "a"])
    first, second, third = dataset.values("id")
    results = make_results(dataset, unreadable={first: "the file is empty"})
    names = [Path(path).name for path in dataset.values("filepath")]
    dataset.delete_samples(third)
    assert file_names(results, []) == []
    assert file_names(results, [second, third, first]) == [
        names[1],
        f"{names[0]} (the file is empty)",
    ]
