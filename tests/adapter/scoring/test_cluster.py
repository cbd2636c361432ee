"""Runs on a Ray cluster of two nodes: the same scores, killed, cancelled, reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo.adapter.scoring.compute import compute_suspiciousness, run
from fiftyone_dfaulo.adapter.scoring.request import Request
from fiftyone_dfaulo.config import Preprocessing, Settings
from fiftyone_dfaulo.engine.images import shards
from fiftyone_dfaulo.errors import Cancelled, ClusterError, InputError
from tests.adapter.scoring.test_models import Rows, stand_in
from tests.two_nodes import Nodes, two_nodes

pytest.importorskip("ray")

OWN = Preprocessing(size=8, mean=0, std=1)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with two_nodes() as nodes:
        yield nodes


@pytest.fixture
def rows(make_dataset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """90 images in shards of six, three of them with a wrong label, one unreadable."""
    monkeypatch.setattr(shards, "SHARD", 6)
    labels = ["abc"[(n + (n in (3, 22, 41))) % 3] for n in range(90)]
    dataset = make_dataset(["abc"[n % 3] for n in range(90)])
    dataset.set_values("ground_truth.label", labels)
    Path(dataset.values("filepath")[50]).write_bytes(b"no image")
    return dataset


def request(dataset: Any, nodes: Nodes | None, key: str = "dfaulo") -> Request:
    settings = Settings(model="rows", preprocessing=OWN, batch_size=6)
    cluster = None if nodes is None else nodes.address
    return Request(
        dataset, "ground_truth", settings, key, model=Rows(), cluster=cluster
    )


def test_kept_work_is_used_and_a_cancelled_run_goes_on(
    rows: Any, nodes: Nodes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DFAULO_CACHE_GB", "1")
    monkeypatch.setenv("DFAULO_CACHE_DIR", str(tmp_path / "kept"))

    def stop(stage: str, fraction: float) -> None:
        if stage == "Embedding images" and fraction > 0.5:
            raise Cancelled

    before = rows.get_field_schema().keys()
    with pytest.raises(Cancelled):
        run(request(rows, nodes), stop)
    rows.reload()
    assert rows.get_field_schema().keys() == before
    assert not rows.list_brain_runs()

    (note,) = [one for one in run(request(rows, nodes)).notes if "earlier runs" in one]
    done = int(note.partition(": ")[2].split()[0])
    assert 0 < done < 90


def test_with_a_network_trained_here_the_scores_are_the_same(
    rows: Any, nodes: Nodes
) -> None:
    how = {"epochs": 1, "progress": False, "embeddings": None}
    here = compute_suspiciousness(rows, **how)
    there = compute_suspiciousness(
        rows, brain_key="there", cluster=nodes.address, **how
    )
    np.testing.assert_allclose(there.suspiciousness, here.suspiciousness, atol=1e-6)


def test_a_model_of_fiftyone_gives_the_same_scores(rows: Any, nodes: Nodes) -> None:
    here = compute_suspiciousness(rows, model=stand_in(), progress=False)
    there = compute_suspiciousness(
        rows,
        model=stand_in(),
        brain_key="there",
        cluster=nodes.address,
        progress=False,
    )
    np.testing.assert_allclose(there.suspiciousness, here.suspiciousness, atol=1e-6)


def test_what_cannot_be_had_or_sent_is_said_before_anything_is_written(
    rows: Any, nodes: Nodes
) -> None:
    with pytest.raises(ClusterError, match="nothing answers"):
        compute_suspiciousness(rows, cluster="127.0.0.1:1")
    model = Rows()
    model.of_this_process = open(rows.values("filepath")[0])  # noqa: SIM115
    try:
        with pytest.raises(InputError, match="cannot be (copied|sent)"):
            compute_suspiciousness(
                rows, model=model, preprocessing=OWN, cluster=nodes.address
            )
    finally:
        model.of_this_process.close()
    assert not rows.list_brain_runs()


def test_the_scores_are_those_of_this_process_and_a_node_may_die(
    rows: Any, nodes: Nodes
) -> None:
    here = run(request(rows, None))
    fractions, killed = [], []

    def report(stage: str, fraction: float) -> None:
        fractions.append(fraction)
        if stage == "Embedding images" and fraction > 0.2 and not killed:
            killed.append(True)
            nodes.kill()

    there = run(request(rows, nodes, "there"), report)
    nodes.replace()

    assert killed
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert there.ids == here.ids
    assert there.unreadable == here.unreadable
    assert len(there.unreadable) == 1
    np.testing.assert_allclose(there.suspiciousness, here.suspiciousness, atol=1e-6)
    np.testing.assert_allclose(there.signals, here.signals, atol=1e-4)
    np.testing.assert_array_equal(there.neighbours, here.neighbours)
    np.testing.assert_array_equal(there.suggestions, here.suggestions)
