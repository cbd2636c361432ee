"""A person reviews suspicious labels in the App, and corrects them."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest
from fiftyone.factory.repos.delegated_operation_doc import ExecutionProgress
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionResult
from playwright.sync_api import expect

from fiftyone_dfaulo import (
    compute_suspiciousness,
    record_verdicts,
    suspicious_view,
)
from fiftyone_dfaulo.engine.method.reasons import NEAR_DUPLICATE
from tests.app.app_tools import App
from tests.app.conftest import ARTIFACTS, Server, serving
from tests.app.review_tools import (
    BATCH,
    LOOKS_LIKE,
    Review,
    faulty_tiles,
    labels,
    rank_by_pixels,
)
from tests.plugin.plugin_tools import context

SELECTED = "Mark selected"
REST = re.compile(r"^Mark selected, and the rest of \d+ correct$")


@pytest.fixture
def digits(digits: Any) -> Any:
    """The digits after a run that sees every third pixel: verdicts teach it."""
    rank_by_pixels(digits, slice(4, None, 3))
    return digits


def unchecked(dataset: Any) -> list[Any]:
    """The unchecked samples by suspiciousness, as the database sorts them."""
    found = dataset._sample_collection.find({"dfaulo_verdict": None}, {"_id": 1})
    return [d["_id"] for d in found.sort([("dfaulo_suspiciousness", -1)])]


def verdicts(dataset: Any) -> dict[str, int]:
    dataset.reload()
    return dict(dataset.count_values("dfaulo_verdict"))


def test_batch_is_marked_learned_corrected_and_undone(app: App, digits: Any) -> None:
    before, ranked, faulty = labels(digits), unchecked(digits), faulty_tiles(digits)
    count = len(faulty)
    given = suspicious_view(digits, limit=BATCH).values("ground_truth.label")
    other = sum(given[tile] != LOOKS_LIKE for tile in faulty)
    assert 2 <= other < count  # the labels of some are what they look like
    review = Review(app)
    review.says("0 found")
    at_first = review.estimate()
    app.photograph("review at first")
    review.next_batch()

    right = next(n for n in range(BATCH) if n not in faulty)
    for tile in faulty:
        review.select(tile)
    review.select(right, alt=True)
    app.photograph("review with a selection")
    review.press(SELECTED)
    review.says(f"{count} found")
    assert verdicts(digits) == {"faulty": count, "correct": 1, None: 599 - count}
    after_marking = review.estimate()
    assert after_marking != at_first

    review.press(REST)
    review.says("50 of 598 checked")
    assert verdicts(digits) == {"faulty": count, "correct": BATCH - count, None: 550}
    assert review.estimate() not in (at_first, after_marking)
    learned = next_batch_is_shown(app, digits)
    assert learned != [one for one in ranked if one in set(learned)]
    app.photograph("review after the batch")

    review.press("Undo marking")  # shows what it takes back
    review.says(f"{count + 1} of 598 checked")
    assert verdicts(digits) == {"faulty": count, "correct": 1, None: 599 - count}
    expect(
        review.button(f"Mark selected, and the rest of {BATCH - count - 1} correct")
    ).to_be_visible()
    app.settle()
    review.press(REST)
    review.says("50 of 598 checked")
    assert sorted(learned) == sorted(set(ranked) & set(learned))
    next_batch_is_shown(app, digits)

    review.correct(f"{other} labels change, {count - other} stay")
    app.photograph("form to correct")
    expect(review.button(REST)).to_be_enabled()  # the batch is still there
    app.drawer.get_by_role("button", name="Correct", exact=True).click()
    expect(app.tab.get_by_text(f"Corrected: {other} samples")).to_be_visible()
    changed = [new for old, new in zip(before, labels(digits)) if old != new]
    assert [one["label"] for one in changed] == [LOOKS_LIKE] * other
    assert all(one["tags"] == ["corrected"] for one in changed)

    review.press("Undo corrections")
    app.button("Execute").click()
    expect(app.tab.get_by_text(f"Brought back: the label of {other}")).to_be_visible()
    assert labels(digits) == before


def next_batch_is_shown(app: App, dataset: Any) -> list[Any]:
    """Waits for it; gives all that is unchecked, most suspicious first."""
    ranked = unchecked(dataset)
    dataset.reload()
    score = dataset[str(ranked[0])].dfaulo_suspiciousness
    shown = app.tiles.first.locator("[data-cy=tag-dfaulo_suspiciousness]")
    expect(shown).to_have_text(f"{score:.3f}".rstrip("0"))
    expect(app.tab.get_by_text(f"{BATCH} samples")).to_be_visible()
    return ranked


def test_the_panel_opens_on_the_ranking(app: App, digits: Any) -> None:
    ranked = suspicious_view(digits, limit=2)
    scores = [f"{score:.3f}" for score in ranked.values("dfaulo_suspiciousness")]
    app.open()  # as one who comes back: the scores are on the tiles
    app.photograph("app opened after a run")
    shown = app.tiles.locator("[data-cy=tag-dfaulo_suspiciousness]")
    expect(shown.first).to_be_visible()
    with app.slowed():
        review = Review(app)
        review.says("0 found")
        review.shows(598)
    app.tab.wait_for_url(re.compile("view=most-suspicious-dfaulo"))
    app.photograph("panel opened on the ranking")
    expect(shown.nth(1)).to_be_visible()
    assert [f"{float(shown.nth(n).inner_text()):.3f}" for n in range(2)] == scores
    app.open()
    app.url = app.tab.url
    review.says("0 found")


@pytest.mark.usefixtures("opens_itself")
def test_another_run_has_its_own_ranking_and_no_batch(app: App, digits: Any) -> None:
    compute_suspiciousness(
        digits, embeddings="vectors", brain_key="second", progress=False
    )
    app.open()
    review = Review(app)
    review.next_batch()
    app.settle()
    review.panel.get_by_role("combobox").first.click()
    app.tab.get_by_role("option", name="dfaulo", exact=True).click()
    review.shows(598)
    app.tab.wait_for_url(re.compile("view=most-suspicious-dfaulo"))
    app.settle()
    expect(review.button("Mark selected, and the rest correct")).to_be_disabled()
    app.photograph("another run")


def test_what_is_on_the_screen_is_what_is_marked_and_ranked(
    app: App, digits: Any
) -> None:
    batch = suspicious_view(digits, limit=BATCH)
    labels = batch.values("ground_truth.label")
    seen = labels.count(LOOKS_LIKE)
    assert 0 < seen < BATCH - 5
    review = Review(app)
    review.says("0 found")
    review.next_batch()
    app.settle()
    app.tab.locator("[data-cy='sidebar-field-arrow-enabled-ground_truth']").click()
    boxes = "[data-cy='categorical-filter-ground_truth.label'] [data-cy^='checkbox']"
    app.tab.locator(boxes).filter(has_text=LOOKS_LIKE).first.click()
    count = app.tab.locator("[data-cy=entry-counts]")
    expect(count).to_contain_text(f"{seen} of {BATCH}")
    expect(
        review.button(f"Mark selected, and the rest of {seen} correct")
    ).to_be_visible()
    app.settle()
    expect(count).to_contain_text(f"{seen} of {BATCH}")
    app.photograph("batch with a filter of the sidebar")
    review.press(REST)
    review.says(f"{seen} of 598 checked")
    digits.reload()
    marked = digits.match({"dfaulo_verdict": "correct"}).values("ground_truth.label")
    assert marked == [LOOKS_LIKE] * seen
    app.settle()

    # the toolbar's operators from the operator browser, which opened a dead dialog
    execute_from_browser(app, "Mark faulty")
    expect(app.tab.get_by_text("No sample is selected").first).to_be_visible()
    app.tab.get_by_role("button", name="Close", exact=True).click()
    review.select(0)
    execute_from_browser(app, "Mark faulty")
    expect(app.tab.get_by_text("Marked faulty in run 'dfaulo': 1")).to_be_visible()
    expect(app.tab.get_by_role("dialog")).to_have_count(0)
    digits.reload()
    assert digits.count_values("dfaulo_verdict")["faulty"] == 1
    app.settle()

    # a batch is on the screen, and nothing of it is preset
    app.open_form()
    expect(app.form.get_by_text("ground_truth (598 labels)")).to_be_visible()
    expect(app.input("Brain key")).to_have_value("dfaulo_2")
    app.fill("Brain key", "dfaulo")
    expect(
        app.form.get_by_text("Replaces a run of 598 samples by one of 598")
    ).to_be_visible()
    app.photograph("form that would replace a review")


def execute_from_browser(app: App, label: str) -> None:
    app.tab.keyboard.press("`")
    browser = app.tab.locator("[data-cy=operators-browser]")
    expect(browser).to_be_visible()
    app.tab.keyboard.type(label)
    browser.get_by_text(label, exact=True).click()
    expect(browser).to_be_hidden()


def test_verdicts_survive_a_killed_server(
    browser: Any,
    environment: dict[str, str],
    server: Server,
    digits: Any,
    tmp_path: Path,
) -> None:
    faulty, address = faulty_tiles(digits), f"/datasets/{digits.name}"
    with serving(environment, tmp_path / "server.log") as killed:
        app = App(browser.new_page(), killed.url + address, ARTIFACTS)
        app.open()
        review = Review(app)
        review.next_batch()
        for tile in faulty:
            review.select(tile)
        review.press(REST)
        review.says("50 of 598 checked")
        killed.process.send_signal(signal.SIGKILL)
        assert killed.process.wait(10) == -signal.SIGKILL
        app.tab.close()
    given = {"faulty": len(faulty), "correct": BATCH - len(faulty), None: 550}
    assert verdicts(digits) == given

    app = App(browser.new_page(), server.url + address, ARTIFACTS)
    app.open()
    review = Review(app)
    review.says("50 of 598 checked")
    before = unchecked(digits)
    review.press("Next batch")
    expect(app.tab.get_by_text("The ranking stays")).to_be_visible()
    assert unchecked(digits) == before  # it had learned when they were given
    assert verdicts(digits) == given
    app.tab.close()


def test_grid_is_narrowed_by_bar_row_and_reason_in_the_light(
    app: App, digits: Any
) -> None:
    review = Review(app)
    review.says("0 found")
    app.tab.locator("[data-testid=LightModeIcon], [data-testid=DarkModeIcon]").click()
    scores = digits.exists("dfaulo_suspiciousness").values("dfaulo_suspiciousness")
    chart = review.panel.locator(".nsewdrag")
    expect(chart).to_be_visible()
    app.photograph("review in the light")

    box = chart.bounding_box()
    assert box is not None
    foot = {"x": 0.975 * box["width"], "y": box["height"] - 5}
    chart.hover(position=foot)
    chart.click(position=foot)
    review.says("Batches from: suspiciousness 0.95 to 1.00")
    review.shows(sum(score >= 0.95 for score in scores))

    row = review.panel.locator("tbody tr").first
    given, looks_like, count = row.locator("td").all_inner_texts()
    row.click()
    review.says(f"Batches from: labelled {given}, looks like {looks_like}")
    review.shows(int(count))
    assert looks_like != given
    app.photograph("review narrowed in the light")

    review.panel.get_by_role("combobox").click()
    option = app.tab.get_by_role("option").first
    name, number = re.fullmatch(r"(.+) \((\d+)\)", option.inner_text()).groups()
    option.click()
    review.says(f"Batches from: {name}")
    review.shows(int(number))
    assert digits.count_values("dfaulo_reasons")[name] == int(number)

    review.press("Show all")
    review.shows(598)


@pytest.mark.usefixtures("opens_itself")
def test_what_stands_on_the_tiles_can_be_read_in_dark_and_light(
    app: App, digits: Any
) -> None:
    ranked = suspicious_view(digits).values("id")
    record_verdicts(digits, faulty=ranked[:2], correct=ranked[2:5])
    app.open()
    review = Review(app)
    review.shows(598)
    app.settle()
    buttons = review.panel.locator("button.MuiButton-outlined:enabled")
    tags = app.tiles.locator("[data-cy^=tag-]")
    switch = "[data-testid=LightModeIcon], [data-testid=DarkModeIcon]"
    for theme in ("dark", "light"):
        expect(app.tiles.nth(4).locator("[data-cy=tag-dfaulo_verdict]")).to_be_visible()
        app.photograph(f"verdicts in the {theme}")
        seen = tags.evaluate_all(
            "all => all.map(e => [e.dataset.cy, e.innerText, "
            "getComputedStyle(e).color, getComputedStyle(e).backgroundColor])"
        )
        assert len(seen) > 50
        for what, text, ink, paper in seen:
            assert contrast(ink, paper) >= 4.5, (theme, what, text, ink, paper)
        verdicts = {text: paper for what, text, _, paper in seen if "verdict" in what}
        assert len(verdicts) == len({*verdicts.values()}) == 2
        for ink, paper in buttons.evaluate_all(INK_AND_PAPER):
            assert contrast(ink, paper) >= 4.5, (theme, ink, paper)
        app.tab.locator(switch).click()
        app.settle()


INK_AND_PAPER = """all => all.map(button => {
    let under = button;
    while (getComputedStyle(under).backgroundColor.endsWith(", 0)"))
        under = under.parentElement;
    return [button, under].map((e, n) =>
        getComputedStyle(e)[n ? "backgroundColor" : "color"]);
})"""


def contrast(one: str, other: str) -> float:
    """As WCAG defines it, of two colours as the browser writes them."""
    light, dark = sorted(map(luminance, (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_near_duplicates_with_different_labels_stand_side_by_side(
    app: App, digits: Any
) -> None:
    right = digits.match_tags("wrong", bool=False).exists("ground_truth")
    given, paths, vectors = right.values(["ground_truth.label", "filepath", "vectors"])
    pairs = [
        (one, next(n for n in range(one + 200, 570) if given[n] != given[one]))
        for one in (50, 60, 71)
    ]
    for original, copy in pairs:
        paths[copy], vectors[copy] = paths[original], vectors[original]
    right.set_values("filepath", paths)
    right.set_values("vectors", vectors)
    compute_suspiciousness(digits, embeddings="vectors", progress=False)
    review = Review(app)
    review.panel.get_by_role("combobox").click()
    name, results = NEAR_DUPLICATE, digits.load_brain_results("dfaulo")
    count = results.reasons[:, results.reason_names.index(name)].sum()
    app.tab.get_by_role("option", name=f"{name} ({count})").click()
    review.says("Batches from: near duplicate has another label")
    review.shows(6)
    shown = app.tiles.locator("[data-cy='tag-ground_truth']")
    expect(shown).to_have_count(6)
    texts = shown.all_inner_texts()  # the copy, which is suspicious, comes first
    assert sorted(zip(texts[::2], texts[1::2])) == sorted(
        (given[copy], given[original]) for original, copy in pairs
    )
    app.photograph("near duplicates side by side")


def test_what_cannot_be_reviewed_is_said(app: App, digits: Any) -> None:
    review = Review(app)
    review.says("0 found")
    review.panel.get_by_role("spinbutton").fill("0")
    review.press("Next batch")
    expect(app.tab.get_by_text("is not a whole number of 1 or more")).to_be_visible()
    review.panel.get_by_role("spinbutton").fill("20")
    review.press("Next batch")
    review.shows(20)

    sample = digits.exists("ground_truth").first()
    sample.ground_truth.label = "edited"
    sample.save()
    app.settle()
    before = places(review)
    review.press("Next batch")
    review.says("1 label was edited since the run")
    app.settle()
    assert places(review) == before  # nothing that is said moves a button
    review.press("Show them")
    expect(app.tab.get_by_text("1 sample", exact=True)).to_be_visible()

    app.settle()
    digits.delete_brain_run("dfaulo")
    review.press("Next batch")
    review.says("Nothing to review yet")
    expect(review.button("Find suspicious labels")).to_be_visible()
    app.photograph("review without a run")


def places(review: Review) -> dict[str, float]:
    """How far down the buttons stand that are pressed again and again."""
    names = ("Next batch", "Mark selected", "Undo marking", "Why?", "Correct", "Export")
    boxes = {name: review.button(name).bounding_box() for name in names}
    return {name: box["y"] for name, box in boxes.items() if box}


def test_a_renamed_and_a_deleted_dataset_are_said(app: App, digits: Any) -> None:
    review = Review(app)
    review.says("0 found")
    app.settle()
    copy = digits.clone(f"{digits.name}-copy", persistent=True)
    old, digits.name = digits.name, f"{digits.name}-renamed"
    review.press("Next batch")
    expect(
        app.tab.get_by_text(f"'{old}' is now called '{digits.name}'")
    ).to_be_visible()
    app.tab.wait_for_url(re.compile(digits.name))

    app.url = app.url.replace(old, copy.name)
    app.open()
    review = Review(app)
    review.says("0 found")
    app.settle()
    copy.delete()
    review.press("Next batch")
    expect(app.tab.get_by_text(f"'{copy.name}' was deleted")).to_be_visible()


def test_a_scheduled_run_is_followed(app: App, digits: Any) -> None:
    digits.delete_brain_run("dfaulo")
    service = DelegatedOperationService()
    queued = service.queue_operation(
        operator="@dfaulo/dfaulo/compute_suspiciousness",
        context=context(digits).serialize(),
    )
    try:
        review = Review(app)
        review.says("waiting for a worker")
        service.set_running(queued.id)
        progress = ExecutionProgress(progress=0.4, label="Training the network")
        service.set_progress(queued.id, progress)
        review.says("Training the network, 40%")
        app.photograph("review beside a scheduled run")
        service.set_failed(queued.id, ExecutionResult(error="InputError: too few"))
        review.says("The last scheduled run failed")
        review.says("InputError: too few")
        app.photograph("review after a scheduled run failed")
    finally:
        service.delete_operation(queued.id)
