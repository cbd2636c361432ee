"""Runs Python code in a process of its own that has not loaded the package."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs code with ``sys.argv[1:]``; the database is that of the tests."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def last_json(process: subprocess.CompletedProcess[str]) -> Any:
    """The last line that the process printed, which must have ended well."""
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])
