"""A ranking is compared with the truth, whatever field holds it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import (
    Evaluation,
    InputError,
    RunError,
    apply_suggestions,
    compute_suspiciousness,
    evaluate_ranking,
    inject_faults,
)
from fiftyone_dfaulo.adapter.injection.evaluation import list_fault_fields
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.adapter.targets.sample import SampleTarget

LABELS: list[str | None] = ["a", "b", "a", "b", "a", "b", "a", "b", "a", None]


@pytest.fixture
def ranked(make_dataset: Callable[..., Any], make_results: Any) -> Any:
    """Ten samples scored 0.0, 0.1 ... 0.8 by their position; the last has no label."""
    dataset = make_dataset(LABELS)
    write_run(make_results(dataset))
    return dataset


def mark(dataset: Any, *faults: int, field: str = "wrong") -> None:
    dataset.set_values(field, [n in faults for n in range(10)])


def test_figures_of_faults_at_ranks_0_and_2_of_9(ranked: Any) -> None:
    mark(ranked, 8, 6)
    found = evaluate_ranking(ranked, fault_field="wrong")
    assert isinstance(found, dict)
    assert (found["samples"], found["faults"], found["unranked"]) == (9, 2, 1)
    assert found["AP"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert found["ROC-AUC"] == pytest.approx(13 / 14)
    assert found["precision at faults"] == 0.5
    assert found["reviewed for 90%"] == 3
    assert found.curve["reviewed"] == list(range(1, 10))
    assert found.curve["recall"][:3] == pytest.approx([0.5, 0.5, 1])
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("field", [fo.StringField, fo.Classification])
def test_true_labels_are_compared_with_those_that_were_scored(
    ranked: Any, field: Any
) -> None:
    true = [*"abababbaaa"]  # wrong at 6 and 7
    as_labels = field is fo.Classification
    values = [fo.Classification(label=t) if as_labels else t for t in true]
    ranked.set_values("true", values)
    before = evaluate_ranking(ranked, fault_field="true")
    assert (before["samples"], before["faults"]) == (9, 2)
    assert before["AP"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    ids = ranked.values("id")[6:8]
    assert apply_suggestions(ranked, ids=ids).applied == 2  # now they are right
    assert evaluate_ranking(ranked, fault_field="true") == before


def test_samples_whose_truth_is_unknown_do_not_count(ranked: Any) -> None:
    ranked.set_values("wrong", [None, None, *[False] * 6, True, True])
    found = evaluate_ranking(ranked, fault_field="wrong")
    assert (found["samples"], found["faults"], found["unranked"]) == (7, 1, 1)
    assert found["AP"] == 1


def test_of_a_view_only_its_own_samples_count(ranked: Any) -> None:
    mark(ranked, 8, 1)
    found = evaluate_ranking(ranked.limit(5), fault_field="wrong")
    assert (found["samples"], found["faults"]) == (5, 1)
    assert found["AP"] == pytest.approx(1 / 4)


def test_planted_faults_are_found_and_the_plot_shows_it(shared_clusters: Any) -> None:
    clean = shared_clusters.match(
        fo.ViewField("truth") == fo.ViewField("ground_truth.label")
    )
    copy = inject_faults(clean, rate=0.1)
    try:
        compute_suspiciousness(copy, embeddings="emb", progress=False)
        found = evaluate_ranking(copy, fault_field="injected_fault")
        assert found == evaluate_ranking(copy, fault_field="injected_true_label")
        assert (
            list_fault_fields(copy, SampleTarget("ground_truth"))[0] == "injected_fault"
        )
    finally:
        copy.delete()
    assert found["faults"] == 6
    assert found["AP"] > 0.9
    plot = found.plot()
    precision, recall = plot["data"]
    assert precision["x"] == recall["x"] == found.curve["reviewed"]
    assert recall["y"][-1] == 1
    assert plot["layout"]["xaxis"]["range"] == [0, 30]
    json.dumps(plot)
    assert "6 faults among 57 ranked samples" in str(found)
    assert f"AP{found['AP']:>28.3f}" in str(found)


BAD: list[tuple[Any, type[Exception], str]] = [
    ("nothing", InputError, "'nothing' does not exist"),
    (None, InputError, "fault_field=None: expected a string"),
    ("number", InputError, "'number' is a IntField; expected a boolean"),
    ("ground_truth.label", InputError, "expected a boolean field"),
    ("none", InputError, "says that 0 of the 9 ranked samples are faults"),
    ("all", InputError, "says that 9 of the 9 ranked samples are faults"),
    ("empty", InputError, "says that 0 of the 0 ranked samples"),
    ("ground_truth", InputError, "says that 0 of the 9"),
]


@pytest.mark.parametrize(("field", "error", "said"), BAD)
def test_a_field_that_tells_nothing_is_refused(
    ranked: Any, field: Any, error: type[Exception], said: str
) -> None:
    mark(ranked, field="none")
    mark(ranked, *range(10), field="all")
    ranked.set_values("number", list(range(10)))
    ranked.add_sample_field("empty", fo.BooleanField)
    with pytest.raises(error, match=said):
        evaluate_ranking(ranked, fault_field=field)


def test_without_a_run_there_is_nothing_to_evaluate(ranked: Any) -> None:
    mark(ranked, 1)
    with pytest.raises(RunError, match="has no brain run 'other'"):
        evaluate_ranking(ranked, "other", fault_field="wrong")
    ranked.delete_sample_field("dfaulo_suspiciousness")
    with pytest.raises(RunError, match="was deleted"):
        evaluate_ranking(ranked, fault_field="wrong")
    with pytest.raises(InputError, match="expected a FiftyOne dataset or view"):
        evaluate_ranking([], fault_field="wrong")


def test_notes_stand_below_the_table() -> None:
    figures = {"samples": 2, "faults": 1, "precision at faults": np.float64(1)}
    assert str(Evaluation(figures, {}, ["Read this."])).endswith("\nRead this.")
