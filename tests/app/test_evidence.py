"""A person asks why a label is suspicious, and sees it beside others like it."""

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


def check_readable(review: Review) -> None:
    """Every text has contrast enough, and none is cut off."""
    seen = review.panel.evaluate(TEXTS)
    assert len(seen) > 20
    for text, ink, paper in seen:
        assert contrast(ink, paper) >= 4.5, (text, ink, paper)
    wide = review.panel.evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert wide[0] <= wide[1]


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

    for theme in ("dark", "light"):
        app.photograph(f"why in the {theme}")
        check_readable(review)
        app.tab.locator(THEMES).click()
        app.settle()
    app.tab.set_viewport_size({"width": 900, "height": 900})
    app.settle()
    app.photograph("why at 900 pixels")
    check_readable(review)

    review.press("Back")
    review.shows(BATCH)
    expect(review.button("Back")).to_be_disabled()
    expect(review.button("Mark selected, and the rest of 50 correct")).to_be_enabled()
