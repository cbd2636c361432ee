"""The panel ``dfaulo_review``: what it looks like."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from fiftyone_dfaulo.adapter.review.audit import SIZE as AUDIT
from fiftyone_dfaulo.plugin.app.keys import describe_keys
from fiftyone_dfaulo.plugin.app.plain_text import plain
from fiftyone_dfaulo.plugin.host import Context, JsonDict
from fiftyone_dfaulo.plugin.panel.charts import (
    add_alike,
    add_classes,
    add_histogram,
    add_markings,
    add_pairs,
    add_progress,
    add_reasons,
)
from fiftyone_dfaulo.plugin.panel.counts import BATCH, fewer, marking_line, status_lines
from fiftyone_dfaulo.plugin.panel.facts import describe
from fiftyone_dfaulo.plugin.panel.looking import looking_lines
from fiftyone_dfaulo.plugin.panel.marking import read_steps
from fiftyone_dfaulo.plugin.panel.parts import add_button, add_row


def build_panel(panel: Any, ctx: Context) -> types.Property:
    """The panel.

    Args:
        panel: the :class:`.panel.ReviewPanel`.
        ctx: the :class:`fiftyone.operators.executor.ExecutionContext`.
    """
    out = types.Object()
    facts = ctx.panel.state.facts or {}
    if "status" not in facts:
        _add_notices(out, panel, ctx, facts)
    if facts.get("problem"):
        view = types.Error(label="No review here", description=plain(facts["problem"]))
        out.view("problem", view)
        out.btn("find", "Find suspicious labels", on_click=panel.find)
    if len(facts.get("runs") or []) > 1:
        _add_runs(out, panel, facts)
    if "status" in facts:
        _add_review(out, panel, ctx, facts)
    elif not facts.get("problem"):
        _add_empty(out, panel)
    # as narrow as the panel: what is wide would make all of it wide
    styles = {
        "container": {"sx": {"px": 2, "py": 1}},
        "grid": {"sx": {"gridTemplateColumns": "minmax(0, 1fr)"}},
    }
    view = types.GridView(orientation="vertical", gap=1, componentsProps=styles)
    return types.Property(out, view=view)


def build_lost() -> types.Property:
    """The panel where its state is none that it could have made."""
    out = types.Object()
    text = "Close the panel and open it again; nothing that was recorded is lost"
    out.view("problem", types.Error(label="The panel lost its place", description=text))
    return types.Property(out)


def _add_empty(out: types.Object, panel: Any) -> None:
    out.md(
        "**Nothing to review yet**\n\nFirst let the labels be ranked by how likely "
        "they are wrong. Then this panel takes you through the most suspicious ones.",
        name="empty",
    )
    add_button(out, "find", "Find suspicious labels", panel.find, main=True)


def _add_notices(
    out: types.Object, panel: Any, ctx: Context, facts: dict[str, Any]
) -> None:
    _add_operation(out, panel, facts.get("operation"))
    _add_damage(out, panel, ctx.panel.state.damage)


def _add_operation(out: types.Object, panel: Any, operation: JsonDict | None) -> None:
    if not operation:
        return
    if operation["failed"]:
        text = plain(operation["error"])
        view = types.Error(label="The last scheduled run failed", description=text)
        out.view("operation", view)
        return
    stage = operation["stage"] or "waiting for a worker"
    label = f"A scheduled run goes on: {stage}, {operation['progress']:.0%}"
    out.view("operation", types.Notice(label=label))
    out.view("timer", types.TimerView(interval=2000, on_interval=panel.on_tick))


def _add_damage(out: types.Object, panel: Any, damage: list[str] | None) -> None:
    if damage:
        text = "; ".join(map(plain, damage))
        view = types.Warning(label="Runs have left something", description=text)
        out.view("damage", view)
        add_button(out, "repair", "Repair", panel.repair)


def _add_runs(out: types.Object, panel: Any, facts: dict[str, Any]) -> None:
    choices = types.Dropdown()
    for run in facts["runs"]:
        choices.add_choice(run, label=run)
    out.enum(
        "run",
        choices.values(),
        default=facts.get("key"),
        label="Run",
        view=choices,
        on_change=panel.choose_run,
    )


def _add_review(
    out: types.Object, panel: Any, ctx: Context, facts: dict[str, Any]
) -> None:
    """What is pressed stands first: nothing that comes and goes moves it."""
    status, noun, state = facts["status"], facts["noun"], ctx.panel.state
    batch = state.batch or [0, 0]
    _add_steps(out, panel, status, noun, state)
    _add_filter(out, panel, state.filter)
    add_reasons(
        out, panel.on_reason, noun, facts["reasons"]
    )  # the App scrolls to it at first
    keys = describe_keys(facts.get("keys") or {})
    how = [
        marking_line(noun, batch[1], state.share),
        f"Keys, for what is selected or open: {plain(keys)}.",
    ]
    lines = [
        *(looking_lines(state.why) if state.looking else how),
        *status_lines(status, facts["label_field"], facts["batch_size"]),
    ]
    out.md("\n\n".join(lines), name="counts")
    add_pairs(out, panel.on_pair, noun, facts["pairs"])
    add_alike(out, panel.on_alike, noun, facts.get("alike") or [])
    _add_stale(out, panel, facts)
    _add_notices(out, panel, ctx, facts)
    add_classes(out, panel.on_class, noun, facts.get("classes") or [])
    add_histogram(out, panel.on_bar, noun, facts["histogram"])
    if facts.get("progress"):
        add_progress(out, noun, facts["progress"])
    add_markings(out, panel.undo_to, read_steps(state.undo))
    size = f"{noun.capitalize()}s in a batch"
    out.int("batch_size", default=BATCH, label=size)
    out.str("by", label="Your name", description="Kept with your verdicts, if given")


def _add_steps(
    out: types.Object, panel: Any, status: dict[str, Any], noun: str, state: Any
) -> None:
    """The buttons."""
    told = sum(status[name] for name in ("faulty", "correct", "unsure", "excluded"))
    unchecked = "" if told else "No verdict was given"
    batch = state.batch or [0, 0]
    row = add_row(out, "batch")
    ahead = not (batch[1] or state.looking)
    done = "" if status["unchecked"] else f"Every {noun} has a verdict"
    nexts = panel.next_batch
    add_button(row, "next", "Next batch", nexts, main=ahead and not done, why_off=done)
    add_button(row, "mark", "Mark selected", panel.mark_selected)
    undo = (
        ""
        if read_steps(state.undo)
        else "Nothing was marked since the panel was opened"
    )
    add_button(row, "undo", "Undo marking", panel.undo_marking, why_off=undo)
    add_button(row, "audit", f"Audit {AUDIT}", panel.audit, why_off=done)
    _add_rest(out, panel, noun, batch[1], state.share)
    row, looking = add_row(out, "leave"), bool(state.looking)
    off = "" if looking else f"The grid shows no {noun} beside others like it"
    add_button(row, "why", "Why?", panel.show_why, narrow=True)
    back = panel.back
    add_button(row, "back", "Back", back, main=looking, narrow=True, why_off=off)
    add_button(row, "correct", "Correct", panel.correct)
    add_button(row, "tag", "Tag", panel.tag)
    add_button(row, "export", "Export", panel.export, why_off=unchecked)
    kept = "" if status["corrected"] else "Nothing is corrected"
    revert = panel.undo_corrections
    add_button(row, "revert", "Undo corrections", revert, why_off=kept)


def _add_rest(
    out: types.Object, panel: Any, noun: str, count: int, share: str | None
) -> None:
    """Two buttons that check a batch; the one that takes fewer clicks stands out."""
    # Not counting the selection saves a request for each click in the grid.
    given = {"count": count} if count else None
    off = "" if count else f"The grid shows no batch with an unchecked {noun}"
    which = fewer(share)
    for verdict, handler in (
        ("correct", panel.rest_is_correct),
        ("faulty", panel.rest_is_faulty),
    ):
        rest = f"the rest of {count:,}" if count else "the rest"
        add_button(
            out,
            f"rest_{verdict}",
            f"Mark selected, and {rest} {verdict}",
            handler,
            main=bool(count) and verdict == which,
            why_off=off,
            params=given,
        )


def _add_stale(out: types.Object, panel: Any, facts: dict[str, Any]) -> None:
    count, field = facts["status"]["stale"], facts["label_field"]
    if facts["label_field_gone"]:
        gone = f"The field {plain(field)}, whose labels were scored, was removed"
        text = f"{gone} or renamed"
        advice = "Verdicts can be given, but no label can be corrected until it is back"
        out.view("gone", types.Warning(label=text, description=advice))
    elif count:
        labels = "1 label was" if count == 1 else f"{count:,} labels were"
        text = f"{labels} edited since the run"
        advice = "Run again to score them as they are now"
        out.view("stale", types.Notice(label=text, description=advice))
        row = add_row(out, "edited")
        add_button(row, "show_stale", "Show them", panel.show_stale)
        add_button(row, "again", "Run again", panel.run_again)


def _add_filter(out: types.Object, panel: Any, chosen: JsonDict | None) -> None:
    row = add_row(out, "filtered")
    text = plain(describe(chosen)) if chosen else "all"
    row.md(f"Batches from: **{text}**", name="filter_text")
    off = "" if chosen else "Batches are from all already"
    add_button(row, "all", "Show all", panel.show_all, why_off=off)
