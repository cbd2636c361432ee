"""Which way of scoring is taken, and what reaches the engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo.adapter.reading.labels import Labelled
from fiftyone_dfaulo.adapter.scoring.scoring import pick_route
from fiftyone_dfaulo.adapter.scoring.tasks import usable_samples
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.errors import InputError

LABELLED = Labelled(
    ids=["i0", "i1", "i2", "i3"],
    paths=["p0", "p1", "p2", "p3"],
    labels=np.array([0, 2, 1, 2]),
    classes=["a", "b", "c"],
    unlabeled=["u"],
)


@pytest.mark.parametrize(
    ("embeddings", "settings", "stages"),
    [
        ("emb", Settings(), ["Reading embeddings", "Scoring with mutants"]),
        (
            None,
            Settings(model="resnet18"),
            ["Embedding images", "Scoring with mutants"],
        ),
        (
            None,
            Settings(method="paper"),
            ["Decoding images", "Training the network", "Scoring with mutants"],
        ),
        (
            None,
            Settings(),
            [
                "Decoding images",
                "Training the network",
                "Embedding images",
                "Scoring with mutants",
            ],
        ),
    ],
)
def test_the_stages_are_those_of_the_way_taken(
    embeddings: Any, settings: Settings, stages: list[str]
) -> None:
    _, weights = pick_route(embeddings, settings)

    assert list(weights) == stages


def test_classes_without_a_readable_sample_are_dropped_and_the_rest_renumbered() -> (
    None
):
    usable = usable_samples(LABELLED, np.array([0, 1, 3]), {2: "the file is empty"})

    assert usable.ids == ["i0", "i1", "i3"]
    assert usable.classes == ["a", "c"]
    assert usable.labels.tolist() == [0, 1, 1]
    assert usable.unreadable == {"i2": "the file is empty"}
    assert usable.unlabeled == ["u"]


def test_fewer_than_two_classes_are_refused_with_the_numbers() -> None:
    missing = {0: "the file is empty", 2: "no such file"}

    with pytest.raises(InputError, match="2 of 4 .* 1 of 3 classes.* i0: the file is"):
        usable_samples(LABELLED, np.array([1, 3]), missing)
