"""The benchmark runs, on images and on embeddings, and prints its figures."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "examples" / "benchmark.py"


def run(*arguments: str) -> str:
    command = [sys.executable, str(SCRIPT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_images_are_measured_by_seed_and_in_the_mean() -> None:
    output = run("images", "--seeds", "1", "--max-epochs", "3")
    (seed, mean) = re.findall(r"AP (\d\.\d+)", output)
    assert seed == mean
    assert float(mean) > 0.5
    assert re.search(r"Training the network \d+\.\d s", output)
    assert re.search(r"peak memory \d+\.\d+ GiB", output)


def test_embeddings_are_measured_for_every_count() -> None:
    output = run("embeddings", "--counts", "300", "200", "--classes", "3")
    assert re.findall(r"^(\d+) x 512, 3 classes: AP", output, re.MULTILINE) == [
        "200",
        "300",
    ]
