"""Predictions on a dataset as the original model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import InputError, Settings
from fiftyone_dfaulo import compute_suspiciousness as compute
from fiftyone_dfaulo.adapter.reading.predictions import (
    list_predictions,
    read_predictions,
)
from fiftyone_dfaulo.engine.method import single_label

FAULTS = {3, 22, 41}


@pytest.fixture
def predicted(make_dataset: Callable[..., Any]) -> Any:
    """60 samples of 3 classes, three with a wrong label, and logits for all."""
    truth = np.arange(60) % 3
    labels = ["abc"[(k + (n in FAULTS)) % 3] for n, k in enumerate(truth)]
    dataset = make_dataset(labels)
    dataset.set_values("predictions", guesses(truth))
    return dataset


def guesses(truth: np.ndarray, **changes: Any) -> list[Any]:
    rng = np.random.default_rng(0)
    logits = 4 * np.eye(3)[truth] + rng.normal(size=(len(truth), 3))
    return [
        fo.Classification(label="abc"[k], **(changes or {"logits": row}))
        for k, row in zip(truth, logits)
    ]


def worst(results: Any, dataset: Any) -> set[int]:
    order = np.argsort(-results.suspiciousness)[: len(FAULTS)]
    position = {sample: n for n, sample in enumerate(dataset.values("id"))}
    return {position[results.ids[n]] for n in order}


def test_logits_find_the_faults(predicted: Any) -> None:
    results = compute(predicted, predictions="predictions")
    assert worst(results, predicted) == FAULTS
    assert "loss_original" in results.signal_names
    assert not any("classes=" in note for note in results.notes)  # the labels tell
    settings = predicted.get_brain_info("dfaulo").config.settings
    assert settings["predictions"] == "predictions"


def test_equal_predictions_are_no_near_duplicates(predicted: Any) -> None:
    predictions = predicted.values("predictions")
    predictions[22] = predictions[1].copy()  # other labels, the same logits
    predicted.set_values("predictions", predictions)
    assert compute(predicted, predictions="predictions").near_duplicates == {}


def read(dataset: Any, **more: Any) -> Any:
    ids = sorted(dataset.values("id"))
    return read_predictions(dataset, "predictions", ids, ["a", "b", "c"], **more)


def test_logits_and_probabilities_say_the_same(predicted: Any) -> None:
    logs = read(predicted).log_probabilities
    np.testing.assert_allclose(np.exp(logs).sum(1), 1, rtol=1e-5)
    for values in (np.exp(logs), logs + 7):
        predicted.set_values("predictions.logits", list(values))
        found = read(predicted)
        np.testing.assert_allclose(found.log_probabilities, logs, atol=1e-5)


def test_probabilities_may_lie_in_an_attribute_of_that_name(predicted: Any) -> None:
    predicted.set_values(
        "predictions",
        [
            fo.Classification(label="a", probabilities=[0.7, 0.2, 0.1])
            for _ in range(60)
        ],
    )
    assert list_predictions(predicted, "ground_truth") == {
        "predictions": "probabilities"
    }
    np.testing.assert_allclose(
        np.exp(read(predicted).log_probabilities[0]), [0.7, 0.2, 0.1], rtol=1e-5
    )


def test_what_is_left_of_a_confidence_is_shared(predicted: Any) -> None:
    predicted.set_values("predictions", guesses(np.arange(60) % 3, confidence=0.8))
    found = read(predicted)
    expected = np.full((60, 3), 0.1)
    expected[np.arange(60), np.arange(60) % 3] = 0.8
    np.testing.assert_allclose(np.exp(found.log_probabilities), expected, rtol=1e-5)
    assert "only the confidence" in str(found.note)
    results = compute(predicted, predictions="predictions", out_of_sample=True)
    assert worst(results, predicted) == FAULTS


def test_classes_are_the_dataset_s_for_the_field_or_those_given(predicted: Any) -> None:
    assert read(predicted, given=["c", "b", "a"]).match.columns.tolist() == [2, 1, 0]
    predicted.set_values("predictions.label", [None] * 60)
    match = read(predicted).match
    assert match.columns.tolist() == [0, 1, 2]
    assert "in the order a, b, c. Pass classes=" in str(match.note)
    predicted.classes = {"predictions": ["b", "a", "c"]}
    found = read(predicted)
    assert found.match.columns.tolist() == [1, 0, 2]
    assert found.match.note is None


def test_the_labels_of_predictions_say_which_logit_is_which(predicted: Any) -> None:
    logits = np.array(predicted.values("predictions.logits"))
    predicted.set_values("predictions.logits", list(logits[:, [2, 0, 1]]))
    predicted.default_classes = ["a", "b", "c"]  # which is not the model's order
    match = read(predicted).match
    assert (match.columns.tolist(), match.note) == ([1, 2, 0], None)
    assert worst(compute(predicted, predictions="predictions"), predicted) == FAULTS

    logits[:, 1] = -9.0  # never the largest: the rest of the order is the dataset's
    predicted.set_values("predictions.logits", list(logits))
    names = np.array([*"abc"])[logits.argmax(1)]
    predicted.set_values("predictions.label", names.tolist())
    assert read(predicted).match.columns.tolist() == [0, 1, 2]
    predicted.set_values("predictions.label", np.where(names == "a", "c", "a").tolist())
    match = read(predicted).match
    assert match.columns is None
    assert "1 of the 3 logits are never the largest" in str(match.note)


def test_probabilities_as_arrays_and_not_quite_1(predicted: Any) -> None:
    truth = np.arange(60) % 3
    rows = np.where(np.eye(3)[truth] > 0, 0.8, 0.1)
    rows[0] *= 0.99
    predicted.set_values(
        "predictions",
        [
            fo.Classification(label="abc"[k], probabilities=row)
            for k, row in zip(truth, rows)
        ],
    )
    found = np.exp(read(predicted).log_probabilities)
    np.testing.assert_allclose(found, rows / rows.sum(1, keepdims=True), rtol=1e-5)


def test_samples_without_a_prediction_are_counted_and_named(predicted: Any) -> None:
    ids = predicted.values("id")
    empty = {ids[5]: None, ids[7]: fo.Classification(label="a")}
    predicted.set_values("predictions", empty, key_field="id")
    results = compute(predicted, predictions="predictions")
    assert results.unreadable == {ids[5]: "no prediction", ids[7]: "no prediction"}
    assert len(results.ids) == 58
    predicted.reload()
    assert predicted[ids[5]].dfaulo_suspiciousness is None


def test_out_of_sample_predictions_vote(predicted: Any) -> None:
    results = compute(predicted, predictions="predictions", out_of_sample=True)
    own = read(predicted).log_probabilities
    settings = Settings(seed=results.config.seed)
    alone = single_label.score(own, results.labels, settings=settings)
    voting = single_label.score(own, results.labels, logits=own, settings=settings)
    np.testing.assert_allclose(results.suspiciousness, voting.suspiciousness, rtol=1e-6)
    assert (results.suspiciousness != alone.suspiciousness).all()


def uneven(dataset: Any) -> None:
    dataset.set_values("predictions.logits", [[1.0, 2.0]] * 59 + [[1.0, 2.0, 3.0]])


def nan(dataset: Any) -> None:
    dataset.set_values("predictions.logits", [[1.0, 2.0, np.nan]] * 60)


def nothing(dataset: Any) -> None:
    dataset.set_values("predictions", [fo.Classification(label="a")] * 60)


def none_of_these(dataset: Any) -> None:
    dataset.set_values("predictions", [None] * 60)


def one(dataset: Any) -> None:
    dataset.set_values("predictions.logits", [[1.0]] * 60)


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        (uneven, {}, "holds logits of 2, 3 numbers; expected the same number"),
        (one, {}, "holds logits of 1 numbers"),
        (nan, {}, "NaN or infinity for 60 samples, the first"),
        (nothing, {}, "holds neither logits nor probabilities nor confidences"),
        (none_of_these, {}, "holds neither logits nor probabilities nor confidences"),
        (None, {"predictions": "missing"}, "there is no predictions='missing'"),
        (None, {"predictions": "filepath"}, "is a StringField field"),
        (None, {"predictions": "ground_truth"}, "is the label field"),
        (None, {"classes": ["a", "b"]}, "lists 2 names and the model gives 3"),
        (None, {"model": "resnet18"}, "are both the original model"),
        (None, {"depth": "full"}, "trains a network and predictions have none"),
        (None, {"method": "paper"}, "trains its own network"),
    ],
)
def test_predictions_that_cannot_be_used_are_an_error_and_nothing_is_written(
    predicted: Any, change: Any, arguments: dict[str, Any], said: str, unchanged: Any
) -> None:
    if change:
        change(predicted)
    check = unchanged(predicted)
    with pytest.raises(InputError, match=said):
        compute(predicted, **{"predictions": "predictions", **arguments})
    check()


def test_suggestions_of_a_run_are_no_predictions(predicted: Any) -> None:
    compute(predicted, predictions="predictions")
    predicted.reload()
    assert list(list_predictions(predicted, "ground_truth")) == ["predictions"]
