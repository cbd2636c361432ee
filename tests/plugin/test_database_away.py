"""What the App says while the database is away: that nothing is lost, in our words."""

from __future__ import annotations

from typing import Any

import pytest
from fiftyone.operators.executor import ExecutionContext
from pymongo.errors import AutoReconnect

from fiftyone_dfaulo import compute_suspiciousness
from fiftyone_dfaulo.errors import RunError
from fiftyone_dfaulo.plugin import OPERATORS
from fiftyone_dfaulo.plugin.operators.compute import ComputeSuspiciousness
from fiftyone_dfaulo.plugin.panel.panel import ReviewPanel
from tests.plugin.plugin_tools import context

AWAY = "database is away. What was done before is kept"
USING = [cls for cls in OPERATORS if cls.name_ not in ("open_review", "cancel_run")]


def away(*_: object) -> Any:
    raise AutoReconnect("127.0.0.1:27017: connection closed")


@pytest.mark.parametrize("operator", [cls for cls in USING if cls.has_form])
def test_a_form_says_so(
    operator: Any, scored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = context(scored, prompt="away")
    monkeypatch.setattr(ExecutionContext, "dataset", property(away))
    monkeypatch.setattr(ExecutionContext, "target_view", away)
    form = operator().resolve_input(ctx)
    assert AWAY in form.type.properties["problem"].error_message


@pytest.mark.parametrize("operator", USING)
def test_executing_says_so(
    operator: Any, scored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = context(scored)
    monkeypatch.setattr(ExecutionContext, "dataset", property(away))
    monkeypatch.setattr(ExecutionContext, "target_view", away)
    with pytest.raises(RunError, match=AWAY):
        list(operator().execute(ctx) or ())


def test_a_delegated_run_that_it_breaks_off_says_so(
    scored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ComputeSuspiciousness, "work", away)
    monkeypatch.setattr(ExecutionContext, "delegated", True, raising=False)
    with pytest.raises(RunError, match=AWAY):
        ComputeSuspiciousness().execute(context(scored))


def test_the_app_shows_why_and_does_not_say_that_all_is_as_it_was(
    scored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ComputeSuspiciousness, "work", away)
    sent = ComputeSuspiciousness().execute(context(scored))
    shown = str(next(sent).body.params)
    assert "'The run failed'" in shown
    assert AWAY in shown
    with pytest.raises(RunError, match=AWAY):
        next(sent)


def test_the_panel_stays_and_says_so(
    scored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    panel = ReviewPanel()
    ctx = context(scored, panel_id="panel", panel_state={})
    panel.on_load(ctx)
    before = dict(ctx.panel_state)
    ctx = context(scored, panel_id="panel", panel_state=dict(before))
    with monkeypatch.context() as patch:
        patch.setattr(ExecutionContext, "dataset", property(away))
        panel.next_batch(ctx)
    asked = {r.operator_uri: r.params for r in ctx.executor._requests}
    assert AWAY in asked["notify"]["message"]
    assert ctx.panel_state == before
