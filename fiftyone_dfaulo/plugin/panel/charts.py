"""What the panel shows of the whole run: bars, pairs of classes, reasons."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import fiftyone.operators.types as types

from fiftyone_dfaulo.plugin.panel.facts import BINS
from fiftyone_dfaulo.plugin.panel.parts import Handler

_ALL, _CHECKED = "#f0803c", "#8f98a3"  # readable on white and on black

_CONFIG = {"displayModeBar": False, "responsive": True}
"""Of a plot: it follows the width of the window."""

_HEIGHT = 220
_AS_HIGH = {"plotly": {"style": {"width": "100%", "height": f"{_HEIGHT}px"}}}
"""Has a plot keep its height where its width changes."""

_FITTING = {
    "table": {
        "sx": {
            "minWidth": 0,  # without this it is wider than the panel, and that with it
            "& th, & td": {"px": "4px", "fontSize": "0.875rem"},
            "& td": {"overflowWrap": "anywhere"},  # a class may be one long word
        }
    }
}
"""Has a table be as wide as the panel, however narrow that is."""


def add_histogram(
    out: types.Object, on_click: Handler, noun: str, histogram: dict[str, list[int]]
) -> None:
    """Bars of the suspiciousness."""
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
        "height": _HEIGHT,
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
        config=_CONFIG,
        componentsProps=_AS_HIGH,
        on_click=on_click,
    )


def add_pairs(
    out: types.Object, on_click: Handler, noun: str, pairs: list[dict[str, Any]]
) -> None:
    """The table of classes that are confused, or changes that are suggested."""
    if not pairs:
        return
    title, columns = "Labels to change", {"looks_like": "Change"}
    if "given" in pairs[0]:
        title = "Confused classes"
        columns = {"given": "Labelled as", "looks_like": "Looks like"}
    columns["count"] = "Unchecked"
    _add_table(out, on_click, noun, "pairs", title, columns, pairs)


def add_alike(
    out: types.Object, on_click: Handler, noun: str, alike: list[dict[str, Any]]
) -> None:
    """The table of classes that may be one; nothing where there are none."""
    columns = {"one": "Class", "other": "Class", "swapped": "Look like the other"}
    _add_table(out, on_click, noun, "alike", "Classes that may be one", columns, alike)


def add_classes(
    out: types.Object, on_click: Handler, noun: str, classes: list[dict[str, Any]]
) -> None:
    """The table of classes, where items have one each."""
    columns = {
        "given": "Class",
        "scored": f"{noun.capitalize()}s",
        "found": "Faults found",
        "wrong": "Wrong",
        "looks_like": "Mostly looks like",
    }
    _add_table(out, on_click, noun, "classes", "Classes", columns, classes)


def _add_table(
    out: types.Object,
    on_click: Handler,
    noun: str,
    name: str,
    title: str,
    columns: dict[str, str],
    rows: list[dict[str, Any]],
) -> None:
    """A table whose rows show their items at a click; nothing without rows."""
    if not rows:
        return
    table = types.TableView(on_click_row=on_click, componentsProps=_FITTING)
    for column, label in columns.items():
        table.add_column(column, label=label)
    label = f"{title} (click a row to see its {noun}s)"
    out.list(name, types.Object(), default=rows, label=label, view=table)


def add_reasons(
    out: types.Object, on_click: Handler, noun: str, reasons: dict[str, int]
) -> None:
    """A dropdown of the reasons."""
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
        on_change=on_click,
    )


def add_progress(
    out: types.Object, noun: str, progress: dict[str, list[list[float]]]
) -> None:
    """The curve of the faults found, and of those to expect; none before a verdict."""
    if not progress["found"][0]:
        return
    lines = {
        "found": ("found", {"color": _ALL, "width": 3}),
        "expected": ("to expect", {"color": _CHECKED, "width": 3, "dash": "dot"}),
    }
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": progress[part][0],
            "y": progress[part][1],
            "line": line,
            "hovertemplate": "%{y:,.0f} faults in %{x:,.0f}<extra></extra>",
        }
        for part, (name, line) in lines.items()
    ]
    layout = {
        "height": _HEIGHT,
        "margin": {"l": 45, "r": 10, "t": 30, "b": 40},
        "xaxis": {"title": {"text": f"{noun}s checked"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "faults"}, "rangemode": "tozero"},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.2},
    }
    out.plot(
        "progress",
        label="Progress: the dotted line is what to expect",
        data=data,
        layout=layout,
        config=_CONFIG,
        componentsProps=_AS_HIGH,
    )


def add_markings(
    out: types.Object, on_choose: Handler, steps: list[dict[str, Any]]
) -> None:
    """A dropdown of the last markings, newest first; none before there are two."""
    if len(steps) < 2:
        return
    choices = types.Dropdown()
    for n in range(len(steps) - 1, -1, -1):
        given = Counter(after for _, _, after in steps[n]["changes"])
        counts = (f"{given[v]:,} {v}" for v in ("faulty", "correct") if given[v])
        choices.add_choice(str(n), label=f"{steps[n]['at']}: {', '.join(counts)}")
    out.enum(
        "undo_to",
        choices.values(),
        label="Undo this marking, and all after it",
        view=choices,
        on_change=on_choose,
    )
