"""A person sees what will be corrected, chooses, and corrects."""

from __future__ import annotations

import csv
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, expect
from sklearn.datasets import load_digits

from fiftyone_dfaulo import compute_suspiciousness, record_verdicts, suspicious_view
from tests.app.app_tools import App
from tests.app.review_tools import Review, labels

FAULTY = 12
ARROW = "\N{RIGHTWARDS ARROW}"


@pytest.fixture
def digits(digits: Any) -> Any:
    """The digits after a run, the most suspicious marked faulty."""
    pixels = load_digits().data[:600].astype(np.float32)
    digits.set_values("vectors", list(pixels / 16))
    compute_suspiciousness(digits, embeddings="vectors", progress=False)
    record_verdicts(digits, faulty=suspicious_view(digits, limit=FAULTY))
    return digits


def pairs(dataset: Any) -> Counter[tuple[str, str]]:
    """How often the faulty have a label and a suggestion, where these differ."""
    faulty = dataset.match({"dfaulo_verdict": "faulty"})
    found = faulty.values(["ground_truth.label", "dfaulo_suggestion.label"])
    return Counter((a, b) for a, b in zip(*found) if a != b)


def group(app: App, given: str, looks_like: str, count: int) -> Locator:
    """The field of a group."""
    text = f"{given} {ARROW} {looks_like}: {count}"
    found = app.drawer.get_by_text(text, exact=True)
    return found.locator("xpath=following::input[1]")


def look(app: App, field: Locator) -> None:
    field.locator("xpath=following::button[normalize-space()='Look'][1]").click()


def test_groups_are_looked_at_chosen_and_corrected(app: App, digits: Any) -> None:
    before, found = labels(digits), pairs(digits)
    total = sum(found.values())
    (first, most), (second, _), *_ = found.most_common()
    review = Review(app)
    review.correct(f"{total} labels change")
    app.photograph("corrections at first")

    field = group(app, *first, most)
    expect(field).to_have_value(first[1])
    with app.slowed():
        look(app, field)
        expect(app.tab.get_by_text(re.compile(rf"^{most} samples?$"))).to_be_visible()
    expect(app.tiles).to_have_count(most)
    assert {app.tags(n)["ground_truth"] for n in range(most)} == {first[0]}
    app.photograph("corrections with a look at a group")

    group(app, *second, found[second]).click()
    app.tab.get_by_role("option", name="(leave)").click()
    changed = total - found[second]
    expect(app.drawer.get_by_text(f"{changed} labels change")).to_be_visible()

    field.fill("ten")
    asked = app.drawer.get_by_text("Add a new class: 'ten'")
    expect(asked).to_be_visible()
    correct = app.drawer.get_by_role("button", name="Correct", exact=True)
    expect(correct).to_be_disabled()
    app.photograph("corrections with a new class")
    app.drawer.get_by_role("checkbox").check()
    expect(correct).to_be_enabled()
    correct.click()
    expect(app.tab.get_by_text(f"Corrected: {changed} samples")).to_be_visible()
    expect(app.drawer).to_be_hidden()
    app.photograph("corrections done")
    after = labels(digits)
    new = Counter((a["label"], b["label"]) for a, b in zip(before, after) if a != b)
    expected = {pair: n for pair, n in found.items() if pair not in (first, second)}
    assert new == {**expected, (first[0], "ten"): most}


def test_a_selection_is_corrected_and_marked_though_its_tiles_were_looked_at(
    app: App, digits: Any
) -> None:
    review = Review(app)
    review.says(f"{FAULTY} found")
    review.press("Next batch")
    review.shows(50)
    app.settle()
    tiles = [app.tags(n) for n in range(2)]
    for tile in range(2):
        review.select(tile)
    app.settle()
    review.correct("The selection (2)")
    app.drawer.get_by_role("button", name="Look").first.click()
    expect(app.tiles).to_have_count(1 if tiles[0] != tiles[1] else 2)
    app.settle()
    expect(app.drawer.get_by_text("The selection (2)")).to_be_visible()
    app.drawer.get_by_text("One class").click()
    app.drawer.get_by_text("Class", exact=True).locator(
        "xpath=following::input[1]"
    ).fill("0")
    app.photograph("corrections of a selection")
    app.drawer.get_by_role("button", name="Correct", exact=True).click()
    expect(app.tab.get_by_text("Corrected: 2 samples")).to_be_visible()
    review.says(f"{FAULTY + 2} found")
    digits.reload()
    changed = digits.exists("dfaulo_original_label")
    assert changed.values("ground_truth.label") == ["0", "0"]
    assert changed.values("dfaulo_verdict") == ["faulty", "faulty"]


def test_the_review_is_downloaded(app: App, digits: Any) -> None:
    review = Review(app)
    review.press("Export")
    expect(app.form.get_by_text("This computer, as a download")).to_be_visible()
    app.photograph("export")
    with app.tab.expect_download() as downloading:
        app.button("Execute").click()
    file = downloading.value
    assert file.suggested_filename == "dfaulo_review.csv"
    rows = list(csv.DictReader(file.path().read_text().splitlines()))
    assert [row["verdict"] for row in rows] == ["faulty"] * FAULTY
    expect(app.tab.get_by_text("Downloaded dfaulo_review.csv: 12 sam")).to_be_visible()
    app.photograph("export done")

    review.press("Export")
    app.form.get_by_text("The machine of the App's server").click()
    app.fill("File", "review.doc")
    expect(app.form.get_by_text("does not end in .csv or .json")).to_be_visible()
    app.photograph("export to the server")
