"""From a clone to the first sorted grid: seconds, and bytes, stage by stage.

    python tools/first_grid.py [--folder FOLDER] [--python PYTHON]

Clones this repository's last commit into a new folder and does there what a new
user does: ``make demo``, ``make app``, a browser. The installation, which ``make demo``
would do, is a stage of its own. pip's cache is empty, so several GB are downloaded.
Prints the table of ``docs/install.md``, and the largest packages. The browser is the
Chromium on PATH, or that of ``DFAULO_CHROMIUM``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
UNITS = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
PORT = 5163
PATIENCE = 300.0
"""Seconds until the App has to show its grid."""

TILES = "[data-cy=fo-grid] [data-cy=looker]"
LARGEST = 5


class Stage(NamedTuple):
    """A row of the table.

    Attributes:
        name: what is done.
        seconds: how long it took.
        downloaded: bytes that pip has fetched.
        disk: bytes that lie on the disk afterwards, and did not before.
    """

    name: str
    seconds: float
    downloaded: float
    disk: float


def downloaded(log: str) -> float:
    """The bytes of all distributions that pip has fetched.

    Args:
        log: what pip writes into the file of ``PIP_LOG``. Files that lay on this
            machine count as if they came from elsewhere.
    """
    lines = r"\bDownloading (\S+) \(([\d.]+) (bytes|kB|MB|GB)\)"
    fetched = {name: float(n) * UNITS[unit] for name, n, unit in re.findall(lines, log)}
    local = set(re.findall(r"\bProcessing (/\S+\.(?:whl|tar\.gz))", log))
    return sum(fetched.values()) + sum(map(os.path.getsize, local))


def size(folder: Path) -> int:
    """The bytes that the files of a folder take on the disk, links counted once."""
    seen: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(folder):
        for status in (os.lstat(os.path.join(parent, name)) for name in names):
            seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


def packages(environment: Path) -> list[tuple[str, int]]:
    """The folders of an environment's packages and their bytes, largest first."""
    (site,) = environment.glob("lib/python*/site-packages")
    found = [(one.name, size(one)) for one in site.iterdir() if one.is_dir()]
    return sorted(found, key=lambda pair: -pair[1])


def measure(folder: Path, python: str) -> Iterator[Stage]:
    """Goes the whole way in a new folder, and tells of each stage when it is done."""
    clone, log = folder / "clone", folder / "pip.log"
    env = {**os.environ, "PIP_LOG": str(log), "PIP_CACHE_DIR": str(folder / "cache")}
    env.pop("PYTHONPATH", None)
    make = ["make", "-C", str(clone), f"PYTHON={python}"]

    def stage(name: str, work: Callable[[], object]) -> Stage:
        before, start = size(clone), time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        text = log.read_text("utf-8", errors="replace") if log.exists() else ""
        log.unlink(missing_ok=True)
        return Stage(name, seconds, downloaded(text), size(clone) - before)

    def call(*command: str) -> Callable[[], object]:
        return lambda: subprocess.run(command, env=env, check=True, stdout=sys.stderr)

    git = ("git", "clone", "--quiet", "--no-local", str(ROOT), str(clone))
    yield stage("`git clone`", call(*git))
    yield stage("installing, once", call(*make, ".venv/.ready"))
    yield stage("`make demo`: faults planted and found", call(*make, "demo"))
    picture = folder / "grid.png"
    yield stage("`make app` to the sorted grid", lambda: show(make, env, picture))


def show(make: Sequence[str], env: dict[str, str], picture: Path) -> None:
    """Starts the App and waits for its grid in a browser."""
    from playwright.sync_api import sync_playwright

    browser = os.environ.get("DFAULO_CHROMIUM") or shutil.which("chromium")
    with _running([*make, "app", f"PORT={PORT}"], env), sync_playwright() as playwright:
        tab = playwright.chromium.launch(
            executable_path=browser, args=["--no-sandbox"]
        ).new_page(viewport={"width": 1400, "height": 900})
        _open(tab, f"http://127.0.0.1:{PORT}")
        tab.screenshot(path=picture)


def _open(tab: Any, address: str) -> None:
    from playwright.sync_api import Error

    end = time.monotonic() + PATIENCE
    while True:
        try:
            tab.goto(address)
            break
        except Error:  # the server does not listen yet
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
    tab.locator(TILES).first.wait_for(timeout=PATIENCE * 1000)


@contextmanager
def _running(command: Sequence[str], env: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        command, env=env, start_new_session=True, stdout=sys.stderr
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def in_words(count: float) -> str:
    """Bytes as GB or MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def row(stage: Stage) -> str:
    """A stage as a row of the table."""
    got = in_words(stage.downloaded) if stage.downloaded else ""
    return f"| {stage.name} | {stage.seconds:.0f} | {got} | {in_words(stage.disk)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, help="make the clone here, and keep it")
    parser.add_argument("--python", default=sys.executable, help="for the environment")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dfaulo-first-") as temporary:
        folder = options.folder or Path(temporary)
        stages = []
        for stage in measure(folder.resolve(), os.path.realpath(options.python)):
            print(row(stage), flush=True)
            stages.append(stage)
        total = Stage("all", *(sum(column) for column in zip(*(s[1:] for s in stages))))
        print(row(total))
        for name, count in packages(folder / "clone" / ".venv")[:LARGEST]:
            print(f"{name}: {in_words(count)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
