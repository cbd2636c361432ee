"""What a result says, and that it survives the database."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bson import ObjectId, json_util

from fiftyone_dfaulo.adapter.results.base import DFauLoResults

LABELS = ["a", "b", "a", None, "c"]


@pytest.fixture
def results(make_dataset: Any, make_results: Any) -> DFauLoResults:
    made: DFauLoResults = make_results(
        make_dataset(LABELS),
        suggestions=np.array([1, 0, 1, 2]),
        unreadable={"6b0506865c5b74bca08aa1e3": "the file is empty"},
        notes=["class 'c' has one sample"],
    )
    return made


def test_the_summary_counts_and_names_the_most_confused_pair(
    results: DFauLoResults,
) -> None:
    estimate = results.estimate()
    assert results.summary() == {
        "scored": 4,
        "unlabeled": 1,
        "unreadable": 1,
        "vanished": 0,
        "estimated_faults": round(estimate.count),
        "faults_low": round(estimate.low),
        "faults_high": round(estimate.high),
        "most_confused": ("a", "b", 2),
        "notes": ["class 'c' has one sample"],
    }


def test_printed_it_says_the_same_in_words(results: DFauLoResults) -> None:
    results.suspiciousness = np.full(4, 0.5)

    assert str(results).splitlines() == [
        "4 samples scored, about 2 of them probably faults (0 to 4; "
        "brain run 'dfaulo')",
        "left out: 1 that have no label",
        "left out: 1 that could not be read",
        "most confused: a that look like b (2)",
        "class 'c' has one sample",
    ]


def test_no_pair_is_confused_where_all_suggestions_agree(
    results: DFauLoResults,
) -> None:
    results.suggestions = results.labels

    assert results.summary()["most_confused"] is None
    assert "confused" not in str(results)


def test_samples_that_are_gone_move_to_vanished(results: DFauLoResults) -> None:
    first, second, third, fourth = results.ids
    results.near_duplicates = {first: fourth, fourth: first, second: first}

    results.drop_vanished({first, fourth})

    assert results.ids == [first, fourth]
    assert results.vanished == [second, third]
    assert results.labels.tolist() == [0, 2]
    assert results.suspiciousness.tolist() == [0.0, 0.3]
    assert results.signals.shape == (2, 2)
    assert results.estimate().high <= 2
    assert results.near_duplicates == {first: fourth, fourth: first}
    results.drop_vanished({first})
    assert results.near_duplicates == {}


def test_near_duplicates_stand_side_by_side_the_most_suspicious_first(
    results: DFauLoResults,
) -> None:
    first, second, third, fourth = results.ids  # ever more suspicious
    results.near_duplicates = {first: third, third: first}
    assert results.near_duplicate_ids() == [third, first]
    results.near_duplicates |= {second: third}
    assert results.near_duplicate_ids() == [third, second, first]
    results.near_duplicates = {second: fourth, fourth: second, first: third}
    assert results.near_duplicate_ids() == [fourth, second, third, first]
    assert results.near_duplicate_ids([first, second]) == [first, third, second, fourth]
    results.near_duplicates = {}
    assert results.near_duplicate_ids() == []


def test_results_of_before_near_duplicates_were_stored_have_none(
    results: DFauLoResults,
) -> None:
    stored = results.serialize()
    del stored["near_duplicates"]
    loaded = DFauLoResults.from_dict(stored, results.samples, results.config, "dfaulo")
    assert loaded.near_duplicates == {}


def test_nothing_is_lost_on_the_way_through_the_database(
    results: DFauLoResults,
) -> None:
    results.drop_vanished({*results.ids[1:]})
    results.near_duplicates = {results.ids[0]: results.ids[1]}
    stored = json_util.loads(json_util.dumps(results.serialize()))

    loaded = DFauLoResults.from_dict(stored, results.samples, results.config, "dfaulo")

    assert isinstance(loaded, DFauLoResults)
    assert loaded.summary() == results.summary()
    for name, value in vars(results).items():
        if name.startswith("_"):
            continue
        again = getattr(loaded, name)
        if isinstance(value, np.ndarray):
            assert again.dtype == value.dtype
            assert np.array_equal(again, value)
        else:
            assert again == value


def test_ids_take_little_more_than_their_twelve_bytes(results: DFauLoResults) -> None:
    results.ids = [str(ObjectId()) for _ in range(1000)]

    assert len(results.serialize()["ids"]) < 16 * 1000 + 200
