"""A person finds wrong and missing tags in the App, corrects them and undoes it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo import compute_suspiciousness, suspicious_view
from tests.app.app_tools import App
from tests.app.test_review import REST, Review
from tests.tagged import build_pairs, draw_pairs

COUNT = 400
BATCH = 10
_numbers = itertools.count(1)


@pytest.fixture
def digits(tmp_path: Path) -> Iterator[Any]:
    """400 images of two digits each with two tags, 40 with a fault; their pixels."""
    pairs = draw_pairs(COUNT, 40)
    name = f"tags-{next(_numbers)}"  # the App keeps state by name
    dataset = build_pairs(tmp_path / "pairs", pairs, name)
    dataset.persistent = True
    dataset.set_values("pixels", list(pairs.pixels[..., 0].reshape(COUNT, -1) / 255))
    yield dataset
    dataset.delete()


def tags_of(dataset: Any, one: str) -> list[str]:
    dataset.reload()
    return [tag.label for tag in dataset[one].digits.classifications]


def test_the_form_scores_tags_and_shows_the_most_suspicious(
    app: App, digits: Any
) -> None:
    app.open_form()
    count = digits.count("digits.classifications.label")
    expect(app.form.get_by_text(f"digits ({count} labels)")).to_be_visible()
    app.photograph("form for tags")
    app.button("Execute").click()
    app.works_until("Given tags that look wrong")
    app.photograph("summary of tags")
    app.tab.get_by_role("button", name="Done").click()
    expect(app.tab.get_by_text(f"{COUNT} samples")).to_be_visible()
    digits.reload()
    worst = suspicious_view(digits, limit=1).first()
    shown = app.tiles.first.locator("[data-cy='tag-dfaulo_suggestion']")
    expect(shown).to_have_text(worst.dfaulo_suggestion.label)
    app.photograph("samples by their tags, most suspicious first")

    scores = np.array(digits.values("dfaulo_suspiciousness"))
    assert average_precision_score(digits.values("fault"), scores) >= 0.8
    assert app.opened_sample(0) == worst.id


@pytest.mark.usefixtures("opens_itself")
def test_tags_are_marked_corrected_and_undone(app: App, digits: Any) -> None:
    compute_suspiciousness(digits, "digits", embeddings="pixels", progress=False)
    batch = suspicious_view(digits, limit=BATCH)
    ids, faults = batch.values("id"), batch.values("fault")
    suggestions = batch.values("dfaulo_suggestion.label")
    faulty = [n for n, fault in enumerate(faults) if fault][:3]
    before = {one: tags_of(digits, one) for one in ids}
    app.open()
    review = Review(app)
    review.says("0 found")
    expect(review.panel.get_by_text("Labels to change")).to_be_visible()
    app.photograph("panel for tags")
    review.panel.get_by_role("spinbutton").fill(str(BATCH))
    review.press("Next batch")
    review.shows(BATCH)
    for tile in faulty:
        review.select(tile)
    review.press("Mark selected")
    review.says("3 found")

    review.correct("All that are marked faulty (3)")
    app.photograph("corrections, " + __name__)
    app.drawer.get_by_role("button", name="Correct", exact=True).click()
    expect(app.tab.get_by_text("Corrected: 3 samples")).to_be_visible()
    for n in faulty:
        now = tags_of(digits, ids[n])
        for change in suggestions[n].split(", "):
            what, tag = change.split()
            assert (tag in now) == (what == "add")
    verdict = app.tiles.nth(faulty[0]).locator("[data-cy='tag-dfaulo_verdict']")
    expect(verdict).to_have_text("faulty")
    app.photograph("tags corrected")

    review.press("Undo corrections")
    app.button("Execute").click()
    expect(app.tab.get_by_text("Brought back: the label of 3 samples")).to_be_visible()
    assert {one: tags_of(digits, one) for one in ids} == before

    review.press(REST)
    expect(app.tab.get_by_text("The ranking ")).to_be_visible()
    review.shows(BATCH)
