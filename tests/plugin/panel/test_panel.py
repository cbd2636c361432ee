"""The panel's events on real datasets; the App's tests see it on the screen."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from fiftyone.core.odm import DatasetDocument
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionContext, ExecutionResult, Executor

from fiftyone_dfaulo import (
    apply_suggestions,
    compute_suspiciousness,
    record_verdicts,
    update_suspiciousness,
)
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.review.state.items import ReviewState
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.adapter.runs.lookup import times_of_runs
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.plugin.app.selection import (
    Selected,
    mark_verdicts,
    no_batch,
    unmark_verdicts,
)
from fiftyone_dfaulo.plugin.host import ALT_SELECTION
from fiftyone_dfaulo.plugin.panel import facts_cache
from fiftyone_dfaulo.plugin.panel.facts import (
    describe,
    filtered,
    read_facts,
    read_operation,
    trace_progress,
)
from fiftyone_dfaulo.plugin.panel.panel import ReviewPanel
from fiftyone_dfaulo.plugin.panel.prompts import of_run
from tests.adapter.process import run_forked
from tests.plugin.plugin_tools import context, snapshot

ERROR = "Traceback\n  x\nfiftyone_dfaulo.errors.InputError: too few\n"
WRONG = 7  # the sample of ``scored`` with the wrong label


@pytest.fixture
def run(scored: Any) -> Any:
    """The dataset after a run: 37 scored samples, one label wrong."""
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    return scored


def shown_view(dataset: Any, asked: dict[str, Any]) -> Any:
    """The view that the App is asked to show: a saved one, or one that is sent."""
    if "name" in asked:
        return dataset.load_saved_view(asked["name"])
    return fo.DatasetView._build(dataset, asked["view"])


class Opened:
    """The panel as the App holds it: its state, and what it asked the App to do."""

    def __init__(self, dataset: Any) -> None:
        self.dataset, self.view = dataset, dataset.view()
        self.state: dict[str, Any] = {}
        self.filters: dict[str, Any] = {}  # of the sidebar
        self.did("on_load")

    def did(
        self,
        event: str,
        *selected: str,
        alt: Any = (),
        labels: Any = (),
        **params: Any,
    ) -> Any:
        """An event; gives name and parameters of what the App is to do."""
        ids = [{"id": i, "type": "default"} for i in selected]
        ids += [{"id": i, "type": "alt"} for i in alt]
        ctx = context(
            self.view,
            request={
                "selected_samples": ids,
                "selected_labels": list(labels),
                "filters": self.filters,
            },
            panel_id="panel",
            panel_state=self.state,
            **params,
        )
        getattr(ReviewPanel(), event)(ctx)
        ctx.ops.show_panel_output(ReviewPanel().render(ctx))
        self.state = json.loads(json.dumps(ctx.panel_state))
        asked = {r.operator_uri: r.params for r in ctx.executor._requests}
        if "set_view" in asked:
            self.view = shown_view(self.dataset, asked["set_view"])
        return asked

    def shown(self) -> str:
        """What is on the panel, as JSON."""
        ctx = context(self.view, panel_id="panel", panel_state=self.state)
        return json.dumps(ReviewPanel().render(ctx).to_json())

    @property
    def facts(self) -> dict[str, Any]:
        return self.state["facts"]


def verdicts(dataset: Any) -> list[Any]:
    dataset.reload()
    return dataset.values("dfaulo_verdict")


def test_without_a_run_it_says_what_to_do_first(scored: Any) -> None:
    panel = Opened(scored)
    assert "Nothing to review yet" in panel.shown()
    assert panel.did("next_batch")["notify"]["variant"] == "error"


def test_a_batch_is_the_most_suspicious_unchecked_in_order(run: Any) -> None:
    panel = Opened(run)
    panel.state["batch_size"] = 4
    record_verdicts(run, faulty=[run.values("id")[WRONG]])
    panel.did("next_batch")
    scores = run.values("dfaulo_suspiciousness")
    expected = sorted((s for n, s in enumerate(scores) if s and n != WRONG))[-4:]
    assert panel.view.values("dfaulo_suspiciousness") == expected[::-1]


@pytest.mark.parametrize("click", ["mark_selected", "rest_is_correct", "next_batch"])
def test_one_click_opens_one_review_and_reloads_and_reads_the_config_once(
    run: Any, monkeypatch: pytest.MonkeyPatch, click: str
) -> None:
    panel = Opened(run)
    panel.state["batch_size"] = 5
    panel.did("next_batch")
    first, second = panel.view.values("id")[:2]
    panel.did("mark_selected", first)  # adds a field, for which FiftyOne reloads
    calls = count_calls(monkeypatch)

    panel.did(click, second)

    marks = click in ("mark_selected", "rest_is_correct")
    assert panel.facts["status"]["found"] == 1 + marks
    assert calls == {"review opened": 1, "dataset reloaded": 1, "config read": 1}


def count_calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts reviews, reloads of the dataset, and readings of a run's config."""
    calls: Counter[str] = Counter()

    def count(home: Any, name: str, what: str) -> None:
        real = getattr(home, name)

        def counting(*args: Any, **kwargs: Any) -> Any:
            calls[what] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(home, name, counting)

    count(ReviewSession, "__init__", "review opened")
    count(fo.Dataset, "reload", "dataset reloaded")
    count(DatasetDocument, "reload", "dataset reloaded")
    count(fo.Dataset, "get_brain_info", "config read")
    return calls


@pytest.mark.parametrize("size", [0, -1, 2.5, "many", True])
def test_a_batch_size_that_makes_no_sense_is_said(run: Any, size: Any) -> None:
    panel = Opened(run)
    panel.state["batch_size"] = size
    before = panel.view
    said = panel.did("next_batch")["notify"]
    assert "not a whole number of 1 or more" in said["message"]
    assert panel.view == before


def test_selected_are_marked_and_the_rest_of_the_batch_is_correct(run: Any) -> None:
    panel = Opened(run)
    panel.state["batch_size"] = 5
    panel.did("next_batch")
    batch = panel.view.values("id")
    asked = panel.did("rest_is_correct", batch[0], by="x")
    assert asked["notify"]["message"].startswith("Marked: 1 faulty, 4 correct. The ")
    found = dict(zip(run.values("id"), verdicts(run)))
    assert [found[i] for i in batch] == ["faulty", *["correct"] * 4]
    assert sum(v is not None for v in found.values()) == 5
    status = panel.facts["status"]
    assert (status["found"], status["correct"], panel.state["batch"]) == (1, 4, [5, 5])
    assert len(panel.view) == 5
    assert not {*batch} & {*panel.view.values("id")}  # the next batch


def test_the_rest_is_faulty_and_a_selection_that_makes_no_sense_is_refused(
    run: Any,
) -> None:
    panel = Opened(run)
    panel.state["batch_size"] = 6
    panel.did("next_batch")
    batch = panel.view.values("id")
    said = panel.did("rest_is_faulty", batch[1])["notify"]["message"]
    assert "marked faulty already, and the rest would be too. Alt+click" in said
    said = panel.did("rest_is_correct", alt=batch[1:2])["notify"]["message"]
    assert "marked correct already, and the rest would be too. Click" in said
    assert set(verdicts(run)) == {None}
    panel.did("rest_is_faulty", batch[2], alt=batch[:1], count=6)
    found = dict(zip(run.values("id"), verdicts(run)))
    assert [found[i] for i in batch] == ["correct", *["faulty"] * 5]

    assert panel.did("undo_marking")["notify"]["message"].startswith("Taken back: 6")
    assert set(verdicts(run)) == {None}
    assert panel.view.values("id") == batch  # to be marked anew


@pytest.mark.parametrize(
    ("share", "count", "line", "main"),
    [
        (None, 0, "**Click** the samples that are **faulty**, and the rest", None),
        ("0.100", 50, "About 5 of these 50 are faulty. Fewest clicks: **Cl", "correct"),
        pytest.param(
            "0.720",
            50,
            "About 36 of these 50 are faulty. Fewest clicks: **Alt",
            "faulty",
            marks=pytest.mark.skipif(not ALT_SELECTION, reason="knows no Alt+click"),
        ),
    ],
)
def test_it_says_which_way_takes_fewer_clicks(
    run: Any, share: str | None, count: int, line: str, main: str | None
) -> None:
    panel = Opened(run)
    panel.state |= {"share": share, "batch": [count, count]}
    ctx = context(panel.view, panel_id="panel", panel_state=panel.state)
    shown = ReviewPanel().render(ctx).to_json()["type"]["properties"]
    assert line in json.dumps(shown["counts"])
    ways = {n: shown[f"rest_{n}"]["view"] for n in ("correct", "faulty")}
    chosen = [n for n, view in ways.items() if view["variant"] == "contained"]
    assert chosen == [main] * (main is not None)


def test_a_filter_of_the_sidebar_narrows_what_is_marked_and_stays(run: Any) -> None:
    panel = Opened(run)
    panel.state["batch_size"] = 6
    panel.did("next_batch")
    panel.did("on_change_view")
    panel.filters = {
        "ground_truth.label": {"values": ["a"], "exclude": False, "isMatching": True}
    }
    batch = panel.view.values("id")
    labels = dict(zip(run.values("id"), run.values("ground_truth.label")))
    seen = [one for one in batch if labels[one] == "a"]
    assert 0 < len(seen) < 6

    asked = panel.did("on_change_view")
    assert "patch_panel_state" not in asked  # the App would forget the filter
    assert f"the rest of {len(seen)} correct" in json.dumps(asked["show_panel_output"])

    said = panel.did("rest_is_correct", count=6)["notify"]["message"]
    assert "The grid has changed" in said
    assert set(verdicts(run)) == {None}
    panel.did("rest_is_correct", count=len(seen))
    found = dict(zip(run.values("id"), verdicts(run)))
    assert [one for one in batch if found[one] == "correct"] == seen


def test_marking_is_undone_step_by_step(run: Any) -> None:
    ids, panel = run.values("id"), Opened(run)
    panel.did("mark_selected", ids[1], alt=[ids[2]])
    panel.did("mark_selected", ids[2])
    assert verdicts(run)[1:3] == ["faulty", "faulty"]
    panel.did("undo_marking")
    assert verdicts(run)[1:3] == ["faulty", "correct"]
    panel.did("undo_marking")
    assert verdicts(run)[1:3] == [None, None]
    assert "Nothing was marked" in panel.did("undo_marking")["notify"]["message"]


def test_markings_are_listed_and_undone_down_to_one_of_them(run: Any) -> None:
    ids, panel = run.values("id"), Opened(run)
    panel.did("mark_selected", ids[1], ids[3], alt=[ids[2]])
    assert "Undo this marking, and all after it" not in panel.shown()
    panel.did("mark_selected", ids[2])
    panel.did("mark_selected", alt=[ids[4], ids[5]])
    (times,) = {step["at"] for step in panel.state["undo"]}
    for told in ("2 faulty, 1 correct", "1 faulty", "2 correct"):
        assert f"{times}: {told}" in panel.shown()

    for odd in ("7", None, "-1", 1):
        panel.did("undo_to", value=odd)
    assert verdicts(run)[1:6] == ["faulty", "faulty", "faulty", "correct", "correct"]
    panel.state["undo_to"] = "1"
    said = panel.did("undo_to", value="1")["notify"]["message"]
    assert said == "Taken back: 3 verdicts"
    assert verdicts(run)[1:6] == ["faulty", "correct", "faulty", None, None]
    assert len(panel.state["undo"]) == 1
    assert panel.state["undo_to"] is None


def test_unsure_is_no_part_of_a_batch_and_undoing_brings_it_back(run: Any) -> None:
    ids, panel = run.values("id"), Opened(run)
    record_verdicts(run, unsure=ids[1:3])
    panel.did("on_done")
    assert "0 of 37 checked; 2 unsure" in panel.shown()
    panel.did("next_batch")
    assert len(panel.view) == 35
    panel.did("mark_selected", ids[1], ids[3])
    panel.did("undo_marking")
    assert verdicts(run)[1:4] == ["unsure", "unsure", None]


def test_what_is_to_be_excluded_is_counted_on_its_own_and_in_no_batch(run: Any) -> None:
    ids, panel = run.values("id"), Opened(run)
    panel.did("next_batch")
    panel.did("mark_selected", ids[1])
    record_verdicts(run, exclude=ids[1:3])
    panel.did("on_done")
    assert "0 of 37 checked; 2 to exclude" in panel.shown()
    panel.did("next_batch")
    assert len(panel.view) == 35
    panel.did("undo_marking")
    assert verdicts(run)[1:3] == ["exclude", "exclude"]


def test_the_curve_is_of_verdicts_in_their_order(run: Any) -> None:
    review = open_review(run, "dfaulo")
    none = read_facts(review, 50)["progress"]
    assert none == {"found": [[], []], "expected": [[], []]}
    ids = run.values("id")
    for verdict, one in (("faulty", WRONG), ("correct", 3), ("faulty", 0)):
        record_verdicts(run, **{verdict: [ids[one]]})
    record_verdicts(run, correct=[ids[WRONG]])  # who changes it checks it last
    progress = read_facts(open_review(run, "dfaulo"), 50)["progress"]
    assert progress["found"] == [[0, 1, 2, 3], [0, 0, 1, 1]]
    assert [part[0] for part in progress["expected"]] == [3, 1]


def test_the_curve_goes_on_along_the_ranking_to_the_estimate() -> None:
    scores = np.array([0.2, 0.9, 0.8, 0.1, np.nan, 0.5])
    there = np.array([True, True, True, True, False, True])
    state = ReviewState.nothing(6, {})
    state.present[:], state.scores[:] = there, scores
    state.verdicts[1] = 1
    chances = np.array([0.2, 1.0, 0.5, 0.0, 0.3])  # of those that are there
    progress = trace_progress([True], state, chances, left=2.0)
    assert progress["found"] == [[0, 1], [0, 1]]
    checked, faults = progress["expected"]
    assert checked == [1, 2, 3, 4]  # a fifth would find none
    assert faults == pytest.approx([1, 2, 2.6, 3])
    assert trace_progress([True], state, chances, -0.5)["expected"] == [[1], [1]]


def test_undoing_a_marking_after_learning_takes_what_was_learned_back(
    run: Any,
) -> None:
    scores = run.values("dfaulo_suspiciousness")
    panel = Opened(run)
    panel.did("next_batch")
    panel.did("mark_selected", *panel.view.values("id")[:3])
    update_suspiciousness(run)
    run.reload()
    assert run.values("dfaulo_suspiciousness") != scores
    said = panel.did("undo_marking")["notify"]["message"]
    assert "unlearned" in said
    run.reload()
    assert run.values("dfaulo_suspiciousness") == scores


def test_what_others_have_marked_since_is_not_undone(run: Any) -> None:
    ids = run.values("id")
    changes = mark_verdicts(open_review(run, "dfaulo"), Selected([ids[1], ids[2]], []))
    record_verdicts(run, correct=ids[1:2], by="Bob")
    assert unmark_verdicts(open_review(run, "dfaulo"), changes) == (1, 1)
    assert verdicts(run)[1:3] == ["correct", None]


def test_nothing_selected_is_said(run: Any) -> None:
    panel, before = Opened(run), snapshot(run)
    assert "No sample is selected" in panel.did("mark_selected")["notify"]["message"]
    assert "shows no batch" in panel.did("rest_is_correct")["notify"]["message"]
    assert snapshot(run) == before


def buttons(panel: Opened) -> dict[str, str]:
    """The label of each button to why it is off; empty if it is on."""
    found: dict[str, str] = {}

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if part.get("name") == "Button" or "Button" in str(part.get("component")):
                off = part.get("disabled", False)
                found[part["label"]] = (part.get("title") or "?") if off else ""
            for value in part.values():
                look(value)
        elif isinstance(part, list):
            for value in part:
                look(value)

    look(json.loads(panel.shown()))
    return found


def test_a_button_that_is_off_says_why_and_what_it_is_for_turns_it_on(run: Any) -> None:
    panel = Opened(run)
    first = buttons(panel)
    assert {name for name, why in first.items() if why} == {
        "Undo marking",
        "Mark selected, and the rest correct",
        "Mark selected, and the rest faulty",
        "Back",
        "Export",
        "Undo corrections",
        "Show all",
    }
    assert "?" not in first.values()
    record_verdicts(run, exclude=run.values("id")[1:2])
    panel.did("on_done")
    assert buttons(panel)["Export"] == ""
    panel.did("on_bar", x=0.975)
    assert buttons(panel)["Show all"] == ""
    record_verdicts(run, correct=run.exists("dfaulo_suspiciousness"))
    panel.did("on_done")
    for name in ("Next batch", "Audit 60"):
        assert buttons(panel)[name] == "Every sample has a verdict"


def test_a_part_that_is_checked_ends_with_what_to_do_next(run: Any) -> None:
    panel = Opened(run)
    panel.did("on_pair", row=0)
    panel.did("next_batch")
    said = panel.did("rest_is_faulty")["notify"]["message"]
    assert said.endswith(
        "No unchecked sample is left here; 'Show all' goes on with the others"
    )
    assert panel.state["batch"] == [1, 0]


def test_filters_narrow_grid_and_batches(run: Any) -> None:
    panel = Opened(run)
    (pair,) = panel.facts["pairs"]
    assert pair == {"given": "a", "looks_like": "b", "count": 1}
    panel.did("on_pair", row=0)
    assert panel.view.values("id") == [run.values("id")[WRONG]]
    panel.did("next_batch")
    assert panel.view.values("id") == [run.values("id")[WRONG]]
    assert "labelled a, looks like b" in panel.shown()
    panel.did("show_all")
    assert len(panel.view) == 37

    panel.did("on_bar", x=0.975)
    scores = [s for s in run.values("dfaulo_suspiciousness") if s is not None]
    assert len(panel.view) == sum(s >= 0.95 for s in scores)
    reasons = run.count_values("dfaulo_reasons")
    panel.did("on_reason", value=next(iter(reasons)))
    assert len(panel.view) == next(iter(reasons.values()))


@pytest.fixture
def twins(make_dataset: Any) -> Any:
    """240 samples of four clusters; which of the last are c, and which d, is chance."""
    rng = np.random.default_rng(1)
    true = np.repeat(np.arange(3), 80)
    vectors = rng.normal(size=(240, 4)) + 4 * np.eye(4)[true]
    labels = np.where(true == 2, rng.integers(2, 4, 240), true)
    labels[:3], labels[80] = 1, 0  # a and b are mistaken, and yet two classes
    dataset = make_dataset(["abcd"[k] for k in labels])
    dataset.set_values("vectors", vectors.tolist())
    compute_suspiciousness(dataset, embeddings="vectors", progress=False)
    return dataset


def test_classes_that_may_be_one_are_named_and_looked_at(twins: Any) -> None:
    panel = Opened(twins)
    given, looks = twins.values(["ground_truth.label", "dfaulo_suggestion.label"])
    pairs = Counter(zip(given, looks))
    (row,) = panel.facts["alike"]
    of_c, of_d = (pairs[one, "c"] + pairs[one, "d"] for one in "cd")
    swapped = f"{pairs['c', 'd']} of {of_c}; {pairs['d', 'c']} of {of_d}"
    assert row == {"one": "c", "other": "d", "swapped": swapped}
    assert "Classes that may be one" in panel.shown()
    panel.did("on_alike", row=0)
    shown = zip(
        *panel.view.values(["ground_truth.label", "dfaulo_suggestion.label"]),
    )
    assert Counter(shown) == {p: pairs[p] for p in (("c", "d"), ("d", "c"))}
    assert "c and d, each that looks like the other" in panel.shown()
    assert panel.state["batch"] is None  # nothing is to be marked in one go here


def test_a_confused_pair_larger_than_a_batch_is_marked_in_one_go(twins: Any) -> None:
    panel = Opened(twins)
    panel.did("on_pair", row=0)
    pair = panel.facts["pairs"][0]
    assert panel.state["batch"] == [pair["count"]] * 2
    panel.did("show_all")
    panel.state["batch_size"] = pair["count"] - 1
    panel.did("on_pair", row=0)
    assert panel.state["batch"] == [pair["count"]] * 2
    panel.did("rest_is_faulty", count=pair["count"])
    assert twins.count_values("dfaulo_verdict")["faulty"] == pair["count"]
    assert pair not in panel.facts["pairs"]


@pytest.mark.parametrize("form", ["correct", "tag", "export", "find", "run_again"])
def test_a_batch_is_still_one_where_a_form_was_cancelled(run: Any, form: str) -> None:
    panel = Opened(run)
    panel.did("next_batch")
    panel.did("mark_selected", panel.view.values("id")[0])
    del panel.state["batch"]  # the App keeps what an event writes, and no more
    panel.did(form)
    assert panel.state["batch"] == [37, 36]
    assert buttons(panel)["Mark selected, and the rest of 36 correct"] == ""


def test_after_a_look_at_a_group_the_grid_shows_all_that_is_corrected(
    twins: Any,
) -> None:
    panel = Opened(twins)
    panel.did("next_batch")
    some = panel.view.values("id")[:5]
    apply_suggestions(twins, ids=some)
    batch = panel.view
    panel.did("on_corrected")
    assert panel.view == batch
    panel.view = no_batch(twins.select(some[:1], ordered=True), 1)  # as Look shows it
    panel.did("on_corrected")
    assert {*panel.view.values("id")} == {*some}


def test_near_duplicates_are_shown_side_by_side(scored: Any) -> None:
    ids, labels, vectors = scored.values(["id", "ground_truth.label", "vectors"])
    first, second = 10, 11
    assert labels[first] != labels[second]
    vectors[second] = vectors[first]
    scored.set_values("vectors", vectors)
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    panel = Opened(scored)
    panel.did("on_reason", value="near duplicate has another label")
    assert panel.view.values("id") == [ids[second], ids[first]]
    panel.did("show_all")
    panel.did("on_reason", value="near duplicate has another label")
    said = panel.did("rest_is_correct")["notify"]["message"]
    assert "The grid shows no batch" in said
    panel.did("next_batch")
    assert panel.view.values("id") == [ids[second], ids[first]]
    panel.did("rest_is_correct", ids[second])
    found = dict(zip(scored.values("id"), verdicts(scored)))
    assert (found[ids[second]], found[ids[first]]) == ("faulty", "correct")
    assert panel.did("next_batch")["notify"]["variant"] == "error"  # none is left


def test_one_is_shown_beside_its_like_and_one_click_leads_back(run: Any) -> None:
    panel = Opened(run)
    panel.did("next_batch")
    batch = panel.view.values("id")
    worst = run.values("id")[WRONG]
    assert batch[0] == worst
    off = "The grid shows no sample beside others like it"
    assert off in panel.shown()

    panel.did("show_why")
    assert off not in panel.shown()
    shown = panel.view.values("ground_truth.label")
    assert panel.view.values("id")[0] == worst
    assert shown == ["a", *"aaaaa", *"bbbbb"]
    told = panel.shown()
    assert "Of its 10 nearest, 10 are b." in told
    assert "Labelled a. Models without it say b (" in told
    assert "The sample in question, then 5 that are a, then 5 that are b." in told
    assert "fewest clicks" not in told.lower()

    panel.did("on_change_view")
    assert panel.state["looking"]
    panel.did("mark_selected", worst)
    panel.did("on_change_view")
    panel.did("show_why")  # goes on with the next one of the batch
    assert panel.view.values("id")[0] == batch[1]
    panel.did("show_why", batch[5])  # or with the one that is selected
    assert panel.view.values("id")[0] == batch[5]
    panel.did("back")
    assert panel.view.values("id") == batch
    assert panel.state["batch"] == [len(batch), len(batch) - 1]
    panel.did("on_change_view")
    assert not panel.state["looking"]
    assert "10 nearest" not in panel.shown()


def test_what_a_look_was_at_is_read_with_care(run: Any) -> None:
    panel = Opened(run)
    for odd in ({"ids": 3}, {"ids": [1]}, {"ids": ["x"], "back": 7, "words": [None]}):
        panel.state["why"] = odd
        assert panel.did("on_change_view") is not None
        assert "problem" not in panel.facts
    panel.did("show_why")  # no batch: the most suspicious one
    assert panel.view.first().id == run.values("id")[WRONG]
    panel.did("back")
    assert len(panel.view) == 37


def test_every_score_is_in_one_bar(run: Any) -> None:
    ids = run.exists("dfaulo_suspiciousness").values("id")
    scores = [0.0, 0.049, 0.05, 0.999, 1.0] + [None] * 32
    run.set_values("dfaulo_suspiciousness", dict(zip(ids, scores)), key_field="id")
    record_verdicts(run, faulty=ids[4:5])
    histogram = read_facts(open_review(run, "dfaulo"), 50)["histogram"]
    assert histogram["unchecked"] == [2, 1, *[0] * 17, 1]
    assert histogram["checked"] == [0] * 19 + [1]
    bars = [
        {"low": n / 20, "high": 2.0 if n == 19 else (n + 1) / 20} for n in range(20)
    ]
    assert [len(filtered(run, open_review(run, "dfaulo"), bar)) for bar in bars] == [
        2,
        1,
        *[0] * 17,
        2,
    ]
    assert describe(bars[19]) == "suspiciousness 0.95 to 1.00"


def test_pairs_count_unchecked_disagreements_commonest_first(run: Any) -> None:
    scored = run.exists("dfaulo_suggestion")
    ids, looks = scored.values(["id", "dfaulo_suggestion.label"])
    given = ["a", "b", "c"] * 12 + [None]
    labels = [k and fo.Classification(label=k) for k in given]
    run.set_values("ground_truth", dict(zip(ids, labels)), key_field="id")
    record_verdicts(run, correct=ids[2:3])
    expected = Counter(
        (g, k) for n, (g, k) in enumerate(zip(given, looks)) if g != k and g and n != 2
    )
    found = read_facts(open_review(run, "dfaulo"), 50)["pairs"]
    assert {(p["given"], p["looks_like"]): p["count"] for p in found} == expected
    assert [p["count"] for p in found] == sorted(expected.values(), reverse=True)


def test_what_is_read_is_kept_until_something_is_written(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []

    def counting(*given: Any) -> Any:
        reads.append(given)
        return read_facts(*given)

    monkeypatch.setattr(facts_cache, "read_facts", counting)
    panel = Opened(run)
    for _ in range(3):
        panel.did("on_change_view")
    assert len(reads) == 1
    record_verdicts(run, faulty=run.values("id")[:1], by="Bob")  # somebody else
    panel.did("on_change_view")
    assert panel.facts["status"]["found"] == 1
    run.delete_samples(run.values("id")[1:2])
    panel.did("on_change_view")
    assert panel.facts["status"]["scored"] == 36
    assert len(reads) == 3
    panel.did("on_done")
    assert len(reads) == 4
    monkeypatch.setattr(facts_cache, "EXPIRY", 0.0)
    panel.did("on_change_view")
    assert len(reads) == 5


def test_two_people_see_each_other_in_the_counts_of_the_panel(run: Any) -> None:
    panel, ids = Opened(run), run.exists("dfaulo_suspiciousness").values("id")
    panel.did("mark_selected", *ids[:2])
    code = """
    import sys
    import fiftyone as fo
    import fiftyone_dfaulo as dfaulo
    dataset, ids = fo.load_dataset(sys.argv[1]), sys.argv[2:]
    dfaulo.record_verdicts(dataset, faulty=ids[2:3], correct=ids[1:2], by="Bob")
    dfaulo.apply_suggestions(dataset, ids=ids[:1], label="b" , by="Bob")
    dataset.delete_samples(ids[3:])
    """
    given = run.values("ground_truth.label")[run.values("id").index(ids[0])]
    code = code.replace('"b" ', repr("b" if given != "b" else "a"))
    done = run_forked(code, run.name, *ids[:4])
    assert done.returncode == 0, done.stderr
    panel.did("on_change_view")
    status = panel.facts["status"]
    assert (status["found"], status["correct"], status["corrected"]) == (2, 1, 1)
    assert status["scored"] == len(ids) - 1
    assert panel.facts["progress"]["found"] == [[0, 1, 2, 3], [0, 1, 1, 2]]
    panel.did("undo_marking")  # what Bob has marked otherwise stays
    assert panel.facts["status"]["correct"] == 1
    assert panel.facts["status"]["found"] == 1


def test_events_at_once_share_one_reading(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = open_review(run, "dfaulo")
    reads, waiting = [], threading.Barrier(3)

    def slow(*given: Any) -> Any:
        reads.append(given)
        waiting.wait(30)  # until the others have asked, too
        time.sleep(0.2)
        return read_facts(*given)

    def ask() -> Any:
        waiting.wait(30)
        return facts_cache.recent_facts(review, 50)

    monkeypatch.setattr(facts_cache, "read_facts", slow)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(facts_cache.recent_facts, review, 50)
        others = [pool.submit(ask) for _ in range(2)]
        assert first.result(30) == others[0].result(30) == others[1].result(30)
    assert len(reads) == 1


def test_edited_labels_are_said_and_shown(run: Any) -> None:
    sample = run.first()
    sample.ground_truth.label = "b"
    sample.save()
    panel = Opened(run)
    assert "1 label was edited since the run" in panel.shown()
    panel.did("show_stale")
    assert panel.view.values("id") == [sample.id]
    said = panel.did("rest_is_correct")["notify"]["message"]  # nobody looks at all
    assert "The grid shows no batch of run 'dfaulo'" in said
    assert verdicts(run)[0] is None


def test_of_several_runs_the_chosen_one_is_reviewed(run: Any) -> None:
    compute_suspiciousness(
        run, embeddings="vectors", brain_key="second", progress=False
    )
    panel = Opened(run)
    assert panel.facts["key"] == "second"
    panel.did("next_batch")
    asked = panel.did("choose_run", value="dfaulo")
    assert asked["set_view"] == {"name": "Most suspicious (dfaulo)"}  # no batch now
    assert panel.facts["key"] == "dfaulo"
    assert Opened(run).facts["key"] == "dfaulo"
    panel.did("on_bar", x=0.025)
    panel.did("next_batch")
    panel.did("mark_selected", panel.view.first().id)
    compute_suspiciousness(run, embeddings="vectors", brain_key="third", progress=False)
    asked = panel.did("on_change_view")
    assert asked["notify"]["message"] == "Now reviewing the run 'third'"
    assert panel.facts["key"] == "third"
    assert not panel.state["filter"]
    assert "Nothing was marked" in panel.did("undo_marking")["notify"]["message"]
    said = panel.did("rest_is_correct")["notify"]["message"]  # it is the other run's
    assert "The grid shows no batch of run 'third'" in said
    assert run.count("third_verdict") == 0
    panel.did("next_batch")
    panel.did("rest_is_correct")
    assert run.count("third_verdict") == 37


@pytest.mark.parametrize("gone", ["run", "field", "label field"])
def test_what_was_deleted_while_open_is_said(run: Any, gone: str) -> None:
    panel = Opened(run)
    if gone == "run":
        run.delete_brain_run("dfaulo")
    elif gone == "field":
        run.delete_sample_field("dfaulo_verdict")
    else:
        run.delete_sample_field("ground_truth")
    panel.did("next_batch")
    panel.did("on_change_view")
    text = {
        "run": "Nothing to review yet",
        "field": "'dfaulo_verdict' of brain run 'dfaulo' was deleted",
        "label field": "whose labels were scored, was removed or renamed",
    }
    assert text[gone] in panel.shown()


def test_without_the_label_field_it_says_what_still_can_be_done(run: Any) -> None:
    run.rename_sample_field("ground_truth", "other")
    panel = Opened(run)
    assert "ground_truth, whose labels were scored, was removed" in panel.shown()
    panel.did("mark_selected", run.values("id")[0])
    assert verdicts(run)[0] == "faulty"


def test_a_dataset_deleted_elsewhere_is_said(run: Any) -> None:
    run.persistent = True
    panel = Opened(run)
    code = "import sys, fiftyone as fo; fo.delete_dataset(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, run.name], check=True)
    for event in ("on_change_view", "next_batch", "undo_marking"):
        before = panel.state
        asked = panel.did(event)
        assert "was deleted; open another one" in asked["notify"]["message"]
        assert panel.state == before


def test_a_renamed_dataset_is_followed(run: Any) -> None:
    panel, old = Opened(run), run.name
    request = context(panel.view).request_params
    run.name = f"{old}-renamed"
    ctx = ExecutionContext(
        request_params={
            **request,
            "params": {"panel_id": "panel", "panel_state": panel.state},
        },
        executor=Executor(),
    )
    ReviewPanel().next_batch(ctx)
    asked = {r.operator_uri: r.params for r in ctx.executor._requests}
    assert asked["open_dataset"] == {"dataset": run.name}
    assert f"is now called {run.name!r}" in asked["notify"]["message"]
    assert "set_view" not in asked


def test_running_again_starts_from_the_answers_of_the_run(run: Any) -> None:
    asked = Opened(run).did("run_again")["prompt_user_for_operation"]["params"]
    assert {**asked, "view_target": "DATASET"} == asked
    assert (asked["label_field"], asked["brain_key"]) == ("ground_truth", "dfaulo")
    assert (asked["source"], asked["embeddings"]) == ("embeddings", "vectors")


RUNS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    (
        {"predictions": "guesses", "out_of_sample": True, "classes": ["a", "b"]},
        {"source": "predictions", "predictions": "guesses", "classes": "a, b"}
        | {"out_of_sample": True, "advanced": True},
    ),
    (
        {"model": "my/weights.pt", "factory": "mine:build", "seed": 3}
        | {"preprocessing": {"size": 32, "mean": [0.5, 0.4, 0.3]}},
        {"source": "file", "model_path": "my/weights.pt", "factory": "mine:build"}
        | {"seed": 3, "input_size": 32, "input_mean": "0.5, 0.4, 0.3"}
        | {"input_mode": "RGB", "input_std": "0.229, 0.224, 0.225", "advanced": True},
    ),
    ({"predictions": "auto"}, {"source": "detector"}),
    ({"predictions": "look"}, {"source": "look"}),
    ({"model": "resnet18"}, {"source": "backbone", "model": "resnet18"}),
    ({"depth": "full"}, {"depth": "full", "advanced": True}),
    (
        {"predictions": "guess", "train": True},
        {
            "source": "predictions",
            "predictions": "guess",
            "train": True,
            "advanced": True,
        },
    ),
]


@pytest.mark.parametrize(("settings", "asked"), RUNS)
def test_a_run_is_asked_for_again_as_it_was(
    settings: dict[str, Any], asked: dict[str, Any]
) -> None:
    made = Settings(**settings)
    config = DFauLoConfig("ground_truth", made.to_dict())
    given = of_run(config)
    assert given == {"label_field": "ground_truth", **asked}


def test_another_dataset_starts_afresh(run: Any, make_dataset: Any) -> None:
    panel = Opened(run)
    panel.did("on_reason", value="fits no class")
    panel.dataset = make_dataset(["a", "b"])
    panel.view = panel.dataset.view()
    panel.did("on_change_dataset")
    assert "Nothing to review yet" in panel.shown()
    assert panel.state["filter"] is None


def test_a_scheduled_run_is_followed_until_it_ends(scored: Any) -> None:
    service = DelegatedOperationService()
    queued = service.queue_operation(
        operator="@dfaulo/dfaulo/compute_suspiciousness",
        context=context(scored).serialize(),
    )
    try:
        assert "waiting for a worker" in Opened(scored).shown()
        service.set_running(queued.id)
        service.set_progress(queued.id, _progress(0.4, "Training the network"))
        shown = Opened(scored).shown()
        assert "A scheduled run goes on: Training the network, 40%" in shown
        assert "TimerView" in shown
        service.set_failed(queued.id, ExecutionResult(error=ERROR))
        shown = Opened(scored).shown()
        assert "The last scheduled run failed" in shown
        assert '"too few"' in shown
        compute_suspiciousness(scored, embeddings="vectors", progress=False)
        assert read_operation(scored, times_of_runs(scored)) is None  # old news
        scored.delete_brain_run("dfaulo")
        assert read_operation(scored, times_of_runs(scored)) is not None
        service.set_completed(queued.id)
        assert read_operation(scored, times_of_runs(scored)) is None
    finally:
        service.delete_operation(queued.id)


def _progress(fraction: float, label: str) -> Any:
    from fiftyone.factory.repos.delegated_operation_doc import ExecutionProgress

    return ExecutionProgress(progress=fraction, label=label)
