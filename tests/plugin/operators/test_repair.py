"""Repairing from the App: what is offered, and what a foreign page cannot ask for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest

from fiftyone_dfaulo import (
    InputError,
    compute_suspiciousness,
    record_verdicts,
    review_status,
)
from fiftyone_dfaulo.plugin.forms.trust import confirmation
from fiftyone_dfaulo.plugin.operators.repair import RepairRuns
from fiftyone_dfaulo.plugin.panel.panel import ReviewPanel
from tests.plugin.plugin_tools import context, snapshot


@pytest.fixture
def run(scored: Any) -> Any:
    """The dataset after a run, with a verdict."""
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    record_verdicts(scored, faulty=scored.values("id")[7:8])
    return scored


@pytest.fixture
def clone(run: Any) -> Iterator[Any]:
    """A clone of a view: it has the run's fields, and not the run."""
    made = run.limit(20).clone()
    yield made
    made.delete()


def form(dataset: Any) -> Any:
    return RepairRuns().resolve_input(context(dataset, prompt="1")).type.properties


def execute(dataset: Any, **params: Any) -> str:
    """What the App shows at the end."""
    sent = [m.body for m in RepairRuns().execute(context(dataset, **params))]
    assert [one.operator_uri for one in sent] == ["reload_dataset", "show_output"]
    dataset.reload()
    return json.dumps(sent[-1].params)


def panel(dataset: Any, event: str, state: dict[str, Any]) -> str:
    """What the panel shows after an event, as JSON."""
    ctx = context(dataset, panel_id="panel", panel_state=state)
    getattr(ReviewPanel(), event)(ctx)
    state.update(ctx.panel_state)
    return json.dumps(ReviewPanel().render(ctx).to_json())


def test_a_whole_dataset_has_nothing_to_offer(run: Any) -> None:
    before = snapshot(run)
    assert "Runs have left something" not in panel(run, "on_load", {})
    shown = form(run)
    assert shown["found"].view.label == "At first sight all is whole"
    assert "adopt" not in shown
    assert "Nothing had to be repaired" in execute(run)
    assert snapshot(run) == before


def test_the_run_of_a_clones_fields_is_taken_over(clone: Any) -> None:
    state: dict[str, Any] = {}
    assert "Runs have left something" in panel(clone, "on_load", state)
    shown = form(clone)
    assert "no run is here that made the fields" in shown["found"].view.description
    assert "found, and left alone" in execute(clone)
    assert clone.list_brain_runs() == []

    assert "mended: no run is here" in execute(clone, adopt=True)

    assert review_status(clone).faulty == 1
    after = panel(clone, "on_done", state)
    assert "Runs have left something" not in after
    assert "1 found" in after


def test_values_are_deleted_only_with_what_a_foreign_page_cannot_know(
    clone: Any,
) -> None:
    before = snapshot(clone)
    for guess in ("drop", "drop_", "overwrite", f"drop_{clone.name}"):
        execute(clone, **{guess: True})
    assert snapshot(clone) == before

    sure = confirmation(clone, "drop")
    assert sure in form(clone)
    assert "deleted" in execute(clone, **{sure: True})

    assert not any("dfaulo" in str(d) for d in clone._sample_collection.find())
    assert not any(name.startswith("dfaulo") for name in clone.get_field_schema())


def test_a_run_that_is_being_written_is_no_offer(run: Any) -> None:
    config = run.get_brain_info("dfaulo").config
    config.complete = False
    config.build().update_run_config(run, "dfaulo", config)
    assert "Runs have left something" not in panel(run, "on_load", {})


def test_values_with_which_no_sample_loads_are_offered(run: Any) -> None:
    left = {"$set": {"old_suspiciousness": 1.0}}
    run._sample_collection.update_many({}, left)
    assert "no schema names the values of old" in panel(run, "on_load", {})
    execute(run, **{confirmation(run, "drop"): True})
    assert len(list(run.iter_samples())) == 40


def test_from_python(clone: Any) -> None:
    one = foo.get_operator("@dfaulo/dfaulo/repair")
    one(clone)
    assert clone.list_brain_runs() == []
    one(clone, adopt=True)
    clone.reload()
    assert clone.list_brain_runs() == ["dfaulo"]
    other = fo.load_dataset(clone.name).limit(5).clone()
    one(other.limit(1), drop=True)
    other.reload()
    assert "dfaulo_verdict" not in other.get_field_schema()
    other.delete()
    with pytest.raises(InputError, match="expected a FiftyOne dataset"):
        one("dataset")
