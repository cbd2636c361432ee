"""What is in the files."""

from __future__ import annotations

import csv
import json
import os
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo import apply_suggestions, audit_view, revert_suggestions
from fiftyone_dfaulo.adapter.exports.export import export_review
from fiftyone_dfaulo.adapter.exports.files import check_target, replace_file
from fiftyone_dfaulo.adapter.review.verdicts import record_verdicts
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.adapter.storage.lease import holding
from fiftyone_dfaulo.errors import InputError, RunError


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """Four samples, scored 0.0 to 0.3; the first is correct, the last is faulty."""
    dataset = make_dataset(["a", "b", "a", "b"])
    write_run(make_results(dataset))
    ids = dataset.values("id")
    record_verdicts(dataset, correct=ids[:1])
    record_verdicts(dataset, faulty=ids[3:], by="Ada")
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
        "original_label": "b",
        "label": "b",
        "correction": None,
        "suggestion": "a",
        "score": 0.3,
        "reasons": [],
        "verdict": "faulty",
        "by": "Ada",
        "at": rows[0]["at"],
        "audit": False,
    }
    given = datetime.fromisoformat(rows[0]["at"].replace("Z", "+00:00"))
    assert abs(datetime.now(timezone.utc) - given) < timedelta(minutes=5)
    assert rows[1]["id"] == ids[0]
    assert rows[1]["reasons"] == ["looks like another class"]


def test_what_was_drawn_at_random_is_told(
    make_dataset: Any, make_results: Any, tmp_path: Path
) -> None:
    dataset = make_dataset(["a", "b"] * 10)
    write_run(make_results(dataset, suspiciousness=np.linspace(0, 1, 20)))
    drawn = set(audit_view(dataset, size=6).values("id"))
    record_verdicts(dataset, correct=dataset)
    export_review(dataset, tmp_path / "x.json")
    rows = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert {row["id"] for row in rows if row["audit"]} == drawn
    assert len(rows) == 20


def test_a_correction_is_told_with_the_label_from_before(
    dataset: Any, tmp_path: Path
) -> None:
    apply_suggestions(dataset)
    export_review(dataset, tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
        corrected, other = csv.DictReader(file)
    parts = ("original_label", "label", "correction", "by")
    assert [corrected[part] for part in parts] == ["b", "a", "a", "Ada"]
    assert [other[part] for part in parts] == ["a", "a", "", ""]
    revert_suggestions(dataset)
    export_review(dataset, tmp_path / "x.json")
    row = json.loads((tmp_path / "x.json").read_text())[0]
    assert (row["original_label"], row["label"], row["correction"]) == ("b", "b", None)


def test_csv_holds_the_same_and_replaces_the_file(dataset: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.CSV"
    path.write_text("old")
    assert export_review(dataset[:1], str(path), overwrite=True) == 1
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
            export_review(dataset, path, overwrite=True)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["x.csv"]


def test_a_file_is_replaced_only_if_that_is_asked_for(
    dataset: Any, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("old")
    with pytest.raises(InputError, match="x.csv' exists; .*overwrite=True"):
        export_review(dataset, path)
    assert path.read_text() == "old"
    assert export_review(dataset, path, overwrite=True) == 2


def test_a_file_that_comes_while_it_writes_is_not_replaced(
    dataset: Any, tmp_path: Path
) -> None:
    target = check_target(tmp_path / "x.csv", ".csv")
    with pytest.raises(InputError, match="exists"):
        replace_file(target, lambda _: target.write_text("another's"))
    assert target.read_text() == "another's"
    assert os.listdir(tmp_path).count("x.csv") == 1
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_pieces_of_writers_that_died_go_and_those_of_others_stay(
    dataset: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    dead = folder / ".review.json.0123456789abcdef"
    alive = folder / ".review.json.fedcba9876543210"
    another = folder / ".review.json.backup"
    for one in (dead, alive, another):
        one.write_text("half")
    with holding(str(alive)):
        export_review(dataset, folder / "review.json")
    left = {path.name for path in folder.iterdir()}
    assert left == {"review.json", alive.name, another.name}


@pytest.mark.parametrize("path", ["~nosuchuser/x.csv", "x\0.csv", "a" * 5000 + ".csv"])
def test_paths_that_no_system_takes_are_refused(path: str) -> None:
    with pytest.raises(InputError, match="cannot be used: "):
        check_target(path, ".csv")


@pytest.mark.parametrize("overwrite", [False, True])
def test_links_pipes_and_folders_are_refused(
    dataset: Any, tmp_path: Path, overwrite: bool
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("mine")
    (tmp_path / "link.csv").symlink_to(kept)
    (tmp_path / "nowhere.csv").symlink_to(tmp_path / "new")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    before = sorted(os.listdir(tmp_path))
    for name, what in (
        ("link", "a link"),
        ("nowhere", "a link"),
        ("pipe", "no regular file"),
        ("folder", "no regular file"),
    ):
        with pytest.raises(InputError, match=f"is {what}; pass another path"):
            export_review(dataset, tmp_path / f"{name}.csv", overwrite=overwrite)
    assert sorted(os.listdir(tmp_path)) == before
    assert kept.read_text() == "mine"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_file_has_the_permissions_of_any_new_one_and_may_lie_at_home(
    dataset: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    umask: int,
    mode: int,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    before = os.umask(umask)
    try:
        export_review(dataset, "~/x.json")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.json").stat().st_mode) == mode


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]


def test_text_in_csv_that_would_be_a_formula_is_escaped(
    dataset: Any, tmp_path: Path
) -> None:
    ids, path = dataset.values("id"), tmp_path / "x.csv"
    for label in [*FORMULAS, "a=1", " b", "'", ""]:
        dataset.set_values("ground_truth.label", {ids[3]: label}, key_field="id")
        for escape in (True, False):
            export_review(dataset, path, overwrite=True, escape_formulas=escape)
            with path.open(encoding="utf-8", newline="") as file:
                row = next(csv.DictReader(file))
            expected = f"'{label}" if escape and label in FORMULAS else label
            assert row["label"] == expected
            assert row["score"] == "0.3"


def test_json_is_never_escaped(dataset: Any, tmp_path: Path) -> None:
    dataset.set_values("ground_truth.label", ["=1+1"] * 4)
    export_review(dataset, tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())[0]["label"] == "=1+1"
