"""A person finds suspicious labels in the App."""

from __future__ import annotations

import time
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionRunState
from playwright.sync_api import expect

from tests.app.app_tools import App

PATIENCE = 90.0
EPOCHS = "4"  # enough for digits; the tests are to be quick


def most_suspicious(dataset: Any) -> Any:
    """The first sample by the database itself, not by a view of ours."""
    found = dataset._sample_collection.find_one(sort=[("dfaulo_suspiciousness", -1)])
    return dataset[found["_id"]]


def prepare(app: App) -> None:
    """Opens the form and asks for a short training."""
    app.open_form()
    app.form.get_by_role("checkbox").last.check()  # Advanced
    app.fill("Epochs", EPOCHS)


def test_form_explains_an_invalid_choice_and_does_not_execute(app: App) -> None:
    app.open_form()
    expect(app.form.get_by_text("ground_truth (598 labels)")).to_be_visible()
    expect(app.form.get_by_text("fiftyone delegated launch")).to_be_visible()
    expect(app.button("Execute")).to_be_enabled()
    app.photograph("form")
    app.fill("Brain key", "1st")
    expect(app.form.get_by_text("brain_key='1st' cannot be used")).to_be_visible()
    expect(app.button("Execute")).to_be_disabled()
    app.photograph("form with an invalid choice")
    app.fill("Brain key", "dfaulo")
    expect(app.button("Execute")).to_be_enabled()


def test_run_shows_progress_then_a_summary_then_the_sorted_grid(
    app: App, digits: Any
) -> None:
    prepare(app)
    app.button("Execute").click()
    told = watch(app)
    app.photograph("summary")
    expect(app.tab.get_by_text("does not exist")).to_be_hidden()  # the saved view does
    assert len({stage for stage, _ in told}) >= 2
    percents = [percent for _, percent in told]
    assert len(set(percents)) >= 2
    assert percents == sorted(percents)

    digits.reload()
    summary = app.message.inner_text()
    assert "598 samples" in summary
    assert "2 without a label" in summary
    app.tab.get_by_role("button", name="Done", exact=True).click()
    expect(app.message).to_be_hidden()
    expect(app.tab.get_by_text("598 samples")).to_be_visible()

    score = app.tiles.first.locator("[data-cy=tag-dfaulo_suspiciousness]")
    expect(score).to_be_visible()
    # the review stands beside it, and the colours are there without a reload
    expect(app.tab.locator("[data-cy='panel-content-dfaulo_review']")).to_be_visible()
    orange = "rgb(185, 92, 10)"
    expect(score).to_have_css("background-color", orange)
    app.photograph("sorted grid")
    tags = app.tags(0)
    first = digits[app.opened_sample(0)]
    highest = most_suspicious(digits).dfaulo_suspiciousness
    assert first.dfaulo_suspiciousness == highest
    assert list(tags) == ["ground_truth", "dfaulo_suggestion", "dfaulo_suspiciousness"]
    assert tags["ground_truth"] == first.ground_truth.label
    assert tags["dfaulo_suggestion"] == first.dfaulo_suggestion.label
    assert abs(float(tags["dfaulo_suspiciousness"]) - highest) < 5e-3


class TestOnAView:
    """A run on a part of the samples."""

    @pytest.fixture
    def address(self, digits: Any) -> str:
        """200 of the digits, with embeddings that take no time."""
        vectors = np.random.default_rng(0).normal(size=(600, 4))
        digits.set_values("vectors", vectors.tolist())
        digits.save_view("some", digits.limit(200))
        return f"{digits.name}?view=some"

    def test_the_summary_leads_to_the_review(self, app: App) -> None:
        app.open_form()
        app.form.get_by_text("Use embeddings that are there").click()
        expect(app.form.get_by_text("vectors (field)")).to_be_visible()
        app.button("Execute").click()
        app.works_until("198 samples")
        panel = app.tab.locator("[data-cy='panel-content-dfaulo_review']")
        expect(panel).to_be_hidden()
        app.photograph("summary that leads to the review")
        app.message.get_by_role("button", name="Review them", exact=True).click()
        app.tab.get_by_role("button", name="Done", exact=True).click()
        expect(panel.get_by_text("Next batch")).to_be_visible()


def watch(app: App) -> list[tuple[str, int]]:
    """The progress seen until the summary comes, each state once."""
    told: list[tuple[str, int]] = []
    deadline = time.monotonic() + PATIENCE
    while not app.message.get_by_text("Scored").is_visible():
        news = app.progress()
        if news and news not in told:
            told.append(news)
            if len(told) == 3:
                app.photograph("progress")
        if news:  # it works, however long it takes
            deadline = time.monotonic() + PATIENCE
        assert time.monotonic() < deadline, f"no summary; progress so far: {told}"
    return told


@pytest.mark.usefixtures("opens_itself")
def test_failure_is_explained_and_leaves_the_dataset_as_it_was(
    app: App, digits: Any
) -> None:
    digits.set_values("vectors", [[float("nan"), 2.0]] * 600)
    before = digits.get_field_schema().keys()
    app.open()
    app.open_form()
    app.form.get_by_text("Use embeddings that are there").click()
    expect(app.form.get_by_text("vectors (field)")).to_be_visible()
    expect(app.button("Execute")).to_be_enabled()
    app.button("Execute").click()
    expect(app.message.get_by_text("holds NaN or infinity")).to_be_visible()
    app.photograph("failure")
    digits.reload()
    assert digits.get_field_schema().keys() == before
    assert digits.list_brain_runs() == []


def test_cancel_and_closing_the_tab_cancel_the_run(
    app: App, digits: Any, server: Any
) -> None:
    before = digits.get_field_schema().keys()
    app.open_form()
    app.button("Execute").click()
    expect(app.message.get_by_text("Training the network")).to_be_visible()
    expect(app.message.get_by_text("Done does not: this stays")).to_be_visible()
    app.tab.get_by_role("button", name="Done", exact=True).click()
    app.tab.wait_for_timeout(1000)
    expect(app.message.get_by_text("Training the network")).to_be_visible()
    app.photograph("progress with a button to cancel")
    app.message.get_by_role("button", name="Cancel", exact=True).click()
    expect(app.message.get_by_text("The run was cancelled")).to_be_visible()
    app.photograph("cancelled")
    digits.reload()
    assert digits.get_field_schema().keys() == before
    app.tab.get_by_role("button", name="Done", exact=True).click()
    stopped = server.log.read_text().count("Stopped a run")
    assert stopped >= 1

    app.open_form()
    app.button("Execute").click()
    expect(app.message.get_by_text("Training the network")).to_be_visible()
    app.tab.close()
    deadline = time.monotonic() + PATIENCE
    while server.log.read_text().count("Stopped a run") == stopped:
        assert time.monotonic() < deadline, server.log.read_text()[-3000:]
        time.sleep(0.2)
    digits.reload()
    assert digits.get_field_schema().keys() == before
    assert digits.list_brain_runs() == []


def test_scheduled_run_is_done_by_a_worker(app: App, digits: Any, worker: None) -> None:
    prepare(app)
    expect(app.form.get_by_text("fiftyone delegated launch")).to_be_hidden()
    app.choose_to_schedule()
    app.photograph("form to schedule")
    app.button("Schedule").click()
    expect(app.tab.get_by_text("successfully scheduled")).to_be_visible()
    expect(app.form).to_be_hidden()

    service, told = DelegatedOperationService(), []
    deadline = time.monotonic() + PATIENCE
    while True:
        (operation,) = service.list_operations(dataset_name=digits.name)
        if operation.status and operation.status.progress not in told:
            told.append(operation.status.progress)
        if operation.run_state in (
            ExecutionRunState.COMPLETED,
            ExecutionRunState.FAILED,
        ):
            break
        assert time.monotonic() < deadline, f"{operation.run_state}: {told}"
        time.sleep(0.05)
    assert operation.run_state == ExecutionRunState.COMPLETED, operation.result.error
    assert len(told) >= 2
    assert told == sorted(told)
    assert operation.result.result["scored"] == 598
    digits.reload()
    assert digits.count("dfaulo_suspiciousness") == 598
    assert isinstance(most_suspicious(digits).dfaulo_suggestion, fo.Classification)
