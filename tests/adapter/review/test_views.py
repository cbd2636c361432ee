"""Which samples a view shows, and in which order."""

from __future__ import annotations

from typing import Any

import fiftyone.brain as fob
import numpy as np
import pytest

from fiftyone_dfaulo.adapter.review.views import suspicious_view
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.errors import InputError, RunError


@pytest.fixture(scope="module")
def dataset(make_shared_dataset: Any, make_results: Any) -> Any:
    """Six samples; the run scored the labelled ones 0.0, 0.1, 0.2, 0.3, 0.4."""
    dataset = make_shared_dataset(["a", "b", None, "a", "b", "a"])
    write_run(make_results(dataset))
    return dataset


def numbers(view: Any) -> list[int]:
    """The samples of a view by the numbers that their files are named by."""
    return [int(path[-8:-4]) for path in view.values("filepath")]


def test_scored_samples_come_most_suspicious_first(dataset: Any) -> None:
    assert numbers(suspicious_view(dataset)) == [5, 4, 3, 1, 0]


def test_limit_shows_the_most_suspicious(dataset: Any) -> None:
    assert numbers(suspicious_view(dataset, limit=2)) == [5, 4]
    assert numbers(suspicious_view(dataset, limit=np.int64(1))) == [5]


def test_the_least_suspiciousness_is_included(dataset: Any) -> None:
    assert numbers(suspicious_view(dataset, min_suspiciousness=0.3)) == [5, 4]
    assert numbers(suspicious_view(dataset, min_suspiciousness=1)) == []


def test_reviewed_samples_can_be_left_out(dataset: Any) -> None:
    ids = dataset.values("id")
    verdicts = {ids[5]: "faulty", ids[3]: "correct"}
    dataset.set_values("dfaulo_verdict", verdicts, key_field="id")

    assert numbers(suspicious_view(dataset, unreviewed=True)) == [4, 1, 0]
    dataset.set_values("dfaulo_verdict", [None] * 6)


def test_of_a_view_only_its_own_samples_are_shown(dataset: Any) -> None:
    assert numbers(suspicious_view(dataset[:4])) == [3, 1, 0]


def test_a_view_without_the_field_is_refused(dataset: Any) -> None:
    with pytest.raises(InputError, match="left out of this view"):
        suspicious_view(dataset.select_fields("tags"))


def test_the_index_is_used(dataset: Any) -> None:
    view = suspicious_view(dataset, limit=2, min_suspiciousness=0.1)

    plan = dataset._sample_collection.database.command(
        "explain",
        {
            "aggregate": dataset._sample_collection_name,
            "pipeline": view._pipeline(),
            "cursor": {},
        },
    )

    assert "'stage': 'IXSCAN'" in str(plan)
    assert "'stage': 'SORT'" not in str(plan)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "0.5"])
def test_a_least_suspiciousness_out_of_range_is_refused(
    dataset: Any, value: Any
) -> None:
    with pytest.raises(InputError, match=f"min_suspiciousness={value!r}"):
        suspicious_view(dataset, min_suspiciousness=value)


@pytest.mark.parametrize("value", [0, -1, 2.5, "2", True])
def test_a_limit_that_is_no_whole_number_is_refused(dataset: Any, value: Any) -> None:
    with pytest.raises(InputError, match=f"limit={value!r}"):
        suspicious_view(dataset, limit=value)


def test_a_missing_run_is_answered_with_those_there_are(dataset: Any) -> None:
    with pytest.raises(RunError, match="no brain run 'other'.* runs: 'dfaulo'"):
        suspicious_view(dataset, "other")


def test_before_any_run_it_says_what_to_do(make_dataset: Any) -> None:
    with pytest.raises(RunError, match="none yet. Run compute_suspiciousness first"):
        suspicious_view(make_dataset(["a", "b"]))


def test_another_type_of_run_is_refused(dataset: Any) -> None:
    fob.compute_similarity(dataset, embeddings=np.eye(6), brain_key="sim")

    with pytest.raises(RunError, match="'sim' is of type 'similarity'"):
        suspicious_view(dataset, "sim")
    dataset.delete_brain_run("sim")


def test_a_deleted_field_is_named(dataset: Any) -> None:
    dataset = dataset.clone()
    dataset.delete_sample_field("dfaulo_verdict")
    with pytest.raises(RunError, match="'dfaulo_verdict' .* was deleted"):
        suspicious_view(dataset, unreviewed=True)
    assert numbers(suspicious_view(dataset, limit=1)) == [5]

    dataset.delete_sample_field("dfaulo_suspiciousness")
    with pytest.raises(RunError, match="'dfaulo_suspiciousness' .* was deleted"):
        suspicious_view(dataset)
    dataset.delete()
