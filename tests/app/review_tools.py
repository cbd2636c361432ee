"""The review as a person goes through it, in words of what is on the screen."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from playwright.sync_api import Locator, expect
from sklearn.datasets import load_digits

from fiftyone_dfaulo import compute_suspiciousness, suspicious_view
from tests.app.app_tools import App

BATCH = 50
LOOKS_LIKE = "9"
"""The reviewer marks all that look like this class, and no others, however little
suspicious they are: strong evidence, from which the ranking learns."""


class Review:
    """The panel, opened beside the grid."""

    def __init__(self, app: App, *, opened: bool = False) -> None:
        self.app = app
        self.panel = app.tab.locator("[data-cy='panel-content-dfaulo_review']")
        if opened:
            return
        expect(app.tab.locator("[data-cy=action-browse-operations]")).to_be_visible()
        app.tab.keyboard.press("`")
        expect(app.tab.locator("[data-cy=operators-browser]")).to_be_visible()
        app.tab.keyboard.type("Review suspicious")
        app.tab.get_by_text("Review suspicious labels").last.click()

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.panel.get_by_role("button", name=name, exact=True)

    def press(self, name: str | re.Pattern[str]) -> None:
        expect(self.button(name)).to_be_enabled()
        self.button(name).click()

    def next_batch(self) -> None:
        self.press("Next batch")
        self.shows(BATCH)

    def shows(self, count: int) -> None:
        expect(self.app.tab.get_by_text(f"{count} samples")).to_be_visible()

    def select(self, tile: int, *, alt: bool = False) -> None:
        """Clicks the box in the corner of a tile: faulty, or with Alt correct."""
        self.app.tiles.nth(tile).hover()
        self.app.tiles.nth(tile).click(
            position={"x": 18, "y": 18}, modifiers=["Alt"] if alt else []
        )

    def correct(self, text: str) -> None:
        """Opens the drawer that corrects, which then says this."""
        self.press("Correct")
        expect(self.app.drawer.get_by_text(text)).to_be_visible()

    def says(self, text: str | re.Pattern[str]) -> None:
        expect(self.panel.get_by_text(text).first).to_be_visible()

    def estimate(self) -> str:
        return self.panel.get_by_text("found of about").inner_text()


def labels(dataset: Any) -> list[Any]:
    """The labels as the database has them, byte for byte."""
    found = dataset._sample_collection.find({}, {"ground_truth": 1}).sort("_id", 1)
    return [document.get("ground_truth") for document in found]


def faulty_tiles(dataset: Any) -> list[int]:
    """Where in the first batch the reviewer sees a fault; more than a few, not all."""
    batch = suspicious_view(dataset, limit=BATCH)
    looks = batch.values("dfaulo_suggestion.label")
    tiles = [n for n, look in enumerate(looks) if look == LOOKS_LIKE]
    assert 5 <= len(tiles) <= 20
    return tiles


def rank_by_pixels(digits: Any, some: slice = slice(None)) -> None:
    """Runs on the digits with some pixels as embeddings, in the field ``vectors``."""
    pixels = load_digits().data[:600, some].astype(np.float32)
    digits.set_values("vectors", list(pixels / 16))
    compute_suspiciousness(digits, embeddings="vectors", progress=False)
