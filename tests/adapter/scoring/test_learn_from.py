"""A run learns from the review of another: better order, true numbers, verdicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo import (
    InputError,
    RunError,
    apply_suggestions,
    compute_suspiciousness,
    record_verdicts,
    revert_suggestions,
)

COUNT, CLASSES = 400, 2
NAMES = np.array(["cat", "dog"], object)


def score(dataset: Any, key: str, **more: Any) -> Any:
    return compute_suspiciousness(
        dataset, brain_key=key, embeddings="emb", progress=False, **more
    )


@pytest.fixture
def reviewed(make_dataset: Any) -> Any:
    """Two classes that overlap, every fifth label wrong; the first 40 are checked.

    ``truth`` holds the true classes.
    """
    rng = np.random.default_rng(3)
    truth = np.arange(COUNT) % CLASSES
    given = np.where(np.arange(COUNT) % 5 == 0, 1 - truth, truth)
    dataset = make_dataset([*NAMES[given]])
    centres = np.zeros((CLASSES, 8))
    centres[1, 0] = 2.5
    dataset.set_values("emb", list(centres[truth] + rng.normal(size=(COUNT, 8))))
    dataset.set_values("truth", [*NAMES[truth]])
    score(dataset, "dfaulo")
    check_top(dataset, "dfaulo", 40)
    return dataset


def check_top(dataset: Any, key: str, count: int) -> None:
    """Marks the most suspicious unchecked by the truth."""
    unchecked = dataset.match({f"{key}_verdict": None})
    top = unchecked.sort_by(f"{key}_suspiciousness", reverse=True).limit(count)
    given, truth, ids = top.values(["ground_truth.label", "truth", "id"])
    wrong = [one for one, a, b in zip(ids, given, truth) if a != b]
    record_verdicts(
        dataset, key, faulty=wrong, correct=[one for one in ids if one not in wrong]
    )


def faults(dataset: Any) -> np.ndarray:
    given, truth = dataset.values(["ground_truth.label", "truth"])
    return np.array(given) != np.array(truth)


def test_where_plain_mistakes_are_corrected_the_rest_is_still_counted(
    reviewed: Any,
) -> None:
    corrected = reviewed.match({"dfaulo_verdict": "faulty"}).values("id")
    apply_suggestions(reviewed)
    left = faults(reviewed).sum()
    assert len(corrected) > 25
    alone = score(reviewed, "alone")
    learned = score(reviewed, "second", learn_from="dfaulo")
    # all wrong labels that a model could be sure of are gone, so none seem to be left
    assert alone.summary()["estimated_faults"] < 0.4 * left
    assert 0.6 * left < learned.summary()["estimated_faults"] < 1.6 * left
    # what a person has corrected is not what it was
    scores = dict(zip(learned.ids, learned.suspiciousness))
    assert np.median([scores[one] for one in corrected]) < 0.1
    assert any("learn_from='dfaulo'" in note for note in alone.notes)
    assert learned.config.learned_from == "dfaulo"
    (note,) = [note for note in learned.notes if "have learned" in note]
    assert f"0 labels marked faulty, {len(corrected)} corrected" in note


def test_verdicts_teach_the_models_and_are_carried_over(reviewed: Any) -> None:
    marked = len(reviewed.match({"dfaulo_verdict": "faulty"}))
    learned = score(reviewed, "second", learn_from="dfaulo")
    assert reviewed.values("second_verdict") == reviewed.values("dfaulo_verdict")
    assert learned.notes[-1] == "Verdicts carried over from run 'dfaulo': 40."
    assert any(f"{marked} labels marked faulty, 0 corr" in n for n in learned.notes)
    unchecked = np.array(reviewed.values("dfaulo_verdict")) == None  # noqa: E711
    before, after = (
        average_precision_score(
            faults(reviewed)[unchecked],
            np.array(reviewed.values(f"{key}_suspiciousness"))[unchecked],
        )
        for key in ("dfaulo", "second")
    )
    assert after > before


def test_the_labels_from_before_go_on_to_the_run_after_the_next(reviewed: Any) -> None:
    apply_suggestions(reviewed)
    ids = reviewed.match({"dfaulo_verdict": "faulty"}).values("id")
    second = score(reviewed, "second", learn_from="dfaulo")
    assert set(second.first_labels) == set(ids)
    given = dict(zip(*reviewed.values(["id", "ground_truth.label"])))
    assert all(label != given[one] for one, label in second.first_labels.items())
    check_top(reviewed, "second", 20)
    apply_suggestions(reviewed, "second")
    more = reviewed.match({"second_verdict": "faulty"}).values("id")
    stored = reviewed.load_brain_results("second", cache=False)
    assert stored.first_labels == second.first_labels
    third = score(reviewed, "third", learn_from="second")
    assert set(third.first_labels) == {*ids, *more}


def test_what_was_taken_back_is_not_learned(reviewed: Any) -> None:
    apply_suggestions(reviewed)
    revert_suggestions(reviewed)
    record_verdicts(reviewed, cleared=reviewed)
    learned = score(reviewed, "second", learn_from="dfaulo")
    again = score(reviewed, "again")
    assert learned.first_labels == {}
    assert learned.suspiciousness.tolist() == again.suspiciousness.tolist()


def test_what_cannot_be_learned_from_is_refused_before_anything_is_done(
    reviewed: Any, unchanged: Any
) -> None:
    reviewed.clone_sample_field("ground_truth", "other")
    check_same = unchanged(reviewed)
    with pytest.raises(InputError, match="pass another brain_key"):
        score(reviewed, "dfaulo", learn_from="dfaulo", overwrite=True)
    with pytest.raises(RunError, match="no brain run 'nothing'"):
        score(reviewed, "second", learn_from="nothing")
    with pytest.raises(InputError, match="a run on the same labels"):
        score(reviewed, "second", label_field="other", learn_from="dfaulo")
    check_same()
