"""What is scored from where nobody says: what is there, and what the results tell."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import compute_suspiciousness, suspicious_view
from fiftyone_dfaulo.adapter.scoring import auto
from fiftyone_dfaulo.adapter.targets.kinds import find_target

FAULTS = (0, 21, 42)
TRAINING = "Training the network"


def test_embeddings_and_a_network_vote_where_both_are_to_be_had(clusters: Any) -> None:
    results = compute_suspiciousness(clusters, epochs=1)

    told = "Scored from embeddings 'emb' and the network trained here."
    assert results.notes[0] == told
    assert TRAINING in results.seconds
    assert results.config.embeddings == "auto"
    assert results.config.settings["train"] is False


def test_where_training_takes_long_it_is_left_to_the_user(
    clusters: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "QUICK", 60 * 8 * 8 * 10 - 1)  # images, pixels, epochs
    results = compute_suspiciousness(clusters)

    assert TRAINING not in results.seconds
    assert results.notes[:2] == [
        "Scored from embeddings 'emb'.",
        "No network was trained here as well, which would take long; pass the "
        "embeddings and train=True for one.",
    ]
    ids = clusters.values("id")
    first = suspicious_view(clusters, limit=3)
    assert set(first.values("id")) == {ids[n] for n in FAULTS}
    same = compute_suspiciousness(clusters, brain_key="same", embeddings="emb")
    assert same.suspiciousness.tolist() == results.suspiciousness.tolist()


def test_what_cannot_be_used_is_left_out_and_named(
    clusters: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "QUICK", 0)
    clusters.set_values("failed", [np.zeros(4)] * 60)
    results = compute_suspiciousness(clusters)
    assert results.notes[0] == "Scored from embeddings 'emb'."
    assert "embeddings 'failed' was left out: field 'failed' holds" in results.notes[1]


def test_a_network_is_trained_where_no_embeddings_tell_anything(
    make_dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "QUICK", 0)
    dataset = make_dataset(["a", "b"] * 10)
    dataset.set_values("failed", [np.zeros(4)] * 20)
    results = compute_suspiciousness(dataset, epochs=1)
    assert results.notes[0] == "Scored from the network trained here."
    dataset.delete_sample_field("failed")
    alone = compute_suspiciousness(dataset, brain_key="alone", epochs=1)
    assert alone.config.embeddings is None
    assert alone.suspiciousness.tolist() == results.suspiciousness.tolist()


@pytest.mark.parametrize(
    "given", [{"embeddings": None}, {"train": True}, {"method": "paper"}]
)
def test_it_adds_nothing_to_what_is_given(clusters: Any, given: dict[str, Any]) -> None:
    results = compute_suspiciousness(clusters, epochs=1, **given)
    assert results.config.embeddings is None
    assert not [note for note in results.notes if note.startswith("Scored from")]


def test_a_brain_run_that_was_made_from_a_field_is_not_used_twice(
    clusters: Any,
) -> None:
    import fiftyone.brain as fob

    target = find_target(clusters, "ground_truth")
    fob.compute_similarity(clusters, embeddings="emb", brain_key="of_field")
    vectors = np.stack(clusters.values("emb"))
    fob.compute_similarity(clusters, embeddings=vectors, brain_key="of_array")
    assert auto.find_embeddings(clusters, target) == ["emb", "of_array"]


def test_tags_are_judged_by_one_source_which_is_not_chosen(clusters: Any) -> None:
    tags = [fo.Classification(label="x")]
    clusters.set_values(
        "topics",
        [fo.Classifications(classifications=tags * (n % 2)) for n in range(60)],
    )
    results = compute_suspiciousness(clusters, "topics", epochs=1)
    assert results.config.embeddings is None
    assert TRAINING in results.seconds
