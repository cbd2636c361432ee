"""The panel and the forms where the grid shows another slice than the run's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import compute_suspiciousness, record_verdicts
from tests.conftest import draw
from tests.plugin.operators.test_review import form
from tests.plugin.panel.test_panel import Opened

COUNT = 12


@pytest.fixture
def grouped(tmp_path: Path) -> Any:
    """12 groups of two images, of which the left one is labelled and scored."""
    rng = np.random.default_rng(51)
    samples = []
    for number in range(COUNT):
        group = fo.Group()
        for side in ("left", "right"):
            path = tmp_path / f"{number}-{side}.png"
            draw(path, number % 2, rng)
            label = fo.Classification(label="ab"[number % 2])
            element = group.element(side)
            samples.append(fo.Sample(str(path), group=element, ground_truth=label))
    dataset = fo.Dataset()
    dataset.add_samples(samples)
    dataset.group_slice = "left"
    vectors = np.eye(2)[np.arange(COUNT) % 2] + rng.normal(size=(COUNT, 2)) / 4
    compute_suspiciousness(dataset, embeddings=vectors, progress=False)
    yield dataset
    dataset.delete()


def test_another_slice_is_said_and_nothing_is_shown_or_run(grouped: Any) -> None:
    record_verdicts(grouped, faulty=grouped.values("id")[:2])
    panel = Opened(grouped)
    grouped.group_slice = "right"
    for event, params in (
        ("next_batch", {}),
        ("on_bar", {"x": 0.025}),
        ("run_again", {}),
    ):
        asked = panel.did(event, **params)
        assert "is on the group slice 'left'" in asked["notify"]["message"]
        assert not asked.keys() & {"set_view", "prompt_user_for_operation"}
    assert "All that are marked faulty (2)" in form("apply_suggestions", grouped)

    grouped.group_slice = "left"
    panel.did("next_batch")
    assert len(panel.view) == COUNT - 2
