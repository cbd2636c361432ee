"""How many clicks and keys a person needs, counted by the browser."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from sklearn.datasets import load_digits

from fiftyone_dfaulo import compute_suspiciousness, suspicious_view
from tests.app.app_tools import App
from tests.app.review_tools import BATCH, Review

COUNT = """
window.presses = 0;
for (const kind of ["mousedown", "keydown"])
    window.addEventListener(kind, (event) => {
        const holds = ["Alt", "Shift", "Control", "Meta"].includes(event.key);
        if (event.isTrusted && !holds) window.presses += 1;
    }, true);
"""
"""Counts what is pressed; keys that are held while one clicks go with the click."""

WEATHER = [["Rain", "Cloudy"], ["Snow", "Fog"]]
"""Classes that are taken for one another, most of the faults the first two."""

FAULTS = 43


@pytest.fixture
def digits(digits: Any) -> Any:
    """Digits of four classes called after the weather: some have another one's name."""
    rng = np.random.default_rng(51)
    data = load_digits()
    true = np.array(["Rain", "Cloudy", "Snow", "Fog"], object)[data.target[:600] % 4]
    names = true.copy()
    for one in rng.choice(np.flatnonzero(true == "Cloudy"), FAULTS - 5, replace=False):
        names[one] = "Rain"
    for one in rng.choice(np.flatnonzero(true == "Fog"), 5, replace=False):
        names[one] = "Snow"
    digits.set_values("ground_truth.label", names.tolist())
    digits.set_values("true", true.tolist())
    digits.set_values("vectors", list(data.data[:600] / 16))
    return digits


def presses(tab: Page) -> int:
    return int(tab.evaluate("window.presses"))


def wrong(digits: Any, **which: Any) -> list[bool]:
    """Which samples of the next batch have a wrong label."""
    view = suspicious_view(digits, limit=BATCH, unreviewed=True, **which)
    given, true = view.values(["ground_truth.label", "true"])
    return [a != b for a, b in zip(given, true)]


@pytest.mark.usefixtures("opens_itself")
def test_from_find_to_corrected_labels(app: App, digits: Any) -> None:
    app.tab.add_init_script(COUNT)
    app.open()
    app.settle()
    app.tab.evaluate("window.presses = 0")
    app.tab.locator("[data-item-id='@dfaulo/dfaulo/open_review']").click()
    review = Review(app, opened=True)
    review.press("Find suspicious labels")
    expect(app.button("Execute")).to_be_enabled()
    app.button("Execute").click()
    app.works_until("Scored")
    app.tab.get_by_role("button", name="Done", exact=True).click()
    expect(app.tiles.first.locator("[data-cy=tag-dfaulo_suggestion]")).to_be_visible()
    to_sorted_grid = presses(app.tab)
    app.settle()

    review.next_batch()
    before, checked = presses(app.tab), 0
    for ways in ("faulty", "correct"):
        app.settle()
        faulty = wrong(digits)
        app.photograph(f"batch whose rest is {ways}")
        assert (sum(faulty) > BATCH / 2) == (ways == "faulty")
        main = review.button(f"Mark selected, and the rest of {BATCH} {ways}")
        expect(main).to_contain_class("MuiButton-contained")
        for tile, is_faulty in enumerate(faulty):
            if is_faulty == (ways == "correct"):
                review.select(tile, alt=ways == "faulty")
        main.click()
        checked += BATCH
        review.says(f"{checked} of 600 checked")
        if ways == "faulty":
            first = sum(faulty), presses(app.tab) - before
    app.settle()
    review.press("Correct")
    app.drawer.get_by_role("button", name="Correct", exact=True).click()
    expect(app.tab.get_by_text("Corrected: ")).to_be_visible()
    in_all = presses(app.tab)
    digits.reload()
    labels, true = digits.exists("ground_truth").values(["ground_truth.label", "true"])
    left = sum(a != b for a, b in zip(labels, true))
    print(f"{to_sorted_grid=}, batch of {first=}, {in_all=}, {left=} faults")
    assert left <= FAULTS / 4  # those that look like neither, or come later
    assert to_sorted_grid <= 4
    assert first[0] >= 36
    assert first[1] <= 16
    assert in_all <= 30


@pytest.mark.usefixtures("opens_itself")
def test_one_key_a_verdict_in_the_grid_and_in_the_modal(app: App, digits: Any) -> None:
    compute_suspiciousness(digits, embeddings="vectors", progress=False)
    app.open()
    review = Review(app)
    review.says("1 Cloudy, 2 Fog, 3 Rain, 4 Snow")
    review.next_batch()
    app.settle()
    batch = suspicious_view(digits, limit=BATCH)
    ids, given, looks = batch.values(
        ["id", "ground_truth.label", "dfaulo_suggestion.label"]
    )
    assert given[2] != looks[2]
    app.tab.keyboard.press("f")
    expect(app.tab.get_by_text("No sample is selected or open")).to_be_visible()
    review.select(0)
    app.settle()
    app.tab.keyboard.press("g")
    expect(app.tab.get_by_text("Marked correct: 1 sample")).to_be_visible()
    app.settle()

    box = app.tiles.nth(1).bounding_box()
    assert box is not None
    place = {"x": box["width"] - 9, "y": 0.65 * box["height"]}
    app.tiles.nth(1).click(position=place)
    key, new = ("4", "Snow") if given[3] == "Fog" else ("2", "Fog")
    modal = app.tab.locator("[data-cy=modal]")
    expect(modal).to_be_visible()
    app.settle()
    opened = modal.locator("> *").first.bounding_box()
    for n, one in enumerate(["f", "s", key, "n", "e"], start=1):
        app.tab.wait_for_url(re.compile(f"[?&]id={ids[n]}"))
        app.settle()
        if n == 2:
            app.photograph("modal after a key")
        app.tab.keyboard.press(one)
        # the App's own f fills the window, and its s hides the sidebar
        assert modal.locator("> *").first.bounding_box() == opened
        expect(app.tab.get_by_text("Annotate", exact=True)).to_be_visible()
    app.tab.wait_for_url(re.compile(f"[?&]id={ids[6]}"))
    app.settle()
    app.photograph("modal after five keys")
    digits.reload()
    marked = digits.select(ids[:7], ordered=True)
    verdicts = ["correct", "faulty", "faulty", "faulty", "unsure", "exclude", None]
    assert marked.values("dfaulo_verdict") == verdicts
    labels = [given[0], given[1], looks[2], new, *given[4:7]]
    assert marked.values("ground_truth.label") == labels
