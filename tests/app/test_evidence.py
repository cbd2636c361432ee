"""A person asks why a label is suspicious, and how far the review is."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from fiftyone_dfaulo import explain_suspiciousness
from tests.app.app_tools import App
from tests.app.review_tools import BATCH, Review, rank_by_pixels
from tests.app.test_review import contrast

THEMES = "[data-testid=LightModeIcon], [data-testid=DarkModeIcon]"

TEXTS = """root => [...root.querySelectorAll("*")]
    .filter(e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())
        && e.offsetParent && !e.closest(":disabled, .js-plotly-plot")
        && !e.closest(".MuiButton-contained"))
    .map(e => {
        let under = e;
        while (getComputedStyle(under).backgroundColor.startsWith("rgba"))
            under = under.parentElement;
        return [e.innerText, getComputedStyle(e).color,
            getComputedStyle(under).backgroundColor];
    })"""
"""Each text of the panel that can be used, with its colour and the one under it. The
App's own filled buttons are as it has them."""


@pytest.fixture
def digits(digits: Any) -> Any:
    """The digits after a run, with their pixels as embeddings."""
    rank_by_pixels(digits)
    return digits


CUT_OFF = """root => {
    const edge = root.getBoundingClientRect();
    return [...root.querySelectorAll("*")]
        .filter(e => !e.parentElement.closest("svg") && e.offsetParent !== null)
        .filter(e => {
            const box = e.getBoundingClientRect();
            const out = box.right > edge.right + 1 || box.left < edge.left - 1;
            const wide = e.scrollWidth > e.clientWidth + 1;
            const high = e.scrollHeight > e.clientHeight + 1;
            const over = high && e.matches(".js-plotly-plot"); // over what follows it
            return box.width && (out || wide || over);
        })
        .map(e => `${e.tagName} ${e.className?.baseVal ?? e.className} ${e.innerText}`);
}"""
"""Whatever in the panel reaches beyond its edges, or has more in it than it shows."""

PLOTS_FIT = """() => [...document.querySelectorAll(".js-plotly-plot")].every(
    e => Math.abs(e.querySelector(".main-svg").clientWidth - e.clientWidth) < 2)"""
"""A plot follows its panel a moment later."""


def look_at(review: Review, what: str) -> None:
    """Photographs the panel in both themes and in a narrow window; checks its texts."""
    for width in (1400, 900):
        review.app.tab.set_viewport_size({"width": width, "height": 900})
        review.app.tab.wait_for_function(PLOTS_FIT)
        for theme in ("dark", "light"):
            review.app.settle()
            review.app.photograph(f"{what} in the {theme} at {width}")
            check_readable(review)
            review.app.tab.locator(THEMES).click()
    review.app.settle()


def check_readable(review: Review) -> None:
    """Every text has contrast enough, and none is cut off."""
    seen = review.panel.evaluate(TEXTS)
    assert len(seen) > 20
    for text, ink, paper in seen:
        assert contrast(ink, paper) >= 4.5, (text, ink, paper)
    assert review.panel.evaluate(CUT_OFF) == []


def test_one_is_seen_beside_its_like_and_one_click_leads_back(
    app: App, digits: Any
) -> None:
    review = Review(app)
    review.says("0 found")
    review.next_batch()
    app.settle()
    expect(review.button("Back")).to_be_disabled()
    one = explain_suspiciousness(digits)
    first, why = next(iter(one.items()))
    table = review.panel.locator("tbody").first
    before = table.bounding_box()

    review.press("Why?")
    count = 1 + len(why.like_label[:5]) + len(why.like_suggestion[:5])
    assert count == 11
    review.shows(count)
    review.says(f"Models without it say {why.suggestion}")
    expect(review.button("Back")).to_be_enabled()
    app.settle()
    labels = app.tiles.locator("[data-cy='tag-ground_truth']").all_inner_texts()
    assert labels == [why.label, *[why.label] * 5, *[why.suggestion] * 5]
    after = table.bounding_box()
    assert before
    assert after
    assert after["y"] <= before["y"] + 1  # nothing is pushed down

    look_at(review, "why")
    first, last = (review.button(name).bounding_box() for name in ("Why?", "Tag"))
    assert first
    assert last
    assert first["y"] == last["y"]  # in one row, as narrow as the panel is
    review.press("Back")
    review.shows(BATCH)
    expect(review.button("Back")).to_be_disabled()
    expect(review.button("Mark selected, and the rest of 50 correct")).to_be_enabled()


def test_the_curve_and_the_list_of_markings(app: App, digits: Any) -> None:
    review = Review(app)
    review.says("0 found")
    expect(review.panel.get_by_text("Progress")).to_have_count(0)
    review.next_batch()
    review.select(0)
    review.select(1)
    review.press("Mark selected")
    review.says("2 found")
    review.select(2, alt=True)
    review.press("Mark selected")
    review.says("3 of 598 checked")

    curve = review.panel.get_by_text("Progress: the dotted line is what to expect")
    curve.scroll_into_view_if_needed()
    expect(review.panel.get_by_text("samples checked")).to_be_visible()
    expect(review.panel.get_by_text("to expect", exact=True)).to_be_visible()
    markings = review.panel.get_by_role("combobox").last
    markings.scroll_into_view_if_needed()
    app.settle()
    look_at(review, "progress")
    markings.click()
    choices = app.tab.get_by_role("option")
    texts = [text.split(": ")[1] for text in choices.all_inner_texts()]
    assert texts == ["1 correct", "2 faulty"]
    app.photograph("markings")
    choices.last.click()
    expect(app.tab.get_by_text("Taken back: 3 verdicts")).to_be_visible()
    review.says("0 of 598 checked")
    expect(curve).to_have_count(0)
