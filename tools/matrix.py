"""Tests the package on the oldest and the newest FiftyOne and Python.

    python tools/matrix.py [PYTHON:FIFTYONE ...] [--keep] [--table FILE]

Each pair, such as ``3.10:1.8.0``, gets an environment of its own in ``.matrix``, made
as pip makes it for users, and runs the fast part of the tests there. Torch and its CUDA
libraries, several GB, are linked from this environment where they fit. What passed is a
row of the table in ``docs/versions.md``; the pairs that were not run keep theirs.
Without pairs, these are: the oldest FiftyOne of ``requirements.txt`` and the one that
is installed here, each on the oldest Python that there is and on the newest.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".matrix"
TABLE = ROOT / "docs" / "versions.md"
LOGS = ROOT / "test-artifacts"

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
"""The Pythons that the package is for, oldest first."""

TESTS = (
    "tests/test_package.py",
    "tests/adapter/review/test_views.py",
    "tests/adapter/runs/test_brain_run.py",
    "tests/adapter/runs/test_colors.py",
    "tests/adapter/runs/test_saved_view.py",
    "tests/plugin/operators/test_base.py",
    "tests/plugin/operators/test_compute.py",
    "tests/plugin/panel/test_panel.py",
)
"""The fast part of the tests: what touches FiftyOne in as many ways as there are."""

TOOLS = ("hypothesis", "pytest>=8", "setuptools")

LINKED = re.compile(r"nvidia-|cuda-toolkit|cuda-pathfinder")
"""Distributions that are the same for every Python."""

BOUND = re.compile(r"torch$|torchvision$|triton$|cuda-bindings$")
"""Distributions of torch that are built for one Python."""

HEAD = "| Python | FiftyOne | torch | numpy | tests passed | failed |"


class Pair(NamedTuple):
    """A Python and a FiftyOne, as ``"3.10"`` and ``"1.8.0"``."""

    python: str
    fiftyone: str


class MatrixError(Exception):
    """A pair cannot be tested here."""


def oldest_fiftyone() -> str:
    """The oldest FiftyOne that requirements.txt allows."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    found = re.search(r"^fiftyone>=([\d.]+)", text, re.MULTILINE)
    if found is None:
        raise MatrixError("requirements.txt states no oldest FiftyOne")
    return found.group(1)


def find_python(version: str) -> str | None:
    """A Python of this version: on PATH, or one of pyenv's; None if none runs.

    Args:
        version: such as ``"3.10"``.
    """
    found = [shutil.which(f"python{version}")]
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found += map(str, sorted(root.glob(f"versions/{version}.*/bin/python")))
    for path in filter(None, found):  # pyenv's own may be there, and refuse to run
        if subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            return path
    return None


def usual_pairs() -> list[Pair]:
    """Oldest and newest of both, of what is there."""
    pythons = [one for one in PYTHONS if find_python(one)]
    ends = dict.fromkeys((pythons[0], pythons[-1])) if pythons else ()
    versions = (oldest_fiftyone(), metadata.version("fiftyone"))
    return [Pair(python, version) for version in versions for python in ends]


def make(pair: Pair) -> Path:
    """Makes the environment of a pair; returns its Python.

    Raises:
        MatrixError: if the interpreter is missing, or pip fails.
    """
    found = find_python(pair.python)
    if found is None:
        raise MatrixError(f"there is no python{pair.python} on PATH that runs")
    folder = WORK / f"{pair.python}-{pair.fiftyone}"
    shutil.rmtree(folder, ignore_errors=True)
    _run([found, "-m", "venv", str(folder)])
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    for one in _shared(pair.python):
        _link(one, site)
    wanted = ["-r", str(ROOT / "requirements.txt"), f"fiftyone=={pair.fiftyone}"]
    _run([str(python), "-m", "pip", "install", "--quiet", *wanted, *TOOLS])
    return python


def _shared(python: str) -> Iterator[metadata.Distribution]:
    """What a new environment takes from this one."""
    same = python == f"{sys.version_info.major}.{sys.version_info.minor}"
    for one in metadata.distributions():
        name = one.metadata["Name"].lower().replace("_", "-")
        if LINKED.match(name) or (same and BOUND.match(name)):
            yield one


def _link(one: metadata.Distribution, site: Path) -> None:
    """Links a distribution's files; a later uninstall leaves the originals alone."""
    for file in one.files or ():
        source, target = Path(str(one.locate_file(file))), site / file
        if ".." in file.parts or not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:  # on another disk
            shutil.copy2(source, target)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise MatrixError("\n".join([" ".join(command[:5]), *words[-8:]]))


def test(pair: Pair, python: Path) -> str:
    """Runs the tests of a pair; returns its row of the table.

    Raises:
        MatrixError: if pytest did not come to an end.
    """
    LOGS.mkdir(exist_ok=True)
    log = LOGS / f"matrix-{pair.python}-{pair.fiftyone}.log"
    command = [sys.executable, str(ROOT / "tools" / "isolated.py"), str(python)]
    # only this project's own environment promises that no library warns
    command += ["-m", "pytest", "-q", "-W", "default", "-p", "no:cacheprovider"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("w", encoding="utf-8") as out:
        subprocess.run([*command, *TESTS], cwd=ROOT, env=env, stdout=out, stderr=out)
    text = log.read_text(encoding="utf-8")
    counts = {
        what: int(n) for n, what in re.findall(r"(\d+) (passed|failed|error)", text)
    }
    if not counts:
        raise MatrixError(f"pytest came to no end: see {log}")
    failed = counts.get("failed", 0) + counts.get("error", 0)
    query = "from importlib.metadata import version as v; import platform as p; "
    query += "print(p.python_version(), v('fiftyone'), v('torch').split('+')[0], "
    query += "v('numpy'))"
    seen = subprocess.run([python, "-c", query], capture_output=True, text=True)
    cells = (*seen.stdout.split(), counts.get("passed", 0), failed)
    return f"| {' | '.join(map(str, cells))} |"


def write_row(table: Path, row: str) -> None:
    """Puts a row into the table of the page, in place of the same pair's."""
    text = table.read_text(encoding="utf-8")
    start = text.index(HEAD)
    end = text.find("\n\n", start)
    lines = text[start : end if end >= 0 else len(text)].strip().splitlines()
    kept = [line for line in lines[2:] if _key(line) != _key(row)]
    rows = sorted([*kept, row], key=_key)
    rest = text[end:] if end >= 0 else "\n"
    new = text[:start] + "\n".join([*lines[:2], *rows]) + rest
    table.write_text(new, encoding="utf-8")


def _key(row: str) -> tuple[list[int], list[int]]:
    """FiftyOne and Python of a row, without Python's last number."""
    python, fiftyone = (cell.strip() for cell in row.split("|")[1:3])
    numbers = [[int(n) for n in text.split(".")] for text in (fiftyone, python)]
    return numbers[0], numbers[1][:2]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: see the top of this file. 0 if no test failed, else 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", nargs="*", metavar="PYTHON:FIFTYONE")
    parser.add_argument("--keep", action="store_true", help="keep the environments")
    parser.add_argument("--table", type=Path, default=TABLE, help="the page to write")
    options = parser.parse_args(arguments)
    asked = [Pair(*text.split(":")) for text in options.pairs]
    good = True
    for pair in asked or usual_pairs():
        print(f"Python {pair.python}, FiftyOne {pair.fiftyone}", flush=True)
        try:
            row = test(pair, make(pair))
        except MatrixError as error:
            print(f"  {error}", file=sys.stderr, flush=True)
            good = False
            continue
        finally:
            if not options.keep:
                folder = WORK / f"{pair.python}-{pair.fiftyone}"
                shutil.rmtree(folder, ignore_errors=True)
        print(f"  {row}", flush=True)
        write_row(options.table, row)
        good = good and row.endswith("| 0 |")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
