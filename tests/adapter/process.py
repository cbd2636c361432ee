"""Runs Python code in a process of its own that has not loaded the package."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

PATIENCE = 300.0

_ready = multiprocessing.get_context("forkserver")
_ready.set_forkserver_preload(["fiftyone.brain", "sklearn.linear_model"])


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs code with ``sys.argv[1:]``; the database is that of the tests."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def run_forked(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As :func:`run_python`, in a process that finds FiftyOne imported.

    That takes seconds, so it is done once for all. Other than there, what a test has
    set in the environment or in FiftyOne's config does not hold.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("stdout", "stderr")]
        process = _ready.Process(
            target=_work, args=(textwrap.dedent(code), arguments, files)
        )
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"the process did not end within {PATIENCE:.0f} s")
        said = [file.read_text() if file.exists() else "" for file in files]
        return subprocess.CompletedProcess(arguments, process.exitcode, *said)


def _work(code: str, arguments: tuple[str, ...], files: list[Path]) -> None:
    for number, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})


def last_json(process: subprocess.CompletedProcess[str]) -> Any:
    """The last line that the process printed, which must have ended well."""
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])
