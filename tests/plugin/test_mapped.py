"""A grid that shows other labels than the dataset holds: nothing is done with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fiftyone import ViewField as F

from fiftyone_dfaulo import compute_suspiciousness, record_verdicts
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin import OPERATORS
from fiftyone_dfaulo.plugin.operators.review_base import ReviewOperator
from fiftyone_dfaulo.plugin.panel.panel import ReviewPanel
from tests.plugin.plugin_tools import context, snapshot

REFUSED = "this view changes the labels in 'ground_truth'"
REVIEWING = [cls for cls in OPERATORS if issubclass(cls, ReviewOperator)]

MAPPED: dict[str, Callable[[Any], Any]] = {
    "map_labels": lambda d: d.map_labels("ground_truth", {"a": "z"}),
    "set_field": lambda d: d.set_field("ground_truth.label", F("label").upper()),
}


@pytest.fixture
def run(scored: Any) -> Any:
    """The dataset after a run, with a verdict."""
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    record_verdicts(scored, faulty=scored.values("id")[7:8])
    return scored


@pytest.mark.parametrize("how", MAPPED)
@pytest.mark.parametrize("operator", REVIEWING, ids=lambda cls: cls.name_)
def test_no_operator_of_a_review_works_on_it(operator: Any, how: str, run: Any) -> None:
    before, view = snapshot(run), MAPPED[how](run)
    chosen = [{"id": one, "type": "default"} for one in run.values("id")[:2]]
    request = {"selected_samples": chosen}

    form = operator().resolve_input(context(view, prompt=how, request=request))
    if form is not None:
        assert REFUSED in form.type.properties["problem"].error_message
    if operator.name_ != "evaluate_ranking":  # which ends at its form
        with pytest.raises(InputError, match=REFUSED):
            list(operator().execute(context(view, request=request)) or ())

    assert snapshot(run) == before


def test_the_panel_says_why_and_goes_on_once_the_view_is_left(run: Any) -> None:
    def shown(samples: Any) -> dict[str, Any]:
        ctx = context(samples, panel_id="panel", panel_state=state)
        ReviewPanel().on_change_view(ctx)
        state.update(ctx.panel_state)
        return dict(state["facts"])

    state: dict[str, Any] = {}
    before = snapshot(run)
    facts = shown(MAPPED["map_labels"](run))
    assert REFUSED in facts["problem"]
    assert "status" not in facts
    facts = shown(run)
    assert "problem" not in facts
    assert facts["status"]["faulty"] == 1
    assert snapshot(run) == before
