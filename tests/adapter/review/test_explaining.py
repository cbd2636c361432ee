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


def test_objects_and_several_labels(make_dataset: Any) -> None:
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

    several = [["a"], ["b"]] * 12
    several[0] = ["b"]
    dataset.set_values(
        "tags_",
        [
            fo.Classifications(
                classifications=[fo.Classification(label=n) for n in names]
            )
            for names in several
        ],
    )
    array = 5 * np.eye(4)[[0, 1] * 12] + rng.normal(0, 0.3, (24, 4))
    compute_suspiciousness(
        dataset, "tags_", embeddings=array, brain_key="several", progress=False
    )
    first = dataset.first().id
    told = explain_suspiciousness(dataset, "several", ids=[first])[first]
    assert told.nearest == {}
    assert "Labelled b. Models say" in str(told)
    assert explain_suspiciousness(dataset, "several") == {}
