"""The benchmark runs, on images and on embeddings, and prints its figures."""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("nobody_else")

SCRIPT = Path(__file__).parents[1] / "examples" / "benchmark.py"
FEW = ("--limit", "600", "--seeds", "1")

Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the script, in this process; what it prints."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the outputs of trained networks are kept from one test to the next."""
    return str(tmp_path_factory.mktemp("outputs"))


def test_images_are_measured_by_seed_and_in_the_mean(run: Run) -> None:
    output = run("images", *FEW, "--epochs", "3")
    (seed, mean) = re.findall(r"AP (\d\.\d+)", output)
    assert seed == mean
    assert float(mean) > 0.5
    assert re.search(r"Training the network \d+\.\d s", output)
    assert re.search(r"peak memory \d+\.\d+ GiB", output)


def test_objects_are_measured_by_seed(run: Run) -> None:
    output = run(
        *("objects", "--seeds", "1", "--epochs", "3", "--limit", "300"),
    )
    (precision,) = re.findall(r"AP (\d\.\d+) of 300 objects", output)
    assert float(precision) > 0.1


def test_every_method_is_compared_on_every_kind(
    run: Run, outputs: str, tmp_path: Path
) -> None:
    places = ["--outputs", outputs, "--results", str(tmp_path)]
    kinds = ["--kinds", "random-label", "pair", *FEW]
    methods = ["--methods", "dfaulo", "loss", "FiftyOne mistakenness", "random"]
    output = run("compare", *places, *kinds, *methods)

    rows = json.loads((tmp_path / "compare.json").read_text())
    cases = ["digits-600-random-label-0.05", "digits-600-pair-0.15"]
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
    assert faults == 30
    assert 15 <= estimated <= 45
    assert f"| {cases[0]}: mean suspiciousness, faults |" in table
    assert re.search(r"^\| looks like another class \| \d+ \|", table, re.MULTILINE)


def test_simulated_reviewers_leave_a_table(run: Run, outputs: str) -> None:
    output = run("review", "--outputs", outputs, "--kinds", "random-label", *FEW)
    name = "digits-600-random-label-0.05"
    rows = re.findall(rf"^\| {name} \| (\d+)% ", output, re.MULTILINE)
    assert rows == ["0", "10", "0", "10"]


def test_embeddings_are_measured_for_every_count(run: Run) -> None:
    output = run("embeddings", "--counts", "300", "200", "--classes", "3")
    counts = re.findall(r"^(\d+) x 512, 3 classes: AP", output, re.MULTILINE)
    assert counts == ["200", "300"]


def test_the_steps_of_a_review_are_timed(run: Run) -> None:
    output = run("review-scale", "--counts", "700", "--classes", "3")
    for step in ("open the panel", "record 500 verdicts", "learn", "undo those"):
        assert re.search(rf"^{step}: \d+\.\d\d s$", output, re.MULTILINE)
