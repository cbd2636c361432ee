"""A person scores and reviews the frames of videos in the App."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from fiftyone_dfaulo import suspicious_view
from tests.app.app_tools import App
from tests.app.test_review import REST, Review
from tests.videos import LENGTH, VIDEOS, build_videos, fault_ids

COUNT = VIDEOS * LENGTH
_numbers = itertools.count(1)


@pytest.fixture
def digits(tmp_path: Path) -> Iterator[Any]:
    """Videos, and a saved view of their frames."""
    dataset = build_videos(tmp_path)
    dataset.name = f"videos-{next(_numbers)}"  # the App keeps state by name
    dataset.persistent = True
    dataset.save_view("frames", dataset.to_frames(sample_frames=True))
    yield dataset
    dataset.delete()


@pytest.fixture
def address(digits: Any) -> str:
    return f"{digits.name}?view=frames"


def test_frames_are_scored_and_marked_and_the_grid_shows_it(
    app: App, digits: Any
) -> None:
    app.open_form()
    expect(app.form.get_by_text(f"label ({COUNT} labels)")).to_be_visible()
    app.form.get_by_text("Use embeddings that are there").click()
    app.button("Execute").click()
    app.works_until(f"{COUNT} frames")
    expect(app.message.get_by_text(f"{COUNT} frames")).to_be_visible()
    app.photograph("summary of frames")
    app.tab.get_by_role("button", name="Done", exact=True).click()
    expect(app.message).to_be_hidden()
    digits.reload()
    worst = suspicious_view(digits.to_frames(), limit=3).values("id")
    assert set(worst) == fault_ids(digits)
    assert app.opened_sample(0) == worst[0]

    review = Review(app)
    review.says("0 found")
    review.panel.get_by_role("spinbutton").fill("5")
    app.settle()  # the App loses fields that reach it while it loads a page
    review.press("Next batch")
    expect(app.tab.get_by_text("5 frames")).to_be_visible()
    for tile in range(3):
        review.select(tile)
    review.press("Mark selected")
    shown = app.tiles.first.locator("[data-cy=tag-dfaulo_verdict]")
    expect(shown).to_have_text("faulty")
    app.photograph("batch of frames")
    app.settle()
    review.press(REST)
    review.says(f"5 of {COUNT} checked")
    digits.reload()
    verdicts = digits.count_values("frames.dfaulo_verdict")
    assert verdicts == {"faulty": 3, "correct": 2, None: COUNT - 5}
