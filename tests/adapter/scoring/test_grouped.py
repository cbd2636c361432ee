"""Grouped datasets: the active slice is scored, shown and reviewed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import (
    apply_suggestions,
    compute_suspiciousness,
    record_verdicts,
    revert_suggestions,
    review_status,
    suspicious_view,
    update_suspiciousness,
)
from fiftyone_dfaulo.adapter.runs.lookup import load_config
from tests.conftest import draw

LABELS = ["a", "b"] * 6


@pytest.fixture
def grouped(tmp_path: Path) -> Any:
    """12 groups of two images; the left ones are labelled, and so is a box in them."""
    rng = np.random.default_rng(51)
    samples = []
    for number, label in enumerate(LABELS):
        group = fo.Group()
        for side in ("left", "right"):
            path = tmp_path / f"{number}-{side}.png"
            draw(path, "ab".index(label), rng)
            box = fo.Detection(label=label, bounding_box=[0, 0, 1, 1])
            samples.append(
                fo.Sample(
                    filepath=str(path),
                    group=group.element(side),
                    ground_truth=fo.Classification(label=label),
                    boxes=fo.Detections(detections=[box]),
                )
            )
    dataset = fo.Dataset()
    dataset.add_samples(samples)
    yield dataset
    dataset.delete()


def vectors() -> np.ndarray:
    truth = ["ab".index(label) for label in LABELS]
    truth[0] = 1  # the first sample is a b
    return 4 * np.eye(2)[truth] + np.random.default_rng(51).normal(size=(12, 2)) / 4


@pytest.mark.parametrize("field", ["ground_truth", "boxes"])
def test_the_active_slice_goes_through_a_review(grouped: Any, field: str) -> None:
    grouped.group_slice = "left"
    path = "boxes.detections" if field == "boxes" else "ground_truth"
    before = grouped.values(path)
    results = compute_suspiciousness(
        grouped, field, embeddings=vectors(), progress=False
    )

    assert len(results.ids) == 12
    assert grouped.count("dfaulo_suspiciousness") == 12
    right = grouped.select_group_slices("right")
    assert right.count("dfaulo_suspiciousness") == 0
    assert suspicious_view(grouped, limit=1).first().id == grouped.first().id

    target = load_config(grouped, "dfaulo").target
    worst = suspicious_view(target.narrow(grouped, None), limit=1).values("id")
    record_verdicts(grouped, faulty=worst)
    update_suspiciousness(grouped)
    assert review_status(grouped).scored == 12
    assert len(target.select(grouped, worst)) == 1
    assert apply_suggestions(grouped).applied == 1
    assert revert_suggestions(grouped).reverted == 1
    labels = [x[0].label if field == "boxes" else x.label for x in before]
    now = grouped.values(path)
    assert [x[0].label if field == "boxes" else x.label for x in now] == labels


def test_scores_of_another_slice_take_another_key(grouped: Any) -> None:
    for side in ("left", "right"):
        grouped.group_slice = side
        compute_suspiciousness(
            grouped, embeddings=vectors(), brain_key=side, progress=False
        )

    for side in ("left", "right"):
        for other in ("left", "right"):
            view = grouped.select_group_slices(side)
            expected = 12 if side == other else 0
            assert view.count(f"{other}_suspiciousness") == expected
