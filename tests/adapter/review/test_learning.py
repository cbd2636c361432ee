"""That the ranking follows the verdicts, and what the status says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fiftyone_dfaulo.adapter.corrections.apply import apply_suggestions
from fiftyone_dfaulo.adapter.review.learning import update_suspiciousness
from fiftyone_dfaulo.adapter.review.status import review_status
from fiftyone_dfaulo.adapter.review.verdicts import record_verdicts
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.errors import InputError, RunError


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """31 samples, the first unlabeled; the others scored by a third of their number."""
    dataset = make_dataset([None, *["a", "b"] * 15])
    scores = np.arange(30) / 93
    signals = np.column_stack([scores, scores**2]).astype(np.float32)
    write_run(make_results(dataset, suspiciousness=scores, signals=signals))
    return dataset


def scores(dataset: Any) -> Any:
    return dataset.values("dfaulo_suspiciousness")


def test_checked_samples_take_the_ends_of_the_scale(dataset: Any) -> None:
    ids = dataset.values("id")
    record_verdicts(dataset, faulty=ids[5:7], correct=ids[28:30])

    update_suspiciousness(dataset)

    new = scores(dataset)
    unchecked = new[1:5] + new[7:28] + new[30:]
    assert min(new[5:7]) > max(unchecked)
    assert max(new[28:30]) < min(unchecked)
    assert new[0] is None


def test_clearing_the_verdicts_brings_the_initial_scores_back(dataset: Any) -> None:
    ids, before = dataset.values("id"), scores(dataset)
    record_verdicts(dataset, faulty=ids[5:9], correct=ids[20:25])
    update_suspiciousness(dataset)
    assert scores(dataset) != before

    record_verdicts(dataset, cleared=ids[1:])
    results = update_suspiciousness(dataset)

    assert scores(dataset) == before
    assert results.suspiciousness.tolist() == before[1:]


def test_scores_that_stay_are_not_written(dataset: Any) -> None:
    before = dataset.values("last_modified_at")
    update_suspiciousness(dataset)
    assert dataset.values("last_modified_at") == before


def test_samples_deleted_since_are_passed_over(dataset: Any) -> None:
    ids = dataset.values("id")
    record_verdicts(dataset, faulty=ids[5:7])
    dataset.delete_samples(ids[6:8])

    update_suspiciousness(dataset)

    assert len(dataset) == 29
    assert review_status(dataset).scored == 28


def test_a_run_replaced_meanwhile_is_ranked_by_its_own_scores(
    dataset: Any, make_results: Any
) -> None:
    old = dataset.load_brain_results("dfaulo")
    write_run(make_results(dataset, suspiciousness=np.arange(30) / 300))
    new = scores(dataset)
    cache = dataset.get_brain_info("dfaulo").config.build()._results_cache_field()
    getattr(dataset, cache)["dfaulo"] = old  # as in a process that loaded it before

    update_suspiciousness(dataset)

    assert scores(dataset) == new


def test_the_status_counts_verdicts(dataset: Any) -> None:
    ids = dataset.values("id")
    before = review_status(dataset)
    assert before.precision is None
    summary = dataset.load_brain_results("dfaulo").summary()
    names = ("estimated_faults", "faults_low", "faults_high")
    shown = [round(each) for each in (before.estimate, before.low, before.high)]
    assert shown == [summary[name] for name in names]
    record_verdicts(dataset, faulty=ids[28:31], correct=ids[27])

    status = review_status(dataset, batch_size=np.int64(5))

    assert [
        getattr(status, n) for n in ("scored", "faulty", "correct", "unchecked")
    ] == [
        30,
        3,
        1,
        26,
    ]
    assert status.found == 3
    assert status.precision == 0.75
    assert status.low <= status.estimate <= status.high
    assert 0 <= status.expected_next <= 5
    assert status.left >= 0
    json.dumps(status.to_dict())


def test_edited_and_removed_labels_are_stale_and_corrected_ones_are_not(
    dataset: Any,
) -> None:
    ids = dataset.values("id")
    record_verdicts(dataset, faulty=ids[3:5])
    apply_suggestions(dataset)
    edited = dataset[ids[1]]
    edited.ground_truth.label = "c"
    edited.save()
    dataset.set_values("ground_truth", {ids[2]: None}, key_field="id")

    status = review_status(dataset)

    assert (status.corrected, status.stale) == (2, 2)
    assert status.stale_ids == [ids[1], ids[2]]

    edited = dataset[ids[3]]
    edited.ground_truth.label = "c"
    edited.save()
    assert review_status(dataset).stale_ids == ids[1:4]


@pytest.mark.parametrize("size", [0, -1, 2.5, "2", True, None])
def test_a_batch_size_that_is_no_whole_number_is_refused(
    dataset: Any, size: Any
) -> None:
    with pytest.raises(InputError, match="batch_size="):
        review_status(dataset, batch_size=size)


@pytest.mark.parametrize("function", [update_suspiciousness, review_status])
def test_without_a_run_or_its_field_it_says_so(dataset: Any, function: Any) -> None:
    with pytest.raises(RunError, match="no brain run 'other'"):
        function(dataset, "other")
    with pytest.raises(InputError, match="expected a FiftyOne dataset"):
        function(None)
    dataset.delete_sample_field("dfaulo_suspiciousness")
    with pytest.raises(RunError, match="'dfaulo_suspiciousness' .* was deleted"):
        function(dataset)


def test_a_run_of_the_papers_method_learns_as_the_paper_does(
    make_dataset: Any, make_results: Any
) -> None:
    dataset = make_dataset(["a", "b"] * 15)
    rng = np.random.default_rng(0)
    results = make_results(
        dataset,
        suspiciousness=rng.random(30),
        signals=rng.normal(size=(30, 3)).astype(np.float32),
        signal_names=("one", "two", "three"),
    )
    results.config.settings["method"] = "paper"
    write_run(results)
    ids = dataset.values("id")
    record_verdicts(dataset, faulty=ids[:4], correct=ids[4:10])

    update_suspiciousness(dataset)

    regression = LogisticRegression(tol=1e-6, max_iter=10_000)
    regression.fit(results.signals[:10], [1] * 4 + [0] * 6)
    expected = regression.predict_proba(results.signals[10:])[:, 1]
    np.testing.assert_allclose(scores(dataset)[10:], expected, rtol=1e-3)
    assert scores(dataset)[:10] == [1] * 4 + [0] * 6
