"""The page of versions has a table that the tool writes, and tells what pip is told."""

from __future__ import annotations

from pathlib import Path

import matrix
import pytest

ROOT = Path(__file__).parents[1]
ROW = "| 3.11.7 | 1.8.0 | 2.14.1 | 2.4.6 | 200 | 0 |"


def page(folder: Path, *rows: str) -> Path:
    path = folder / "versions.md"
    table = "\n".join([matrix.HEAD, "|---|---|---|---|---|---|", *rows])
    path.write_text(f"before\n\n{table}\n\nafter\n", encoding="utf-8")
    return path


def test_a_row_replaces_that_of_the_same_python_and_fiftyone(tmp_path: Path) -> None:
    newer = ROW.replace("3.11.7", "3.10.2").replace("1.8.0", "1.22.1")
    path = page(tmp_path, ROW.replace("3.11.7", "3.11.2"), newer)
    other = ROW.replace("3.11.7", "3.13.0")
    for row in (other, ROW):
        matrix.write_row(path, row)
    before, *table, after = path.read_text(encoding="utf-8").strip().splitlines()
    assert table[3:-1] == [ROW, other, newer]  # by FiftyOne, then Python
    assert (before, after) == ("before", "after")


def test_the_page_says_what_passed_on_the_oldest_that_pip_allows_and_each_python() -> (
    None
):
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in matrix.TABLE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| 3.")
    ]
    assert matrix.oldest_fiftyone() in {row[1].removesuffix(".0") for row in rows}
    assert all(int(row[4]) > 100 and row[5] == "0" for row in rows)
    tried = {tuple(row[0].split(".")[:2]) for row in rows}
    assert tried == {tuple(python.split(".")) for python in matrix.PYTHONS}


def test_every_test_that_it_runs_is_there() -> None:
    assert [path for path in matrix.TESTS if not (ROOT / path).exists()] == []


def test_a_python_that_is_not_there_is_said() -> None:
    with pytest.raises(matrix.MatrixError, match=r"no python3\.99 on PATH"):
        matrix.make(matrix.Pair("3.99", "1.8.0"))
