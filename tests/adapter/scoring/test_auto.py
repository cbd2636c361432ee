"""What is scored from where nobody says: what is there, and what the results tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import compute_suspiciousness, suspicious_view
from fiftyone_dfaulo.adapter.scoring import auto
from fiftyone_dfaulo.adapter.scoring.compute import run
from fiftyone_dfaulo.adapter.scoring.request import Request
from fiftyone_dfaulo.adapter.targets.kinds import find_target
from fiftyone_dfaulo.config import Settings
from tests.conftest import draw
from tests.weights import cache_weights, empty_cache

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
        "embeddings, or the model, and train=True for one.",
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


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torch looks for pretrained weights, which are missing and not to be had."""
    return empty_cache(tmp_path, monkeypatch)


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Any]:
    """Twenty images of two classes, larger than a network that is trained here sees."""
    rng = np.random.default_rng(0)
    samples = []
    for n in range(20):
        path = tmp_path / f"{n:02}.png"
        draw(path, n % 2, rng, size=80)
        label = fo.Classification(label="ab"[n % 2])
        samples.append(fo.Sample(str(path), ground_truth=label))
    dataset = fo.Dataset()
    dataset.add_samples(samples)
    yield dataset
    dataset.delete()


def test_photos_are_looked_at_by_a_pretrained_network_as_well(
    photos: Any, weights: Path
) -> None:
    cache_weights(weights, auto.BACKBONE)
    told: list[float] = []
    request = Request(photos, "ground_truth", Settings(epochs=1), embeddings="auto")
    results = run(request, lambda stage, fraction: told.append(fraction))
    assert results.notes[0] == (
        "Scored from model 'mobilenet_v3_large' and the network trained here."
    )
    assert results.config.embeddings == "auto"
    assert not any("logits" in note for note in results.notes)
    assert told == sorted(told)


def test_photos_that_are_many_are_judged_by_the_pretrained_network_alone(
    photos: Any, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_weights(weights, auto.BACKBONE)
    monkeypatch.setattr(auto, "QUICK", 0)
    results = compute_suspiciousness(photos)
    assert results.notes[0] == "Scored from model 'mobilenet_v3_large'."
    assert TRAINING not in results.seconds
    named = compute_suspiciousness(photos, model=auto.BACKBONE, brain_key="named")
    assert named.suspiciousness.tolist() == results.suspiciousness.tolist()


def test_where_its_weights_cannot_be_had_the_notes_say_so(
    photos: Any, weights: Path
) -> None:
    results = compute_suspiciousness(photos, epochs=1)
    assert results.notes[0] == "Scored from the network trained here."
    assert "model 'mobilenet_v3_large' was left out: the weights" in results.notes[1]
    assert str(weights) in results.notes[1]
    none = compute_suspiciousness(photos, embeddings=None, epochs=1, brain_key="none")
    assert none.suspiciousness.tolist() == results.suspiciousness.tolist()


def test_embeddings_that_are_there_take_its_place(photos: Any, weights: Path) -> None:
    photos.set_values("emb", np.random.default_rng(0).normal(size=(20, 4)))
    results = compute_suspiciousness(photos, epochs=1)
    assert results.notes[0] == (
        "Scored from embeddings 'emb' and the network trained here."
    )


def test_small_images_are_no_photos(make_dataset: Any) -> None:
    dataset = make_dataset(["a", "b"] * 5)
    assert not auto.shows_photos(dataset, find_target(dataset, "ground_truth"))
