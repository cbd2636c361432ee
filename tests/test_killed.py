"""The writer or the database is killed: a few moments of each; see tools/killed.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[1] / "tools" / "killed.py"


PAIRS = ("correct:process", "inject:process", "record:database", "rename:database")


def test_nothing_is_lost_left_or_locked_out() -> None:
    done = subprocess.run(
        [sys.executable, str(TOOL), "--trials", "1", *PAIRS],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("all well") == len(PAIRS)
