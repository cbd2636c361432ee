"""A person has a detector's predictions judge boxes, corrects each kind, undoes it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import fiftyone as fo
import numpy as np
import pytest
from bench.box_datasets import add_samples
from bench.boxes import KINDS, detect, plant, right_objects
from playwright.sync_api import expect

from fiftyone_dfaulo.adapter.results.boxes import (
    ANOTHER_BOX,
    DEEDS,
    MISSING_OBJECT,
    NO_OBJECT,
)
from tests.app.app_tools import App
from tests.app.review_tools import Review
from tests.objects import paste_digits

COUNT = 150
BATCH = 30
_numbers = itertools.count(1)


@pytest.fixture
def digits(tmp_path: Path) -> Iterator[Any]:
    """150 digits on canvases, faults of each kind, and a detector's predictions."""
    source = paste_digits(tmp_path / "canvases", COUNT, rate=0)
    parts = ("label", "bounding_box")
    lists = source.values([f"boxes.detections.{part}" for part in parts])
    paths = source.values("filepath")
    source.delete()
    images = np.repeat(np.arange(len(paths)), [len(some) for some in lists[0]])
    labels, boxes = ([one for some in part for one in some] for part in lists)
    names = sorted(set(labels))
    numbers = np.array([names.index(name) for name in labels])
    true = right_objects(paths, images, np.array(boxes), numbers, names)
    rng = np.random.default_rng(51)
    found = detect(true, rng, skill=2.0)
    given, _ = plant(true, rng, KINDS, 0.05)
    dataset = fo.Dataset(f"boxes-{next(_numbers)}", persistent=True)
    add_samples(dataset, given, found)
    dataset.rename_sample_field("boxes", "ground_truth")
    yield dataset
    dataset.delete()


def raw(dataset: Any) -> list[bytes]:
    """The objects as the database has them, byte for byte."""
    found = dataset._sample_collection.find().sort("_id", 1)
    return [bson.encode(document["ground_truth"]) for document in found]


def execute(app: App, dataset: Any, photograph: str) -> Any:
    """Runs what the form asks for, and gives the results."""
    app.button("Execute").click()
    app.works_until("No such object")
    app.photograph(photograph)
    app.tab.get_by_role("button", name="Done").click()
    app.settle()
    dataset.reload()
    return dataset.load_brain_results("dfaulo")


def test_each_kind_is_found_corrected_and_undone(app: App, digits: Any) -> None:
    app.open_form()
    app.form.get_by_text("Use a detector's predictions").click()
    expect(app.form.get_by_text("predictions (boxes)")).to_be_visible()
    app.photograph("form for a detector")
    results = execute(app, digits, "summary of boxes")
    count = len(results.ids)
    gaps = digits.values("dfaulo_missing.detections.id", unwind=True)
    assert gaps
    expect(app.tab.get_by_text(f"{count} patches")).to_be_visible()

    review = Review(app)
    review.says("0 found")
    review.panel.get_by_role("spinbutton").fill(str(BATCH))
    app.settle()
    review.press("Next batch")
    app.settle()
    expect(app.tab.get_by_text(f"{BATCH} patches")).to_be_visible()
    app.settle()
    app.photograph("batch of boxes")
    suggestions = [
        app.tags(n)["ground_truth.dfaulo_suggestion"] for n in range(app.tiles.count())
    ]
    wanted = (ANOTHER_BOX, NO_OBJECT, MISSING_OBJECT)
    tiles = [suggestions.index(text) for text in wanted]
    tiles.append(next(n for n, text in enumerate(suggestions) if text not in DEEDS))
    for tile in sorted(tiles):
        review.select(tile)
    review.press("Mark selected")
    review.says("4 found")
    digits.reload()
    before = raw(digits)

    review.correct("4 labels change")
    app.photograph("corrections of boxes")
    app.drawer.get_by_role("button", name="Correct", exact=True).click()
    expect(app.tab.get_by_text("Corrected: 4 objects")).to_be_visible()
    app.settle()
    app.photograph("boxes corrected")
    digits.reload()
    after = raw(digits)
    assert after != before
    assert digits.count("dfaulo_removed.detections") == 1
    tags = digits.count_values("ground_truth.detections.tags")
    assert tags["corrected"] == 3  # a class, a box, and the one that was added

    review.press("Undo corrections")
    app.button("Execute").click()
    expect(app.tab.get_by_text("Brought back: the label of 4 objects")).to_be_visible()
    assert raw(digits) == before


def test_each_box_is_looked_at_without_a_detector(app: App, digits: Any) -> None:
    app.open_form()
    app.form.get_by_text("Look at each box as well").click()
    app.photograph("form to look at each box")
    results = execute(app, digits, "summary of a look at each box")
    assert results.missing == []
    expect(app.tab.get_by_text(f"{len(results.ids)} patches")).to_be_visible()
    app.photograph("boxes that were looked at")

    review = Review(app)
    review.says("0 found")
    app.photograph("review of boxes that were looked at")
