"""The verdicts of one run go on in another run on the same labels."""

from __future__ import annotations

from typing import Any

import pytest

from fiftyone_dfaulo import (
    InputError,
    RunError,
    apply_suggestions,
    carry_verdicts,
    record_verdicts,
)
from fiftyone_dfaulo.adapter.review.carrying import newest_review
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.adapter.targets.sample import SampleTarget


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """Two runs on a, b, None, a, b, a, of which the first has been reviewed."""
    dataset = make_dataset(["a", "b", None, "a", "b", "a"])
    write_run(make_results(dataset))
    ids = dataset.values("id")
    record_verdicts(dataset, faulty=ids[:2], correct=ids[3:4], by="Ada")
    record_verdicts(dataset, faulty=ids[4:5])
    write_run(make_results(dataset, "new"))
    return dataset


def test_verdicts_are_carried_and_named_as_such(dataset: Any) -> None:
    assert carry_verdicts(dataset, "new", source="dfaulo") == 4
    assert dataset.values("new_verdict") == dataset.values("dfaulo_verdict")
    (entry,) = dataset.first().new_history
    assert (entry["verdict"], entry["by"]) == ("faulty", "Ada")
    assert entry["source"] == "dfaulo"
    assert "source" not in dataset.first().dfaulo_history[0]
    assert carry_verdicts(dataset, "new", source="dfaulo") == 0


def test_a_verdict_on_a_label_that_has_changed_since_is_not_carried(
    dataset: Any,
) -> None:
    ids = dataset.values("id")
    apply_suggestions(dataset, ids=ids[:1])
    sample = dataset[ids[1]]
    sample.ground_truth.label = "mine"
    sample.save()
    assert carry_verdicts(dataset, "new", source="dfaulo") == 2
    assert dataset.values("new_verdict")[:2] == [None, None]


def test_who_was_unsure_is_so_in_the_next_run_and_what_was_excluded_stays_out(
    dataset: Any,
) -> None:
    ids = dataset.values("id")
    record_verdicts(dataset, unsure=ids[:2], exclude=ids[3:5], by="Ada")
    for one in (ids[1], ids[4]):
        sample = dataset[one]
        sample.ground_truth.label = "mine"
        sample.save()
    assert carry_verdicts(dataset, "new", source="dfaulo") == 3
    # of the edited labels, only that does not matter which does not belong here
    expected = ["unsure", None, None, "exclude", "exclude", None]
    assert dataset.values("new_verdict") == expected
    assert dataset[ids[3]].new_history[-1]["by"] == "Ada"


def test_a_verdict_that_was_given_here_stays(dataset: Any) -> None:
    record_verdicts(dataset, "new", correct=dataset.first().id)
    assert carry_verdicts(dataset, "new", source="dfaulo") == 3
    assert dataset.first().new_verdict == "correct"


def test_the_newest_run_that_has_verdicts_is_found(
    dataset: Any, make_results: Any
) -> None:
    target = SampleTarget("ground_truth")
    assert newest_review(dataset, target, "newer") == "dfaulo"
    assert newest_review(dataset, target, "dfaulo") is None
    assert newest_review(dataset, SampleTarget("other"), "newer") is None
    record_verdicts(dataset, "new", correct=dataset.first().id)
    assert newest_review(dataset, target, "newer") == "new"
    dataset.delete_sample_field("new_suspiciousness")
    assert newest_review(dataset, target, "newer") == "dfaulo"


def test_runs_on_other_labels_and_missing_runs_are_refused(
    dataset: Any, make_results: Any, unchanged: Any
) -> None:
    check_same = unchanged(dataset)
    with pytest.raises(RunError, match="no brain run 'nothing'"):
        carry_verdicts(dataset, "new", source="nothing")
    check_same()
    dataset.clone_sample_field("ground_truth", "other")
    results = make_results(dataset, "third")
    results.config.label_field = "other"
    results.config.label_target = SampleTarget("other").to_dict()
    write_run(results)
    with pytest.raises(InputError, match="pass two runs on the same labels"):
        carry_verdicts(dataset, "third", source="dfaulo")
