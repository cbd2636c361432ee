"""Photographs the App for the documentation: find, review, correct.

    make pictures

A real App in a real Chromium (``DFAULO_CHROMIUM`` says where it is), on the first 600
of scikit-learn's digits, of which 30 have a wrong label. It writes into
``docs/images/``: ``app.png``, the grid after a run; ``review.png``, a batch beside the
panel; and ``tour.gif``, the way from the form to the corrected labels.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import ViewportSize, expect, sync_playwright
from sklearn.datasets import load_digits

from fiftyone_dfaulo import suspicious_view
from tests.app.app_tools import App
from tests.app.conftest import FLAGS, chromium, serving
from tests.app.review_tools import BATCH, Review

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
SIZE: ViewportSize = {"width": 1200, "height": 800}
WIDTH = 960  # of the animated picture
COLOURS = 64
ORANGE = "#ff6d04"
REST = re.compile(r"^Mark selected, and the rest of \d+ correct$")
COUNT, WRONG, ENLARGED = 600, 30, 8
"""Digits, those with a wrong label, and how often each pixel is repeated."""

SECONDS = {
    "1  Find: choose the labels, and execute": 3.0,
    "The worst come first: label, suggestion, suspiciousness": 4.0,
    "2  Review: click the box of each wrong label": 4.0,
    "The panel counts what is found, and what is left": 4.0,
    "3  Correct: see what will change": 4.0,
    'Corrected. "Undo corrections" brings every label back': 4.0,
}
"""What stands under each picture, and how long it is shown."""


def build_dataset(folder: Path) -> Any:
    """The digits, and in ``true_label`` what they are."""
    digits, rng = load_digits(), np.random.default_rng(51)
    truth = digits.target[:COUNT]
    given = truth.copy()
    wrong = rng.choice(COUNT, WRONG, replace=False)
    given[wrong] = (given[wrong] + rng.integers(1, 10, WRONG)) % 10
    dataset = fo.Dataset("digits", persistent=True, overwrite=True)
    samples = []
    for number, pixels in enumerate(digits.images[:COUNT]):
        path = folder / f"{number:04}.png"
        large = np.kron(pixels * 255 / 16, np.ones((ENLARGED, ENLARGED)))
        Image.fromarray(large.astype(np.uint8)).save(path)
        label = fo.Classification(label=str(given[number]))
        samples.append(fo.Sample(filepath=str(path), ground_truth=label))
        samples[-1]["true_label"] = str(truth[number])
    dataset.add_samples(samples)
    return dataset


class Camera:
    """Takes the pictures of one tab of the browser."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.frames: list[Image.Image] = []

    def take(self, name: str | None = None, *, settle: bool = True) -> None:
        """The next picture of the tour; under a name, it is a file of its own too."""
        if settle:
            self.app.settle()
        shown = Image.open(BytesIO(self.app.tab.screenshot())).convert("RGB")
        if name:
            shown.quantize(256).save(IMAGES / name, optimize=True)
        self.frames.append(_with_caption(shown, list(SECONDS)[len(self.frames)]))

    def save(self, name: str) -> None:
        """The animated picture."""
        palette = self.frames[-1].quantize(COLOURS)
        first, *rest = [
            one.quantize(palette=palette, dither=Image.Dither.NONE)
            for one in self.frames
        ]
        first.save(
            IMAGES / name,
            save_all=True,
            append_images=rest,
            duration=[1000 * seconds for seconds in SECONDS.values()],
            loop=0,
            optimize=True,
        )


def _with_caption(shown: Image.Image, text: str) -> Image.Image:
    height = round(WIDTH * shown.height / shown.width)
    frame = Image.new("RGB", (WIDTH, height + 44), "#111111")
    frame.paste(shown.resize((WIDTH, height), Image.Resampling.LANCZOS), (0, 44))
    draw = ImageDraw.Draw(frame)
    draw.rectangle((0, 0, 8, 44), fill=ORANGE)
    draw.text((22, 10), text, "white", ImageFont.load_default(22))
    return frame


def find(app: App, camera: Camera) -> None:
    """Runs "Find suspicious labels"; the grid then shows the worst first."""
    app.open_form()
    camera.take()
    app.button("Execute").click()
    app.works_until("Scored")
    app.tab.get_by_role("button", name="Done", exact=True).click()
    expect(app.message).to_be_hidden()
    expect(
        app.tiles.first.locator("[data-cy=tag-dfaulo_suspiciousness]")
    ).to_be_visible()
    camera.take("app.png")


class OpenedReview(Review):
    """The panel that a run has opened."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.panel = app.tab.locator("[data-cy='panel-content-dfaulo_review']")


def check(app: App, camera: Camera, dataset: Any) -> Review:
    """Marks a batch, as one does who knows what the digits are."""
    dataset.reload()
    review = OpenedReview(app)
    review.next_batch()
    batch = suspicious_view(dataset, limit=BATCH)
    given, truth = batch.values(["ground_truth.label", "true_label"])
    app.settle()
    wrong = [n for n in range(BATCH) if given[n] != truth[n]]
    for tile in wrong:
        review.select(tile)
    review.select(next(n for n in range(BATCH) if n not in wrong), alt=True)
    app.tiles.first.scroll_into_view_if_needed()
    camera.take("review.png")
    review.press(REST)
    review.says(f"{BATCH} of {COUNT} checked")
    camera.take()
    return review


def correct(app: App, camera: Camera, review: Review) -> None:
    """Corrects what was marked faulty."""
    review.correct("labels change")
    camera.take()
    app.drawer.get_by_role("button", name="Correct", exact=True).click()
    expect(app.tab.get_by_text("Corrected: ")).to_be_visible()
    camera.take(settle=False)  # the message is gone soon


def plugged_in(folder: Path) -> dict[str, str]:
    """The variables for a server that has the plugin of this copy of the repository."""
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "dfaulo").symlink_to(ROOT, target_is_directory=True)
    return {**os.environ, "FIFTYONE_PLUGINS_DIR": str(plugins)}


def main() -> None:
    """Starts database, server and browser, and writes the pictures."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        dataset = build_dataset(folder)
        server = stack.enter_context(serving(plugged_in(folder), folder / "server.log"))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        app = App(
            browser.new_page(viewport=SIZE),
            f"{server.url}/datasets/{dataset.name}",
            folder,
        )
        app.open()
        camera = Camera(app)
        find(app, camera)
        correct(app, camera, check(app, camera, dataset))
        camera.save("tour.gif")
        browser.close()


if __name__ == "__main__":
    main()
