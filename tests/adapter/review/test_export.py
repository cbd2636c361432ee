"""What is in the files."""

from __future__ import annotations

import csv
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from fiftyone_dfaulo.adapter.review.export import export_review
from fiftyone_dfaulo.adapter.review.verdicts import record_verdicts
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.errors import InputError, RunError


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """Four samples, scored 0.0 to 0.3; the first is correct, the last is faulty."""
    dataset = make_dataset(["a", "b", "a", "b"])
    write_run(make_results(dataset))
    ids = dataset.values("id")
    record_verdicts(dataset, correct=ids[:1], faulty=ids[3:])
    return dataset


def test_json_holds_the_reviewed_most_suspicious_first(
    dataset: Any, tmp_path: Path
) -> None:
    assert export_review(dataset, tmp_path / "x.json") == 2
    rows = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    ids, paths = dataset.values(["id", "filepath"])
    assert rows[0] == {
        "id": ids[3],
        "filepath": paths[3],
        "label": "b",
        "suggestion": "a",
        "score": 0.3,
        "reasons": [],
        "verdict": "faulty",
    }
    assert rows[1]["id"] == ids[0]
    assert rows[1]["reasons"] == ["looks like another class"]


def test_csv_holds_the_same_and_replaces_the_file(dataset: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.CSV"
    path.write_text("old")
    assert export_review(dataset[:1], str(path)) == 1
    (row,) = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    assert (row["label"], row["suggestion"], row["score"]) == ("a", "b", "0.0")
    assert (row["reasons"], row["verdict"]) == ("looks like another class", "correct")
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["x.CSV"]


def test_bad_paths_and_a_missing_run_leave_no_file(
    dataset: Any, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="does not end in .csv or .json"):
        export_review(dataset, tmp_path / "x.txt")
    with pytest.raises(InputError, match="does not exist"):
        export_review(dataset, tmp_path / "no" / "x.csv")
    with pytest.raises(RunError, match="no brain run"):
        export_review(dataset, tmp_path / "x.csv", "other")
    assert not [p for p in tmp_path.iterdir() if p.is_file()]


def test_a_file_that_cannot_be_written_is_said_and_what_was_there_stays(
    dataset: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(InputError, match="cannot be written: .* No space left"):
            export_review(dataset, path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["x.csv"]


def test_the_file_is_for_all_to_read_and_may_lie_at_home(
    dataset: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    export_review(dataset, "~/x.json")
    assert stat.S_IMODE((tmp_path / "x.json").stat().st_mode) == 0o644
