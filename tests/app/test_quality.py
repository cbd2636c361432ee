"""A person asks in the App how well this would work, and tries planted faults."""

from __future__ import annotations

import time
from typing import Any

import fiftyone as fo
from playwright.sync_api import expect
from sklearn.datasets import load_digits

from fiftyone_dfaulo import compute_suspiciousness, quality_reports
from tests.app.app_tools import App

PATIENCE = 90.0
QUESTION = "How well would this work on my data?"


def stored(dataset: Any) -> list[Any]:
    """The names of all datasets, and this one's schema, runs and values."""
    dataset.reload()
    samples = list(dataset._sample_collection.find().sort("_id", 1))
    schema = list(dataset.get_field_schema(flat=True))
    return [fo.list_datasets(), schema, dataset.list_brain_runs(), samples]


def test_how_well_it_would_work_is_shown_as_a_plot_and_a_table(
    app: App, digits: Any
) -> None:
    before = stored(digits)
    app.open_form(QUESTION, "how well", "Kind of faults")
    app.form.get_by_role("checkbox").last.check()  # Advanced
    app.fill("Epochs", "6")
    app.fill("Rate", "0.9")
    expect(app.form.get_by_text("rate=0.9 cannot be used")).to_be_visible()
    expect(app.button("Execute")).to_be_disabled()
    app.fill("Rate", "0.1")
    expect(app.button("Execute")).to_be_enabled()
    app.photograph("how well, the form")
    app.button("Execute").click()
    stages, copies = set(), set()
    deadline = time.monotonic() + PATIENCE
    while not app.message.get_by_text("most suspicious finds").is_visible():
        if news := app.progress():
            stages.add(news[0])
            deadline = time.monotonic() + PATIENCE  # it works, however long it takes
        copies |= set(fo.list_datasets()) - set(before[0])
        assert time.monotonic() < deadline, f"no report; progress so far: {stages}"
    assert len(stages) >= 2
    assert {name[:18] for name in copies} == {"dfaulo-unfinished-"}

    expect(app.message.get_by_text("of the faults").first).to_be_visible()
    plot = app.message.locator(".js-plotly-plot")
    expect(plot.get_by_text("samples reviewed")).to_be_visible()
    expect(plot.locator(".scatterlayer .trace")).to_have_count(2)
    expect(app.message.get_by_text("average precision")).to_be_visible()
    app.photograph("how well, the report")
    plot.scroll_into_view_if_needed()
    app.photograph("how well, the plot")
    app.message.get_by_text("average precision").scroll_into_view_if_needed()
    app.photograph("how well, the table")
    expect(app.message.get_by_text("60 faults were planted")).to_be_visible()
    expect(app.message.get_by_text("were probably wrong before")).to_be_visible()
    compared = app.message.get_by_text("Compared with earlier ones")
    compared.scroll_into_view_if_needed()
    app.photograph("how well, compared")
    (report,) = quality_reports(digits)
    assert (report["source"], report["rate"]) == ("a network trained here", 0.1)
    assert stored(digits) == before


def test_faults_are_planted_in_a_copy_and_its_ranking_is_evaluated(
    app: App, digits: Any
) -> None:
    before, name = stored(digits), f"{digits.name}-planted"
    app.open_form("Plant faults in a copy", "plant faults", "Kind of faults")
    app.form.get_by_role("combobox").nth(1).click()
    app.tab.get_by_role("option").filter(has_text="Systematic").click()
    expect(app.form.get_by_text("Classes taken for one another")).to_be_visible()
    app.fill("Name of the copy", digits.name)
    expect(app.form.get_by_text("cannot be given to the copy")).to_be_visible()
    app.fill("Name of the copy", name)
    expect(app.button("Execute")).to_be_enabled()
    app.photograph("plant, the form")
    app.button("Execute").click()
    expect(app.message.get_by_text("now holds planted faults")).to_be_visible()
    app.photograph("plant, what was done")
    app.tab.get_by_role("button", name="Done", exact=True).click()
    copy = fo.load_dataset(name)
    try:
        assert [set(fo.list_datasets()) - {name}, *stored(digits)[1:]] == [
            set(before[0]),
            *before[1:],
        ]
        wrong = copy.count_values("injected_fault")[True]
        copy.set_values("vectors", list(load_digits().data[:600] / 16))
        compute_suspiciousness(copy, embeddings="vectors", progress=False)
        app.tab.goto(app.url.replace(digits.name, name))
        app.open_form("Evaluate a ranking", "evaluate a rank", "Truth")
        expect(app.form.get_by_text("injected_fault")).to_be_visible()
        app.photograph("evaluate, the form")
        app.button("Execute").click()
        told = app.message.get_by_text(f"{wrong} are faults")
        expect(told).to_be_visible()
        expect(app.message.locator(".js-plotly-plot .trace")).to_have_count(2)
        app.photograph("evaluate, the report")
    finally:
        copy.delete()
