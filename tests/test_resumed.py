"""A run is killed at a random moment and called again; see tools/resumed.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).parents[1] / "tools"


def test_a_run_that_was_killed_goes_on_with_the_same_bits() -> None:
    tool = [sys.executable, str(TOOLS / "resumed.py")]
    done = subprocess.run(
        [*tool, "--trials", "2", "--unbroken", "1", "--size", "1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("same bits 2 times") == 3
