"""What the way to the first grid takes is counted from pip's log and from the disk."""

from __future__ import annotations

import os
from pathlib import Path

import first_grid
from first_grid import Stage


def test_what_pip_fetched_is_counted_once_each(tmp_path: Path) -> None:
    local = tmp_path / "six-1.0-py3-none-any.whl"
    local.write_bytes(bytes(500))
    log = f"""\
12:00   Downloading torch-2.0-cp311-linux_x86_64.whl (1.5 MB)
12:00   Downloading torch-2.0-cp311-linux_x86_64.whl.metadata (2 kB)
12:01   Downloading torch-2.0-cp311-linux_x86_64.whl (1.5 MB)
12:01 Processing {local}
12:02   Found link file:///elsewhere/other-1.0-py3-none-any.whl
12:03   Using cached other-1.0-py3-none-any.whl (9.9 MB)
"""
    assert first_grid.downloaded(log) == 1.5e6 + 2e3 + 500
    assert first_grid.downloaded("") == 0


def test_a_file_with_two_names_takes_its_place_once(tmp_path: Path) -> None:
    first = tmp_path / "inner" / "first"
    first.parent.mkdir()
    first.write_bytes(bytes(100_000))
    alone = first_grid.size(tmp_path)
    assert 90_000 < alone < 200_000
    os.link(first, tmp_path / "second")
    assert first_grid.size(tmp_path) == alone
    assert first_grid.size(tmp_path / "not there") == 0


def test_a_row_says_bytes_only_where_there_are_some() -> None:
    assert first_grid.row(Stage("a", 61.4, 0, 2.04e6)) == "| a | 61 |  | 2 MB |"
    assert first_grid.row(Stage("b", 0.2, 3.21e9, 0)) == "| b | 0 | 3.2 GB | 0 MB |"
