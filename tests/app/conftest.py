"""A real App server, a real worker and a real browser, all on this machine alone."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone as fo
import fiftyone.constants as foc
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.app.app_tools import App

ROOT = Path(__file__).parents[2]
ARTIFACTS = Path(os.environ.get("DFAULO_ARTIFACTS", ROOT / "test-artifacts"))
PATIENCE = 90.0
_numbers = itertools.count(1)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

STILL = """
addEventListener("DOMContentLoaded", () => {
  const style = document.createElement("style");
  style.textContent = "*, *::before, *::after" +
    "{ animation: none !important; transition: none !important; }";
  document.head.append(style);
});
"""
"""Nothing moves: a quarter of what Chromium computes, where it draws without a GPU."""


class Server(NamedTuple):
    """The App's server: its address, the file that it logs to, and its process."""

    url: str
    log: Path
    process: Any


def chromium() -> str:
    """The path of Chromium; without one, skips, or fails where one is required."""
    names = ("chromium", "chromium-browser", "google-chrome")
    places = [os.environ.get("DFAULO_CHROMIUM"), *map(shutil.which, names)]
    found = [place for place in places if place]
    if found:
        return found[0]
    missing = (
        "NO BROWSER: the tests of the App did not run. Install chromium, or set "
        "DFAULO_CHROMIUM to the path of a Chromium or Chrome"
    )
    if os.environ.get("DFAULO_REQUIRE_BROWSER") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@contextmanager
def running(command: list[str], log: Path, **kwargs: Any) -> Iterator[Any]:
    """Runs a process until the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, **kwargs
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(autouse=True)
def _alone(nobody_else: None) -> None:
    """Most tests are alone on their dataset."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, with one new profile for all tests: its cache saves time.

    Not for the session: Playwright keeps an event loop running, and FiftyOne executes
    operators otherwise where it sees one.
    """
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        context = started.new_context(viewport={"width": 1400, "height": 900})
        context.add_init_script(STILL)
        yield context
        started.close()


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables for server and worker: the tests' database, and the plugin."""
    plugins = tmp_path_factory.mktemp("plugins")
    (plugins / "dfaulo").symlink_to(ROOT, target_is_directory=True)
    return {
        **os.environ,
        "FIFTYONE_PLUGINS_DIR": str(plugins),
        "DFAULO_TRUSTED_MODELS": str(tmp_path_factory.mktemp("models")),
        "DFAULO_EXPORTS": str(tmp_path_factory.getbasetemp()),
        "FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS": "true",
    }


@contextmanager
def serving(environment: dict[str, str], log: Path) -> Iterator[Server]:
    """The App's server, as FiftyOne itself starts it, until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "main.py", "--address", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running(command, log, env=environment, cwd=foc.SERVER_DIR) as process:
        _wait_for(url, process, log)
        yield Server(url, log, process)


@pytest.fixture(scope="session")
def server(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for all tests."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    with serving(environment, log) as server:
        yield server


def _wait_for(url: str, process: Any, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/fiftyone", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the App's server does not answer:\n{log.read_text()[-3000:]}")


@pytest.fixture
def worker(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A real ``fiftyone delegated launch``."""
    command = shutil.which("fiftyone", path=str(Path(sys.executable).parent))
    assert command, "the fiftyone command is not installed beside this Python"
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    with running([command, "delegated", "launch"], log, env=environment):
        yield


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 600 of scikit-learn's handwritten digits, as files."""
    folder = tmp_path_factory.mktemp("digits")
    for position, pixels in enumerate(load_digits().images[:600]):
        image = Image.fromarray((pixels * 255 / 16).astype(np.uint8))
        image.save(folder / f"{position:04}.png")
    return folder


@pytest.fixture
def digits(digits_folder: Path) -> Iterator[Any]:
    """A dataset of 600 real digits: 30 with a wrong label, 2 with none."""
    rng = np.random.default_rng(51)
    labels = load_digits().target[:600].copy()
    wrong = rng.choice(600, 30, replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, 30)) % 10
    name = f"digits-{next(_numbers)}"  # the App keeps state by name
    dataset = fo.Dataset(name, persistent=True)
    dataset.add_samples(
        fo.Sample(
            filepath=str(path),
            tags=["wrong"] if position in wrong else [],
            ground_truth=fo.Classification(label=str(labels[position])),
        )
        for position, path in enumerate(sorted(digits_folder.iterdir()))
    )
    for sample in dataset.match_tags("wrong", bool=False).limit(2):
        sample.ground_truth = None
        sample.save()
    yield dataset
    dataset.delete()


@pytest.fixture
def address(digits: Any) -> str:
    """What the App is to open: a dataset, or a saved view of it."""
    return str(digits.name)


@pytest.fixture
def opens_itself() -> None:
    """The test opens the App, once what it is to show is there: each time is slow."""


@pytest.fixture
def app(
    browser: Any, server: Server, address: str, request: pytest.FixtureRequest
) -> Iterator[App]:
    """The App, opened on the digits unless the test does so itself."""
    tab = browser.new_page()
    opened = App(tab, f"{server.url}/datasets/{address}", ARTIFACTS)
    if "opens_itself" not in request.fixturenames:
        opened.open()
    yield opened
    if not tab.is_closed():
        opened.photograph(f"end of {request.node.name}")
        tab.close()
