"""The operator on real datasets: at once, cancelled, failed, from Python, delegated."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionError, ExecutionRunState

from fiftyone_dfaulo import (
    Cancelled,
    InputError,
    compute_suspiciousness,
    record_verdicts,
)
from fiftyone_dfaulo.adapter.scoring import compute
from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.plugin.operators.compute import ComputeSuspiciousness
from fiftyone_dfaulo.plugin.operators.running import stop_if_failed
from tests.plugin.plugin_tools import URI, context, progress_of, snapshot

SOON = 300.0
STAGES = [
    "Reading labels",
    "Reading embeddings",
    "Scoring with mutants",
    "Writing results",
]
STAGES_TRAINED = [
    "Reading labels",
    "Decoding images",
    "Training the network",
    "Embedding by the network",
    "Scoring with mutants",
    "Writing results",
]
WITH_VECTORS = {"source": "embeddings", "embeddings": "vectors"}
TRAINED = {"source": "network", "epochs": 1}


def messages(samples: Any, **kwargs: Any) -> Iterator[Any]:
    """What the App is sent while the operator executes."""
    return ComputeSuspiciousness().execute(context(samples, **kwargs))


def bodies(sent: Any) -> list[tuple[str, dict[str, Any]]]:
    """Name and parameters of each operation that the App is told to execute."""
    return [(m.body.operator_uri, m.body.params) for m in sent]


@pytest.mark.parametrize(
    ("answers", "stages"), [(WITH_VECTORS, STAGES), (TRAINED, STAGES_TRAINED)]
)
def test_progress_goes_through_all_stages_and_never_back(
    scored: Any, answers: dict[str, Any], stages: list[str]
) -> None:
    sent = bodies(messages(scored, **answers))
    told = progress_of(sent)
    assert list(dict.fromkeys(params["label"] for params in told)) == stages
    fractions = [params["progress"] for params in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    json.dumps(sent)


def test_grid_is_sorted_and_shows_label_suggestion_and_score(scored: Any) -> None:
    sent = bodies(messages(scored, **WITH_VECTORS))
    last = dict(sent[-5:])
    assert list(last) == [
        "reload_dataset",
        "set_color_scheme",
        "set_active_fields",
        "open_panel",  # which shows the saved view
        "show_output",
    ]
    assert last["set_active_fields"] == {
        "fields": ["ground_truth", "dfaulo_suggestion", "dfaulo_suspiciousness"]
    }
    view = scored.load_saved_view("Most suspicious (dfaulo)")
    shown = view.values("dfaulo_suspiciousness")
    assert len(shown) == 37
    assert shown == sorted(shown, reverse=True)
    assert view.first().id == scored.skip(7).first().id
    assert "37 samples" in json.dumps(last["show_output"])


@pytest.mark.parametrize("already", ["a view", "the panel"])
def test_the_grid_is_sorted_also_where_the_panel_does_not_open_on_it(
    scored: Any, already: str
) -> None:
    request: dict[str, Any] = {"view_target": "DATASET"}
    if already == "the panel":
        request["spaces"] = fo.Space(
            children=[fo.Panel(type="dfaulo_review")]
        ).to_dict()
    view = scored.limit(5) if already == "a view" else scored
    sent = dict(bodies(messages(view, request=request, **WITH_VECTORS)))
    shown = fo.DatasetView._build(scored, sent["set_view"]["view"])
    scores = shown.values("dfaulo_suspiciousness")
    assert len(scores) == 37
    assert scores == sorted(scores, reverse=True)


def test_verdicts_of_the_last_run_go_on_and_the_summary_says_so(scored: Any) -> None:
    list(messages(scored, **WITH_VECTORS))
    record_verdicts(scored, faulty=scored.values("id")[7:8])
    sent = dict(bodies(messages(scored, brain_key="second", **WITH_VECTORS)))
    assert scored.count("second_verdict") == 1
    said = json.dumps(sent["show_output"])
    assert "Verdicts carried over from run 'dfaulo': 1." in said


@pytest.mark.parametrize("target", ["CURRENT_VIEW", "SELECTED_SAMPLES"])
def test_only_the_target_is_scored_and_shown(scored: Any, target: str) -> None:
    chosen = scored.values("id")[4:16]
    request = {"view_target": target, "selected": chosen}
    view = scored.select(chosen) if target == "CURRENT_VIEW" else scored
    sent = dict(bodies(messages(view, request=request, **WITH_VECTORS)))
    has_score = scored.exists("dfaulo_suspiciousness").values("id")
    shown = fo.DatasetView._build(scored, sent["set_view"]["view"]).values("id")
    assert sorted(has_score) == sorted(shown) == sorted(chosen)


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("stage", STAGES)
def test_cancelled_run_leaves_the_dataset_as_it_was(
    scored: Any, monkeypatch: pytest.MonkeyPatch, stage: str, earlier: bool
) -> None:
    if earlier:
        compute_suspiciousness(scored, embeddings="vectors")
    before = snapshot(scored)
    closed, ended = threading.Event(), threading.Event()
    run, stopped_by = compute.run, []

    def stopping_in_stage(*args: Any, report: Report, **kwargs: Any) -> Any:
        seen = []

        def gate(name: str, fraction: float) -> None:
            seen.append(name)
            if seen.count(stage) == 2:
                assert closed.wait(SOON)
            report(name, fraction)

        try:
            return run(*args, report=gate, **kwargs)
        except BaseException as error:
            stopped_by.append(error)
            raise
        finally:
            ended.set()

    monkeypatch.setattr(compute, "run", stopping_in_stage)
    sent = messages(scored, **WITH_VECTORS)
    next(sent)
    sent.close()
    closed.set()
    assert ended.wait(SOON)
    assert isinstance(stopped_by[0], Cancelled)
    assert snapshot(scored) == before


def test_failed_run_says_why_and_leaves_the_dataset_as_it_was(scored: Any) -> None:
    scored.set_values("vectors", [[float("inf")] * 4] * 40)
    before = snapshot(scored)
    heard: list[Any] = []
    with pytest.raises(InputError, match="holds NaN or infinity"):
        heard.extend(messages(scored, **WITH_VECTORS))
    assert snapshot(scored) == before
    name, params = bodies(heard)[-1]
    assert name == "show_output"
    assert "holds NaN or infinity" in json.dumps(params["outputs"])
    with pytest.raises(ExecutionError, match="holds NaN or infinity"):
        foo.execute_operator(URI, dataset=scored, params=WITH_VECTORS)


def test_operator_can_be_called_like_a_function(scored: Any) -> None:
    find = foo.get_operator(URI)
    find(scored, embeddings="vectors")
    assert scored.list_brain_runs() == ["dfaulo"]
    assert scored.count("dfaulo_suspiciousness") == 37
    find(scored.limit(10), embeddings="vectors", brain_key="few", seed=3)
    assert scored.count("few_suspiciousness") == 10
    assert scored.get_brain_info("few").config.seed == 3


def test_in_a_notebook_the_call_can_be_awaited(scored: Any) -> None:
    async def cell() -> Any:
        return await foo.get_operator(URI)(scored, embeddings="vectors")

    assert asyncio.run(cell()).error is None
    assert scored.list_brain_runs() == ["dfaulo"]


@pytest.fixture
def worker(tmp_path: Path, plugin: None) -> Iterator[subprocess.Popen[bytes]]:
    """A real ``fiftyone delegated launch``."""
    command = shutil.which("fiftyone", path=str(Path(sys.executable).parent))
    assert command, "the fiftyone command is not installed beside this Python"
    env = {**os.environ, "FIFTYONE_PLUGINS_DIR": fo.config.plugins_dir}
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [command, "delegated", "launch"], env=env, stdout=log, stderr=log
        )
    yield process
    process.terminate()
    process.wait(SOON)


def wait_for_end(operation: Any) -> tuple[Any, list[tuple[str, float]]]:
    """The operation once it has ended, and the progress seen in the database."""
    service, told = DelegatedOperationService(), []
    deadline = time.monotonic() + 2 * SOON
    while time.monotonic() < deadline:
        document = service.get(operation)
        status = document.status
        if status and (status.label, status.progress) not in told:
            told.append((status.label, status.progress))
        if document.run_state in (
            ExecutionRunState.COMPLETED,
            ExecutionRunState.FAILED,
        ):
            return document, told
        time.sleep(0.01)
    raise AssertionError(f"not ended after {2 * SOON} s: {document.run_state}, {told}")


def test_delegated_run_reports_to_the_database_and_keeps_its_summary(
    scored: Any, worker: Any
) -> None:
    scored.persistent = True
    find = foo.get_operator(URI)
    queued = find(scored, embeddings="vectors", delegate=True)
    document, told = wait_for_end(queued.result["id"])
    assert document.run_state == ExecutionRunState.COMPLETED, document.result.error
    assert document.label == "Find suspicious labels: ground_truth to dfaulo"
    assert told[-1] == ("Writing results", 1.0)
    stages = [stage for stage, _ in told]
    assert stages == sorted(stages, key=STAGES.index)
    assert document.result.result["scored"] == 37
    assert document.result.result["unlabeled"] == 2
    assert "37 samples" in json.dumps(document.metadata["outputs_schema"])
    scored.reload()
    assert scored.count("dfaulo_suspiciousness") == 37


def test_delegated_run_works_on_a_cluster(scored: Any, worker: Any) -> None:
    pytest.importorskip("ray")
    scored.persistent = True
    queued = foo.get_operator(URI)(
        scored, embeddings="vectors", cluster="auto", delegate=True
    )
    document, _ = wait_for_end(queued.result["id"])
    assert document.run_state == ExecutionRunState.COMPLETED, document.result.error
    scored.reload()
    assert scored.count("dfaulo_suspiciousness") == 37


def test_delegated_run_stops_once_it_is_marked_as_failed(scored: Any) -> None:
    service = DelegatedOperationService()
    queued = foo.get_operator(URI)(scored, embeddings="vectors", delegate=True)
    operation = queued.result["id"]
    check = stop_if_failed(operation)
    check()
    service.set_failed(operation)
    with pytest.raises(Cancelled):
        check()
    service.delete_operation(operation)


@pytest.mark.parametrize(
    ("params", "said"),
    [({"epoch": 3}, "epoch;"), ({"embeddings": [[1.0]]}, "is a list")],
)
def test_arguments_that_would_be_ignored_are_refused(
    scored: Any, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        foo.get_operator(URI)(scored, **params)
