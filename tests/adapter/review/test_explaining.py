"""Why a label is suspicious: neighbours and what the models say, by real runs."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import (
    compute_suspiciousness,
    explain_suspiciousness,
    record_verdicts,
)
from fiftyone_dfaulo.engine import neighbours
from fiftyone_dfaulo.errors import InputError

EACH = 12
"""Samples of a class, of which one has the other's label."""


@pytest.fixture
def birds(make_dataset: Any) -> Any:
    """Two far clusters; the first sample lies among the ducks, and is called a swan."""
    dataset = make_dataset(["swan"] + ["duck"] * (EACH - 1) + ["swan"] * EACH)
    rng = np.random.default_rng(0)
    true = np.repeat([0, 1], EACH)
    vectors = 5 * np.eye(4)[true] + rng.normal(0, 0.3, (2 * EACH, 4))
    compute_suspiciousness(dataset, embeddings=vectors, progress=False)
    return dataset


def test_neighbours_are_told_shown_and_follow_the_review(birds: Any) -> None:
    ids = birds.values("id")
    ducks, swans = set(ids[1:EACH]), set(ids[EACH:])

    why = explain_suspiciousness(birds, ids=ids[:1])[ids[0]]

    assert (why.label, why.suggestion) == ("swan", "duck")
    assert why.nearest == {"duck": 10}
    assert len(why.like_suggestion) == len(why.like_label) == 10
    assert {*why.like_suggestion} < ducks
    assert {*why.like_label} < swans
    assert why.near_duplicate is None
    assert str(why) == (
        f"Labelled swan. Models without it say duck ({why.confidence:.0%}). "
        "Of its 10 nearest, 10 are duck."
    )

    faulty, last = why.like_suggestion[0], why.like_suggestion[-1]
    record_verdicts(birds, faulty=[faulty], correct=[last])
    renamed = birds[why.like_suggestion[1]]
    renamed.ground_truth = fo.Classification(label="goose")
    renamed.save()
    birds.delete_samples([why.like_suggestion[2]])
    left = [last, *why.like_suggestion[3:-1]]
    now = explain_suspiciousness(birds, ids=ids[:1])[ids[0]]
    assert now.like_suggestion == left
    assert now.nearest == {"duck": 8, "goose": 1}
    everyone = explain_suspiciousness(birds)
    assert [*everyone][0] == ids[0]
    assert len(everyone) == 2 * EACH - 1


def test_what_is_not_scored_is_refused(birds: Any) -> None:
    with pytest.raises(InputError, match="has no samples with these ids"):
        explain_suspiciousness(birds, ids=["0" * 24])


def test_neighbours_are_stored_and_follow_samples_that_go(
    birds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = birds.load_brain_results("dfaulo")
    ids, kept = before.ids, before.neighbours
    birds.clear_cache()
    again = birds.load_brain_results("dfaulo")
    assert again is not before
    assert again.neighbours.tolist() == kept.tolist()

    gone = ids[kept[0, 1]]  # the nearest of the most suspicious one
    named = [ids[n] for n in kept[0] if n >= 0 and ids[n] != gone]
    again.drop_vanished({*ids} - {gone})
    assert [again.ids[n] for n in again.neighbours[0] if n >= 0] == named
    assert len(again.neighbours) == len(kept) - 1


def test_of_near_duplicates_it_says_which_label_the_models_prefer(
    make_dataset: Any,
) -> None:
    rng = np.random.default_rng(1)
    true = np.repeat([0, 1], 40)
    vectors = 3 * np.eye(6)[true] + rng.normal(0, 1, (80, 6))
    vectors[0] = vectors[1] + 1e-5
    labels = np.array(["cat", "dog"])[true].tolist()
    labels[0] = "dog"
    dataset = make_dataset(labels)
    compute_suspiciousness(dataset, embeddings=vectors, progress=False)
    wrong, right, *_ = dataset.values("id")

    both = explain_suspiciousness(dataset, ids=[wrong, right])

    for one, other in ((wrong, right), (right, wrong)):
        assert both[one].near_duplicate == other
        assert both[one].words[-1] == (
            f"Nearly the same one is labelled {both[one].other_label}; of the two "
            "labels, models prefer cat."
        )
    assert both[wrong].other_label == "cat"


def test_objects_are_compared_with_objects(make_dataset: Any) -> None:
    dataset = make_dataset([None] * 24)
    true = np.repeat([0, 1], 24)
    names = np.array(["cup", "jar"])[true].tolist()
    names[0] = "jar"
    boxes = [fo.Detection(label=n, bounding_box=[0, 0, 0.5, 0.5]) for n in names]
    pairs = [fo.Detections(detections=boxes[n : n + 2]) for n in range(0, 48, 2)]
    dataset.set_values("boxes", pairs)
    rng = np.random.default_rng(0)
    vectors = 5 * np.eye(4)[true] + rng.normal(0, 0.3, (48, 4))
    compute_suspiciousness(dataset, "boxes", embeddings=vectors, progress=False)
    worst = boxes[0].id
    why = explain_suspiciousness(dataset, ids=[worst])[worst]
    assert why.nearest == {"cup": 10}
    assert dataset.to_patches("boxes").select(why.like_label).distinct(
        "boxes.label"
    ) == ["jar"]


def tagged(names: list[list[str]]) -> list[fo.Classifications]:
    return [
        fo.Classifications(classifications=[fo.Classification(label=n) for n in some])
        for some in names
    ]


def test_of_several_labels_those_with_the_same_are_shown(make_dataset: Any) -> None:
    true = np.repeat([0, 1], 20)
    several = [["ab"[k]] for k in true]
    several[0] = ["b"]
    dataset = make_dataset([None] * 40)
    dataset.set_values("tags_", tagged(several))
    rng = np.random.default_rng(0)
    array = 5 * np.eye(4)[true] + rng.normal(0, 0.3, (40, 4))
    compute_suspiciousness(dataset, "tags_", embeddings=array, progress=False)
    ids = dataset.values("id")
    why = explain_suspiciousness(dataset, ids=ids[:1])[ids[0]]
    assert (why.label, why.suggestion) == ("b", "remove b, add a")
    assert why.suggested_label == "a"
    assert why.nearest == {"a": 10}
    assert {*why.like_label} < {*ids[20:]}
    assert {*why.like_suggestion} < {*ids[1:20]}
    assert len(why.like_suggestion) == len(why.like_label) == 10
    assert "Models without it say remove b, add a" in str(why)
    assert str(why).endswith("Of its 10 nearest, 10 are a.")
    assert [*explain_suspiciousness(dataset)][0] == ids[0]

    several[1:20] = [["a", "c"], ["a"]] * 9 + [["a"]]
    dataset.set_values("tags_", tagged(several))
    mixed = explain_suspiciousness(dataset, ids=ids[:1])[ids[0]]
    assert {*mixed.nearest} == {"a", "a, c"}
    assert "; " in mixed.words[-1]  # labels with commas of their own


def test_a_set_that_no_sample_has_is_shown_without_others_of_it(
    make_dataset: Any,
) -> None:
    true = np.repeat([0, 1], 20)
    several = [["x", "y"] if k else ["z"] for k in true]
    several[0] = ["x", "z"]  # looks like z alone
    several[1] = ["w", "z"]
    dataset = make_dataset([None] * 40)
    dataset.set_values("tags_", tagged(several))
    array = 5 * np.eye(4)[true] + np.random.default_rng(0).normal(0, 0.3, (40, 4))
    results = compute_suspiciousness(dataset, "tags_", embeddings=array, progress=False)
    labels = results.label_texts()
    for one, why in explain_suspiciousness(dataset).items():
        same = labels == why.suggested_label
        assert not {*why.like_suggestion} - {
            other for other, is_same in zip(results.ids, same) if is_same
        }, one


def test_why_neighbours_are_not_known_is_said(
    birds: Any, make_dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = birds.first().id
    results = birds.load_brain_results("dfaulo")
    results.neighbours = results.neighbours[:0]
    told = explain_suspiciousness(birds, ids=[first])[first]
    assert told.nearest == {}
    assert told.words[-1].endswith("older than that; run again to find them.")
    monkeypatch.setattr(neighbours, "MOST", 1)
    array = np.random.default_rng(0).normal(size=(2 * EACH, 4))
    compute_suspiciousness(birds, embeddings=array, progress=False)
    (known,) = explain_suspiciousness(birds)
    other = next(one for one in birds.values("id") if one != known)
    (told,) = explain_suspiciousness(birds, ids=[other]).values()
    assert told.unknown == "they are of the 1,000 most suspicious"
