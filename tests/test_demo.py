"""``make demo`` and ``make app``, as a new user calls them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.conftest import FLAGS, chromium

ROOT = Path(__file__).parents[1]


def clean_environment() -> dict[str, str]:
    """The caller's environment without the FiftyOne of these tests."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FIFTYONE_", "MAKE"))
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo keeps its files here, so that nobody's own demo is touched."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def printed(folder: Path) -> str:
    """What the demo prints."""
    done = subprocess.run(
        ["make", "demo", f"DEMO_DIR={folder}"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_demo_finds_most_planted_faults_within_twice_their_number(printed: str) -> None:
    (total,) = re.findall(r"(\d+) labels were made wrong", printed)
    shares = re.findall(r"(\d+) samples finds +\d+ of them \((\d+)%\)", printed)
    assert int(dict(shares)[str(2 * int(total))]) >= 80


@pytest.fixture(scope="module")
def address(folder: Path, printed: str) -> Iterator[str]:
    """Where the App answers that ``make app`` opens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = subprocess.Popen(
        ["make", "app", f"PORT={port}", f"DEMO_DIR={folder}"],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, app)
        yield url
    finally:
        # not SIGINT, which a shell has what it starts in the background ignore
        os.killpg(app.pid, signal.SIGTERM)
        app.wait(timeout=60)


def test_one_command_is_enough_on_a_fresh_clone(tmp_path: Path) -> None:
    for name, is_made in (("missing", False), (".", True)):
        asked = ["make", "-n", "app", f"DEMO_DIR={tmp_path / name}"]
        told = subprocess.run(
            asked,
            cwd=ROOT,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert ("quickstart.py" in told.stdout) != is_made
        assert "open_demo.py" in told.stdout


def test_app_opens_on_what_the_demo_made(address: str) -> None:
    with urllib.request.urlopen(f"{address}/datasets/dfaulo-demo") as response:
        assert "<title>FiftyOne</title>" in response.read().decode()


def test_app_shows_the_ranking_and_the_review_beside_it(address: str) -> None:
    path = chromium()
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        tab = browser.new_page()
        tab.goto(address)
        tab.wait_for_url(re.compile("dfaulo-demo.view=most-suspicious-dfaulo"))
        shown = tab.locator("[data-cy=tag-dfaulo_suspiciousness]").first
        expect(shown).to_have_text(re.compile(r"^(1|0\.9\d+)$"), timeout=60_000)
        panel = tab.locator("[data-cy='panel-content-dfaulo_review']")
        expect(panel.get_by_text("0 found")).to_be_visible(timeout=60_000)
        browser.close()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> str:
    """The page at an address, as soon as it answers."""
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return str(response.read().decode())
        except OSError:
            assert process.poll() is None, "the App ended"
            assert time.monotonic() < deadline, "the App did not start"
            time.sleep(0.5)
