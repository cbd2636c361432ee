"""A person reviews suspicious labels in the App, and corrects them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, expect
from sklearn.datasets import load_digits

from fiftyone_dfaulo import compute_suspiciousness
from tests.app.app_tools import App


@pytest.fixture
def digits(digits: Any) -> Any:
    """The digits after a run, with their pixels as embeddings."""
    pixels = load_digits().data[:600].astype(np.float32)
    digits.set_values("vectors", list(pixels / 16))
    compute_suspiciousness(digits, embeddings="vectors", progress=False)
    return digits


class Review:
    """The panel, opened beside the grid."""

    def __init__(self, app: App) -> None:
        self.app = app
        app.tab.keyboard.press("`")
        expect(app.tab.locator("[data-cy=operators-browser]")).to_be_visible()
        app.tab.keyboard.type("Review suspicious")
        app.tab.get_by_text("Review suspicious labels").last.click()
        self.panel = app.tab.locator("[data-cy='panel-content-dfaulo_review']")
        expect(self.button("Next batch")).to_be_visible()

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.panel.get_by_role("button", name=name)

    def press(self, name: str | re.Pattern[str]) -> None:
        expect(self.button(name)).to_be_enabled()
        self.button(name).click()

    def select(self, tile: int, *, alt: bool = False) -> None:
        """Clicks the box of a tile: faulty, or with Alt correct."""
        self.app.tiles.nth(tile).hover()
        box = self.app.tiles.nth(tile).locator("[data-cy=select-sample-checkbox]")
        box.click(modifiers=["Alt"] if alt else [], force=True)


def labels(dataset: Any) -> list[Any]:
    """The labels as the database has them, byte for byte."""
    found = dataset._sample_collection.find({}, {"ground_truth": 1}).sort("_id", 1)
    return [document.get("ground_truth") for document in found]


def order(dataset: Any) -> list[Any]:
    """The samples by suspiciousness, as the database sorts them."""
    found = dataset._sample_collection.find({"dfaulo_verdict": None}, {"_id": 1})
    return [d["_id"] for d in found.sort([("dfaulo_suspiciousness", -1)])]


def verdicts(dataset: Any) -> dict[str, int]:
    dataset.reload()
    return dict(dataset.count_values("dfaulo_verdict"))


def test_batch_is_marked_learned_corrected_and_undone(app: App, digits: Any) -> None:
    before = labels(digits)
    review = Review(app)
    expect(review.panel.get_by_text("0 found")).to_be_visible()
    app.photograph("review at first")
    review.press("Next batch")
    expect(app.tab.get_by_text("50 samples")).to_be_visible()
    ranked = order(digits)

    for tile in (0, 1, 2):
        review.select(tile)
    review.select(3, alt=True)
    expect(review.button("Mark 3 faulty, 1 correct")).to_be_visible()
    app.photograph("review with a selection")
    review.press("Mark 3 faulty, 1 correct")
    expect(review.panel.get_by_text("3 found")).to_be_visible()
    assert verdicts(digits) == {"faulty": 3, "correct": 1, None: 596}

    review.press("The rest of this batch is correct")
    expect(review.panel.get_by_text("50 of 598 checked")).to_be_visible()
    assert verdicts(digits) == {"faulty": 3, "correct": 47, None: 550}
    estimate = review.panel.get_by_text("found of about").inner_text()
    app.photograph("review after the batch")

    review.press("Undo marking")
    expect(review.panel.get_by_text("4 of 598 checked")).to_be_visible()
    assert verdicts(digits) == {"faulty": 3, "correct": 1, None: 596}
    review.press("The rest of this batch is correct")
    expect(review.panel.get_by_text("50 of 598 checked")).to_be_visible()

    review.press("Learn")
    expect(app.tab.get_by_text("the ranking is up to date")).to_be_visible()
    learned = order(digits)
    assert learned != [i for i in ranked if i in set(learned)]
    assert "about" in estimate

    review.press("Correct")
    form = app.tab.locator("[data-cy=operators-prompt-modal]")
    expect(form.get_by_text("All that are marked faulty (3)")).to_be_visible()
    app.photograph("form to correct")
    form.get_by_role("button", name="Execute", exact=True).click()
    expect(app.tab.get_by_text("Corrected: 3 samples")).to_be_visible()
    changed = [a != b for a, b in zip(before, labels(digits))]
    assert sum(changed) == 3

    review.press("Undo corrections")
    form.get_by_role("button", name="Execute", exact=True).click()
    expect(app.tab.get_by_text("Brought back: the label of 3")).to_be_visible()
    assert labels(digits) == before
