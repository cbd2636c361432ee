"""The benchmark runs, on images and on embeddings, and prints its figures."""

from __future__ import annotations

import json
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
    output = run("images", "--seeds", "1", "--epochs", "3")
    (seed, mean) = re.findall(r"AP (\d\.\d+)", output)
    assert seed == mean
    assert float(mean) > 0.5
    assert re.search(r"Training the network \d+\.\d s", output)
    assert re.search(r"peak memory \d+\.\d+ GiB", output)


def test_objects_are_measured_by_seed() -> None:
    output = run(
        *("objects", "--seeds", "1", "--epochs", "3", "--limit", "300"),
    )
    (precision,) = re.findall(r"AP (\d\.\d+) of 300 objects", output)
    assert float(precision) > 0.1


def test_every_method_is_compared_on_every_kind(tmp_path: Path) -> None:
    places = ["--outputs", str(tmp_path / "outputs"), "--results", str(tmp_path)]
    kinds = ["--kinds", "random-label", "pair", "--seeds", "1"]
    methods = ["--methods", "dfaulo", "loss", "FiftyOne mistakenness", "random"]
    output = run("compare", *places, *kinds, *methods)

    rows = json.loads((tmp_path / "compare.json").read_text())
    cases = ["digits-random-label-0.05", "digits-pair-0.15"]
    assert [(row["case"], row["method"]) for row in rows] == [
        (case, method) for case in cases for method in methods[1:]
    ]
    precision = {(row["case"], row["method"]): row["figures"]["AP"] for row in rows}
    for case in cases:
        assert precision[case, "dfaulo"] > precision[case, "random"] + 0.5
    table = (tmp_path / "compare.md").read_text()
    assert table in output
    ours = precision[cases[0], "dfaulo"]
    assert f"| {cases[0]} | {ours:.3f} |" in table
    assert sorted(p.stem for p in tmp_path.glob("*.png")) == sorted(cases)
    (row,) = re.findall(rf"^\| {cases[0]} \| (\d+) \| (\d+) \|", table, re.MULTILINE)
    faults, estimated = map(int, row)
    assert faults == 90
    assert 45 <= estimated <= 135
    assert f"| {cases[0]}: mean suspiciousness, faults |" in table
    assert re.search(r"^\| looks like another class \| \d+ \|", table, re.MULTILINE)


def test_simulated_reviewers_leave_a_table(tmp_path: Path) -> None:
    output = run(
        *("review", "--outputs", str(tmp_path), "--kinds", "random-label"),
        *("--seeds", "1"),
    )
    rows = re.findall(r"^\| digits-random-label-0.05 \| (\d+)% ", output, re.MULTILINE)
    assert rows == ["0", "10", "0", "10"]


def test_embeddings_are_measured_for_every_count() -> None:
    output = run("embeddings", "--counts", "300", "200", "--classes", "3")
    assert re.findall(r"^(\d+) x 512, 3 classes: AP", output, re.MULTILINE) == [
        "200",
        "300",
    ]


def test_the_steps_of_a_review_are_timed() -> None:
    output = run("review-scale", "--counts", "700", "--classes", "3")
    for step in ("open the panel", "record 500 verdicts", "learn", "undo those"):
        assert re.search(rf"^{step}: \d+\.\d\d s$", output, re.MULTILINE)
