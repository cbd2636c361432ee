"""Several sources, judged together: what they find, who is left out, who may not."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import (
    InputError,
    compute_suspiciousness,
    estimate_quality,
    suspicious_view,
)
from fiftyone_dfaulo.engine.method import single_label

FAULTS = (0, 21, 42)


@pytest.fixture
def halves(clusters: Any) -> Any:
    """``clusters`` with its embeddings in two parts."""
    whole = np.stack(clusters.values("emb"))
    for name, part in (("left", whole[:, ::2]), ("right", whole[:, 1::2])):
        clusters.set_values(name, list(part))
    return clusters


def test_two_fields_are_judged_together(halves: Any) -> None:
    results = compute_suspiciousness(halves, embeddings=["left", "right"])

    ids = halves.values("id")
    first = suspicious_view(halves, limit=3)
    assert set(first.values("id")) == {ids[n] for n in FAULTS}
    assert results.config.embeddings == ["left", "right"]
    assert [*results.seconds] == [
        "Reading labels",
        "Reading embeddings",
        "Scoring with mutants",
        "Writing results",
    ]
    alone = compute_suspiciousness(halves, brain_key="alone", embeddings="left")
    assert alone.suspiciousness.tolist() != results.suspiciousness.tolist()
    same = compute_suspiciousness(halves, brain_key="same", embeddings=("left",))
    assert same.suspiciousness.tolist() == alone.suspiciousness.tolist()
    assert same.config.embeddings == "left"


def test_embeddings_and_predictions_and_a_network_are_judged_together(
    make_dataset: Any,
) -> None:
    dataset = make_dataset(["a", "b"] * 20)
    labels = dataset.values("ground_truth.label")
    rng = np.random.default_rng(1)
    classes = sorted(set(labels))
    logits = [
        np.array([3.0 * (label == name) for name in classes]) + rng.normal(size=2)
        for label in labels
    ]
    dataset.set_values(
        "guess",
        [fo.Classification(label=classes[v.argmax()], logits=v) for v in logits],
    )
    dataset.set_values("emb", [np.append(v, rng.normal(size=2)) for v in logits])

    results = compute_suspiciousness(
        dataset,
        embeddings="emb",
        predictions="guess",
        classes=classes,
        train=True,
        epochs=1,
    )

    assert len(results.ids) == 40
    stages = [*results.seconds]
    assert stages.index("Scoring with mutants") > stages.index("Training the network")
    assert {"Reading predictions", "Reading embeddings", "Decoding images"} < {*stages}
    assert results.config.settings["train"] is True


def test_samples_that_one_source_lacks_are_judged_by_the_others(halves: Any) -> None:
    ids = halves.values("id")
    halves.set_values("right", {ids[0]: None, ids[9]: None}, key_field="id")
    halves.set_values("left", {ids[7]: np.zeros(3), ids[9]: None}, key_field="id")

    results = compute_suspiciousness(halves, embeddings=["left", "right"])

    assert results.unreadable == {ids[9]: "no embedding"}
    assert len(results.ids) == 59
    first = suspicious_view(halves, limit=3)
    assert set(first.values("id")) == {ids[n] for n in FAULTS}
    for name in ("left", "right"):
        assert f"embeddings {name!r} lacks some samples" in " ".join(results.notes)


def test_content_is_looked_at_by_whichever_source_shows_it(
    halves: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    real = single_label.score_labels

    def keep(labels: Any, *ensembles: Any, **kwargs: Any) -> Any:
        seen.extend(ensembles)
        return real(labels, *ensembles, **kwargs)

    monkeypatch.setattr(single_label, "score_labels", keep)
    vectors = np.stack(halves.values("emb"))
    vectors[10] = vectors[50]  # of another class
    halves.set_values("emb", list(vectors))
    classes = ["a", "b", "c"]
    halves.set_values(
        "guess", [fo.Classification(label="a", logits=[1.0, 0.0, 0.5])] * 60
    )
    compute_suspiciousness(
        halves, predictions="guess", classes=classes, embeddings="emb"
    )
    assert (seen[0].near_duplicate_of >= 0).any()  # predictions show none
    assert (seen[1].near_duplicate_of < 0).all()


def test_tags_and_quality_take_one_source(halves: Any) -> None:
    with pytest.raises(InputError, match="are several sources"):
        estimate_quality(halves, embeddings=["left", "right"])
    halves.set_values(
        "topics",
        [
            fo.Classifications(classifications=[fo.Classification(label="x")] * (n % 2))
            for n in range(60)
        ],
    )
    with pytest.raises(InputError, match="one source at a time"):
        compute_suspiciousness(halves, "topics", embeddings=["left", "right"])
    with pytest.raises(InputError, match="one source at a time"):
        compute_suspiciousness(halves, "topics", embeddings="left", train=True)
    assert halves.list_brain_runs() == []
