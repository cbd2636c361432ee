"""Which way of scoring is taken, and what several sources give together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo.adapter.reading.labels import Labelled
from fiftyone_dfaulo.adapter.scoring.features import FeatureSource, ScoringContext
from fiftyone_dfaulo.adapter.scoring.methods import FeatureMethod, pick_method
from fiftyone_dfaulo.adapter.scoring.request import Request
from fiftyone_dfaulo.adapter.targets.class_labels import ClassLabels
from fiftyone_dfaulo.adapter.targets.labels import SCORING
from fiftyone_dfaulo.adapter.targets.sample import SampleTarget
from fiftyone_dfaulo.adapter.targets.tags.target import MultiLabelTarget
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.features import Features
from fiftyone_dfaulo.engine.progress import Stages

PLACE = SampleTarget("ground_truth")
TRAINED = ["Decoding images", "Training the network", "Embedding by the network"]


@pytest.mark.parametrize(
    ("embeddings", "settings", "stages"),
    [
        ("emb", Settings(), ["Reading embeddings", "Scoring with mutants"]),
        (
            None,
            Settings(predictions="seen"),
            ["Reading predictions", "Scoring with mutants"],
        ),
        (
            None,
            Settings(model="resnet18"),
            ["Embedding images", "Scoring with mutants"],
        ),
        (
            None,
            Settings(model="resnet18", depth="full"),
            [
                "Decoding images",
                "Embedding images",
                "Scoring with mutants",
                "Training without the most suspicious",
                "Scoring with full mutants",
            ],
        ),
        (
            None,
            Settings(method="paper"),
            ["Decoding images", "Training the network", "Scoring with mutants"],
        ),
        (None, Settings(), [*TRAINED, "Scoring with mutants"]),
    ],
)
def test_the_stages_are_those_of_the_way_taken(
    embeddings: Any, settings: Settings, stages: list[str]
) -> None:
    request = Request(None, "ground_truth", settings, embeddings=embeddings)

    assert list(pick_method(request, PLACE).stages) == stages


def test_scoring_takes_longer_where_each_class_is_scored_by_itself() -> None:
    request = Request(None, "ground_truth", Settings())
    of_tags = MultiLabelTarget("ground_truth")

    usual, longer = (pick_method(request, place) for place in (PLACE, of_tags))

    assert longer.stages[SCORING] > usual.stages[SCORING]


class Given(FeatureSource):
    """Embeddings that are there; every item can be read, or all but one."""

    stages = {"Giving": 1, SCORING: 1}

    def __init__(self, vectors: np.ndarray, missing: int | None, note: str) -> None:
        self.vectors, self.missing, self.note = vectors, missing, note
        self.name = f"the {note}"

    def read(self, context: ScoringContext) -> Features:
        index = np.array([n for n in range(60) if n != self.missing])
        unreadable = {} if self.missing is None else {self.missing: "gone"}
        return Features(self.vectors[index], index, unreadable, notes=(self.note,))


def test_several_sources_are_scored_together() -> None:
    numbers = np.arange(60) % 3
    labels = numbers.copy()
    labels[[3, 22]] = (labels[[3, 22]] + 1) % 3
    rng = np.random.default_rng(0)
    clusters = 4 * np.eye(3)[numbers] + rng.normal(size=(60, 3))
    noise = rng.normal(size=(60, 5))
    sources = [Given(noise, None, "noise"), Given(clusters, 7, "clusters")]
    labelled = Labelled(
        ids=[f"i{n}" for n in range(60)],
        paths=[f"p{n}" for n in range(60)],
        labels=ClassLabels(["a", "b", "c"], labels),
        unlabeled=[],
    )
    method = FeatureMethod(sources, {SCORING: 1})
    told: list[float] = []
    stages = Stages(method.stages, lambda _, done: told.append(done))
    context = ScoringContext(None, PLACE, labelled, Settings(), stages)

    items, scores = method.score(context)

    assert len(items.ids) == len(scores.suspiciousness) == 60
    assert items.unreadable == {}
    assert scores.notes[:3] == (
        "noise",
        "clusters",
        "the clusters lacks some samples, which the other sources judge: 1 (the first: "
        "gone).",
    )
    first = np.argsort(-scores.suspiciousness)[:2]
    assert {items.ids[n] for n in first} == {"i3", "i22"}
    assert told == sorted(told)
    assert told[-1] == 1.0
