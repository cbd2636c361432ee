"""Delegated workers are found by their processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fiftyone_dfaulo.plugin.forms import workers
from fiftyone_dfaulo.plugin.forms.workers import worker_runs_here

Start = Callable[..., Any]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_last", None)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a process that looks like ``fiftyone`` with these arguments."""
    script = tmp_path / "fiftyone"
    script.write_text("input()", encoding="utf-8")
    started = []

    def run(*arguments: str, **environment: str) -> Any:
        process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdin=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.communicate(b"\n")


def test_worker_is_found_and_the_answer_kept_for_a_while(start: Start) -> None:
    assert not worker_runs_here()
    start("delegated", "launch", "-m")
    assert not worker_runs_here()
    workers._last = None
    assert worker_runs_here()


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["delegated", "list"], {}),
        (["app", "launch"], {}),
        (["delegated", "launch"], {"FIFTYONE_DATABASE_NAME": "another"}),
    ],
)
def test_other_processes_and_workers_of_other_databases_do_not_count(
    start: Start, arguments: list[str], environment: dict[str, str]
) -> None:
    start(*arguments, **environment)
    assert not worker_runs_here()
