"""The writer or the database is killed: a few moments of each; see tools/killed.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "killed.py"


@pytest.mark.parametrize(
    ("victim", "deeds"),
    [("process", ("correct", "inject")), ("database", ("record", "rename"))],
)
def test_nothing_is_lost_left_or_locked_out(
    victim: str, deeds: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [sys.executable, str(TOOL), "--trials", "1", "--victim", victim, *deeds],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("all well") == len(deeds)
