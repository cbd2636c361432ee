"""A person reviews the objects in images in the App, corrects them and undoes it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from playwright.sync_api import expect
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo import compute_suspiciousness, suspicious_view
from tests.app.app_tools import App
from tests.app.test_review import REST, Review
from tests.objects import paste_digits

COUNT = 600
BATCH = 20
_numbers = itertools.count(1)


@pytest.fixture
def digits(tmp_path: Path) -> Iterator[Any]:
    """600 digits on canvases, 30 with a wrong label; their pixels as an attribute."""
    name = f"objects-{next(_numbers)}"  # the App keeps state by name
    dataset = paste_digits(tmp_path / "canvases", COUNT, name=name)
    dataset.persistent = True
    pixels = iter(load_digits().data[:COUNT] / 16)
    lists = [
        [next(pixels) for _ in some] for some in dataset.values("boxes.detections")
    ]
    dataset.set_values("boxes.detections.pixels", lists, dynamic=True)
    yield dataset
    dataset.delete()


def raw(dataset: Any) -> list[bytes]:
    """The lists of objects as the bytes that the database holds."""
    codec = CodecOptions(document_class=RawBSONDocument)
    samples = dataset._sample_collection.with_options(codec_options=codec)
    return [document["boxes"].raw for document in samples.find().sort("_id", 1)]


def test_the_form_scores_objects_and_shows_them_as_patches(
    app: App, digits: Any
) -> None:
    app.open_form()
    app.photograph("form for objects")
    expect(app.form.get_by_text(f"boxes ({COUNT} labels)")).to_be_visible()
    app.form.get_by_text("Use embeddings that are there").click()
    expect(app.form.get_by_text("pixels (field)")).to_be_visible()
    app.button("Execute").click()
    app.works_until(f"{COUNT} objects")
    app.photograph("summary of objects")
    app.tab.get_by_role("button", name="Done").click()
    expect(app.tab.get_by_text(f"{COUNT} patches")).to_be_visible()
    app.photograph("patches, most suspicious first")

    digits.reload()
    scores = digits.values("boxes.detections.dfaulo_suspiciousness", unwind=True)
    tags = [t for some in digits.values("boxes.detections.tags") for t in some]
    wrong = ["wrong" in some for some in tags]
    assert average_precision_score(wrong, scores) >= 0.9
    worst = suspicious_view(digits.to_patches("boxes"), limit=1).first()
    assert app.opened_sample(0) == worst.id


@pytest.mark.usefixtures("opens_itself")
def test_objects_are_marked_corrected_and_undone(app: App, digits: Any) -> None:
    compute_suspiciousness(digits, "boxes", embeddings="pixels", progress=False)
    batch = suspicious_view(digits.to_patches("boxes"), limit=BATCH)
    tags = batch.values("boxes.tags")
    faulty = [n for n, some in enumerate(tags) if "wrong" in some][:3]
    suggestions = batch.values("boxes.dfaulo_suggestion")
    app.open()
    review = Review(app)
    review.says("0 found")
    review.panel.get_by_role("spinbutton").fill(str(BATCH))
    with app.slowed():
        review.press("Next batch")
        expect(app.tab.get_by_text(f"{BATCH} patches")).to_be_visible()
    suggestion = "boxes.dfaulo_suggestion"
    assert app.tags(0)[suggestion] == suggestions[0]
    app.photograph("batch of objects")
    for tile in faulty:
        review.select(tile)
    review.press("Mark selected")
    review.says("3 found")
    digits.reload()
    verdicts = digits.count_values("boxes.detections.dfaulo_verdict")
    assert verdicts == {"faulty": 3, None: COUNT - 3}
    before = raw(digits)
    first = app.tiles.nth(faulty[0])
    expect(first.locator("[data-cy='tag-boxes.dfaulo_verdict']")).to_have_text("faulty")

    review.correct("All that are marked faulty (3)")
    app.photograph("corrections, " + __name__)
    app.drawer.get_by_role("button", name="Correct", exact=True).click()
    expect(app.tab.get_by_text("Corrected: 3 objects")).to_be_visible()
    shown = first.locator("[data-cy='tag-boxes']")
    expect(shown).to_have_text(suggestions[faulty[0]])
    app.photograph("objects corrected")
    corrected = digits.to_patches("boxes").select(batch.values("id"), ordered=True)
    labels = corrected.values("boxes.label")
    assert [labels[n] for n in faulty] == [suggestions[n] for n in faulty]
    assert raw(digits) != before

    review.press("Undo corrections")
    app.button("Execute").click()
    expect(app.tab.get_by_text("Brought back: the label of 3 objects")).to_be_visible()
    assert raw(digits) == before

    review.press(REST)
    review.says(f"{BATCH} of {COUNT} checked")
    expect(app.tab.get_by_text("The ranking ")).to_be_visible()
    digits.reload()
    verdicts = digits.count_values("boxes.detections.dfaulo_verdict")
    assert verdicts == {"faulty": 3, "correct": BATCH - 3, None: COUNT - BATCH}
    expect(app.tab.get_by_text(f"{BATCH} patches")).to_be_visible()
    app.photograph("next batch of objects")
