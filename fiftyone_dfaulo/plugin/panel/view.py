"""The panel ``dfaulo_review``: what it looks like."""

from __future__ import annotations

import math
from typing import Any

import fiftyone.operators.types as types

from fiftyone_dfaulo.adapter.review.audit import SIZE as AUDIT
from fiftyone_dfaulo.plugin.app.plain_text import plain
from fiftyone_dfaulo.plugin.host import ALT_SELECTION
from fiftyone_dfaulo.plugin.panel.counts import BATCH, status_lines
from fiftyone_dfaulo.plugin.panel.facts import BINS, describe

_ALL, _CHECKED = "#f0803c", "#8f98a3"  # readable on white and on black


def build_panel(panel: Any, ctx: Any) -> types.Property:
    """The panel.

    Args:
        panel: the :class:`.panel.ReviewPanel`.
        ctx: the :class:`fiftyone.operators.executor.ExecutionContext`.
    """
    out = types.Object()
    facts = ctx.panel.state.facts or {}
    _add_operation(out, panel, facts.get("operation"))
    _add_damage(out, panel, ctx.panel.state.damage)
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
    margins = {"container": {"sx": {"px": 2, "py": 1}}}
    view = types.GridView(orientation="vertical", gap=2, componentsProps=margins)
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
    _button(out, "find", "Find suspicious labels", panel.find, main=True)


def _add_operation(out: types.Object, panel: Any, operation: Any) -> None:
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


def _add_damage(out: types.Object, panel: Any, damage: Any) -> None:
    if damage:
        text = "; ".join(map(plain, damage))
        view = types.Warning(label="Runs have left something", description=text)
        out.view("damage", view)
        _button(out, "repair", "Repair", panel.repair)


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


def _add_review(out: types.Object, panel: Any, ctx: Any, facts: dict[str, Any]) -> None:
    status = facts["status"]
    out.md(
        "\n\n".join(status_lines(status, facts["label_field"], facts["batch_size"])),
        name="counts",
    )
    _add_stale(out, panel, facts)
    _add_filter(out, panel, ctx.panel.state.filter)
    noun, state = facts["noun"], ctx.panel.state
    checked = status["faulty"] + status["correct"]
    unchecked = "" if checked else f"No {noun} has a verdict yet"
    row = _row(out, "batch")
    _button(row, "next", "Next batch", panel.next_batch, main=True)
    _button(row, "learn", "Learn", panel.learn, why_off=unchecked)
    undo = "" if state.undo else "Nothing was marked since the panel was opened"
    _button(row, "undo", "Undo marking", panel.undo_marking, why_off=undo)
    _button(row, "audit", f"Audit {AUDIT}", panel.audit)
    _add_marking(out, panel, noun, state.batch)
    row = _row(out, "leave")
    _button(row, "correct", "Correct", panel.correct)
    _button(row, "tag", "Tag", panel.tag)
    _button(row, "export", "Export", panel.export, why_off=unchecked)
    kept = "" if status["corrected"] else "Nothing is corrected"
    revert = panel.undo_corrections
    _button(row, "revert", "Undo corrections", revert, why_off=kept)
    _add_reasons(out, panel, noun, facts["reasons"])
    _add_histogram(out, panel, noun, facts["histogram"])
    _add_pairs(out, panel, noun, facts["pairs"])
    size = f"{noun.capitalize()}s in a batch"
    out.int("batch_size", default=BATCH, label=size)
    out.str("by", label="Your name", description="Kept with your verdicts, if given")


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
        row = _row(out, "edited")
        _button(row, "show_stale", "Show them", panel.show_stale)
        _button(row, "again", "Run again", panel.run_again)


def _add_filter(out: types.Object, panel: Any, chosen: Any) -> None:
    if not chosen:
        return
    row = _row(out, "filtered")
    row.md(f"Batches from: **{plain(describe(chosen))}**", name="filter_text")
    _button(row, "all", "Show all", panel.show_all)


def _add_marking(out: types.Object, panel: Any, noun: str, batch: Any) -> None:
    one = "an" if noun[0] in "aeiou" else "a"
    correct = (
        "**Alt+click** it if it is **correct**."
        if ALT_SELECTION
        else "and press Mark selected. Of those that are **correct**, execute **Mark "
        "correct** from the operator browser."
    )
    out.md(
        f"In the grid, **click** the box of {one} {noun} if its label is **faulty**, "
        f"{correct}",
        name="how",
    )
    row = _row(out, "marks")
    _button(row, "mark", "Mark selected", panel.mark_selected)
    # Not counting the selection saves a request for each click in the grid.
    count = batch[1] if batch else 0
    label = "Mark selected, and the rest correct"
    if count:
        label = f"Mark selected, and the rest of {count:,} correct"
    given = {"count": count} if count else None
    off = "" if count else f"The grid shows no batch with an unchecked {noun}"
    _button(row, "rest", label, panel.rest_is_correct, why_off=off, params=given)


def _add_histogram(
    out: types.Object, panel: Any, noun: str, histogram: dict[str, list[int]]
) -> None:
    checked = histogram["checked"]
    totals = [sum(counts) for counts in zip(checked, histogram["unchecked"])]
    bars = {"all": (totals, _ALL), "checked": (checked, _CHECKED)}
    data = [
        {
            "type": "bar",
            "name": name,
            "x": [(i + 0.5) / BINS for i in range(BINS)],
            "y": counts,
            "marker": {"color": color},
            "customdata": [[*pair] for pair in zip(checked, totals)],
            "hovertemplate": "%{customdata[0]} of %{customdata[1]} checked"
            "<extra></extra>",
        }
        for name, (counts, color) in bars.items()
    ]
    layout = {
        "barmode": "overlay",  # on a log axis, stacked heights would mislead
        "bargap": 0.05,
        "height": 220,
        "margin": {"l": 45, "r": 10, "t": 30, "b": 40},
        "xaxis": {"title": {"text": "suspiciousness"}, "range": [0, 1]},
        "yaxis": {
            "type": "log",  # the few at the top are to be seen beside all the others
            "dtick": 1,
            "range": [math.log10(0.7), math.log10(2 * max(1, *totals))],
            "title": {"text": f"{noun}s"},
        },
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.2, "traceorder": "normal"},
    }
    out.plot(
        "histogram",
        label=f"Suspiciousness (click a bar to see its {noun}s)",
        data=data,
        layout=layout,
        config={"displayModeBar": False},
        on_click=panel.on_bar,
    )


def _add_pairs(
    out: types.Object, panel: Any, noun: str, pairs: list[dict[str, Any]]
) -> None:
    if not pairs:
        return
    # as wide as the panel: without this it is wider, and the panel with it
    narrow = {"table": {"sx": {"minWidth": 0}}}
    table = types.TableView(on_click_row=panel.on_pair, componentsProps=narrow)
    what, looks_like = "Labels to change", "Change"
    if "given" in pairs[0]:
        table.add_column("given", label="Labelled as")
        what, looks_like = "Confused classes", "Looks like"
    table.add_column("looks_like", label=looks_like)
    table.add_column("count", label="Unchecked")
    label = f"{what} (click a row to see its {noun}s)"
    out.list("pairs", types.Object(), default=pairs, label=label, view=table)


def _add_reasons(
    out: types.Object, panel: Any, noun: str, reasons: dict[str, int]
) -> None:
    choices = types.Dropdown()
    for name, count in reasons.items():
        choices.add_choice(name, label=f"{name} ({count:,})")
    if not choices.choices:
        return
    out.enum(
        "reason",
        choices.values(),
        label=f"Show only {noun}s with this reason",
        view=choices,
        on_change=panel.on_reason,
    )


def _row(out: types.Object, name: str) -> types.Object:
    """Side by side, and below each other where the panel is narrow."""
    style = {"display": "flex", "flexWrap": "wrap", "& > *": {"width": "auto"}}
    wrapping = {"grid": {"sx": style}}
    return out.h_stack(name, gap=1, align_y="center", componentsProps=wrapping)


def _button(
    out: types.Object,
    name: str,
    label: str,
    on_click: Any,
    *,
    main: bool = False,
    why_off: str = "",
    params: dict[str, int] | None = None,
) -> None:
    # the App's own colour of outlined buttons is too pale in the light
    ink = {} if main else {"button": {"sx": {"color": "text.primary"}}}
    out.btn(
        name,
        label,
        on_click=on_click,
        variant="contained" if main else "outlined",
        disabled=bool(why_off),
        title=why_off or None,
        params=params,
        componentsProps=ink,
    )
