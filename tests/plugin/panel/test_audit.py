"""The panel's audit: what it shows, and that the estimate goes by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo import compute_suspiciousness
from tests.plugin.panel.test_panel import Opened


@pytest.fixture
def run(make_dataset: Any) -> Any:
    """300 samples of two classes that overlap, after a run."""
    dataset = make_dataset(["a", "b"] * 150)
    rng = np.random.default_rng(51)
    vectors = rng.normal(size=(300, 4)) + np.arange(300)[:, None] % 2
    dataset.set_values("vectors", list(vectors))
    compute_suspiciousness(dataset, embeddings="vectors", progress=False)
    return dataset


def test_an_audit_is_a_batch_from_all_over_the_ranking(run: Any) -> None:
    panel = Opened(run)
    assert "An audit narrows it" in panel.shown()
    first = panel.facts["status"]

    asked = panel.did("audit")

    assert "reload_dataset" in asked  # for the field that keeps what was drawn
    panel.did("on_change_view")
    assert panel.state["batch"] == [60, 60]
    scores = panel.view.values("dfaulo_suspiciousness")
    whole = run.values("dfaulo_suspiciousness")
    assert min(scores) < np.quantile(whole, 0.4) < np.quantile(whole, 0.9) < max(scores)
    assert "The audit has 60 to check" in panel.shown()

    panel.did("mark_selected", *panel.view.values("id")[:20])
    assert "The audit has 40 to check" in panel.shown()
    panel.did("rest_is_correct", count=40)
    status = panel.facts["status"]
    assert (status["audited"], status["by_audit"]) == (60, True)
    assert "goes by an audit of 60; 180 more would halve" in panel.shown()
    assert status["high"] - status["low"] < first["high"] - first["low"]


def test_without_a_run_there_is_no_audit(scored: Any) -> None:
    asked = Opened(scored).did("audit")
    assert "There is no run to review" in asked["notify"]["message"]
