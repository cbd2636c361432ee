"""Draws the plots of the reports from the tables that stand in them.

    python tools/plots.py

Writes ``docs/images/benchmark.svg``, ``faults_left.svg`` and ``scale.svg``. A test
holds that they show today's tables.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).resolve().parents[1] / "docs"

OURS, OTHER, GREY = "#ff6d04", "#3b6fb5", "#999999"
SHADES = {"1 %": "#9db7da", "5 %": OTHER, "before": GREY}
CLASSES = {"10": "#f4b183", "100": OURS, "1,000": "#a34300"}
ROW = 24
PARTS = ("loss, five views", "loss, while learning")
"""Columns of the benchmark that are parts of ours."""

Table = list[dict[str, str]]
Scale = Callable[[float], float]


def tables(page: str) -> Iterator[Table]:
    """The tables of a page, each a list of rows: column to text, without emphasis."""
    for block in re.findall(r"(?:^\|.*\|\n)+", page, re.MULTILINE):
        head, _, *body = (
            [cell.strip().replace("**", "") for cell in line[1:-1].split("|")]
            for line in block.splitlines()
        )
        yield [dict(zip(head, cells)) for cells in body]


def find(page: str, *columns: str) -> list[Table]:
    """The tables of a page in ``docs`` that begin with these columns.

    Raises:
        LookupError: if there is none.
    """
    text = (DOCS / page).read_text(encoding="utf-8")
    found = [
        table for table in tables(text) if tuple(table[0])[: len(columns)] == columns
    ]
    if not found:
        raise LookupError(f"docs/{page} has no table that begins with {columns}")
    return found


def number(text: str) -> float:
    """The first number of a cell, such as ``".955 ± .008"`` or ``"1,000"``."""
    match = re.search(r"\d[\d,]*\.?\d*|\.\d+", text)
    if match is None:
        raise ValueError(f"no number in {text!r}")
    return float(match[0].replace(",", ""))


def text(x: float, y: float, words: str, anchor: str = "start", rest: str = "") -> str:
    """Words at a place."""
    place = f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text {place} text-anchor="{anchor}"{rest}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> str:
    """A line between two places."""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"/>'


def dot(x: float, y: float, colour: str, radius: float) -> str:
    """A dot."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'


def legend(x: float, y: float, colours: dict[str, str]) -> Iterator[str]:
    """A line of dots with what they mean."""
    for name, colour in colours.items():
        yield dot(x, y - 4, colour, 5)
        yield text(x + 10, y, name)
        x += 34 + 7.5 * len(name)


def drawing(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    """An SVG with a white ground, so that it can be read on a dark page, too."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="14" fill="#222">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    return "\n".join([head, f"<title>{title}</title>", ground, *parts, "</svg>", ""])


def grid(values: Sequence[float], x: Scale, top: float, bottom: float) -> Iterator[str]:
    """Upright lines at these values, and the values below."""
    for value in values:
        yield line(x(value), top, x(value), bottom, "#dddddd", 1)
        yield text(x(value), bottom + 18, f"{value:g}", "middle")


def benchmark() -> str:
    """Of each case: ours, the other methods, and chance."""
    letters, fashion, *_ = find("benchmark.md", "case", "ours")
    groups = {"Letters and CIFAR-10N": letters, "Fashion-MNIST": fashion}
    colours = {"ours": OURS, "other methods": OTHER, "chance": GREY}
    parts = [*legend(165, 24, colours)]
    top = 40

    def x(value: float) -> float:
        return 165 + 600 * value

    for name, table in groups.items():
        rows = [row for row in table if row["case"] != "mean"]
        bottom = top + ROW * (len(rows) + 1)
        parts += [text(8, top + 16, name, rest=' font-weight="bold"')]
        parts += grid((0, 0.2, 0.4, 0.6, 0.8, 1), x, top, bottom)
        for n, row in enumerate(rows):
            y = top + ROW * (n + 1) + ROW / 2
            parts += [text(155, y + 5, row["case"], "end")]
            for method, cell in row.items():
                if method not in ("case", "ours", "random", *PARTS):
                    parts += [dot(x(number(cell)), y, OTHER, 3.5)]
            parts += [dot(x(number(row["random"])), y, GREY, 3.5)]
            parts += [dot(x(number(row["ours"])), y, OURS, 6)]
        top = bottom + 34
    parts += [text(465, top + 4, "average precision", "middle")]
    return drawing("Average precision of all methods by case", 800, top + 20, parts)


def faults_left() -> str:
    """How many faults the estimate says there are, over how many there are."""
    (table,) = find("review.md", "case", "wrong verdicts", "faults")
    rows = [row for row in table if row["wrong verdicts"] == "0 %"]
    steps = {"before": "before", "1 %": "after 1 %", "5 %": "after 5 %"}
    names = {"before": "before any verdict", "1 %": "1 % checked", "5 %": "5 % checked"}
    low, height = 0.15, 3 * 11 + 12
    bottom = 40 + height * len(rows)

    def x(value: float) -> float:
        return 110 + 640 * math.log(value / low) / math.log(3.5 / low)

    parts = [*legend(110, 24, {names[step]: SHADES[step] for step in steps})]
    parts += grid((0.2, 0.3, 0.5, 0.7, 1.5, 2, 3), x, 40, bottom)
    parts += [line(x(1), 40, x(1), bottom, "#222222", 1.5)]
    parts += [text(x(1), bottom + 18, "the truth", "middle")]
    for n, row in enumerate(rows):
        y = 40 + height * n + 10
        parts += [text(100, y + 16, row["case"], "end")]
        for step, column in steps.items():
            middle, least, most = (
                float(value) / number(row["faults"])
                for value in re.findall(r"\d+", row[column])
            )
            parts += [line(x(least), y, x(most), y, SHADES[step], 4)]
            parts += [dot(x(middle), y, SHADES[step], 5)]
            y += 11
    words = "estimated faults over true ones: median and 90 % interval"
    parts += [text(430, bottom + 42, words, "middle")]
    return drawing(words, 800, bottom + 56, parts)


def scale() -> str:
    """How time and memory grow with the samples, by the number of classes."""
    (table,) = find("scale.md", "samples", "classes", "s")
    parts = [*legend(70, 24, {f"{n} classes": CLASSES[n] for n in CLASSES})]
    for left, column, ends, ticks in (
        (70, "s", (1.0, 1000.0), (1, 10, 100, 1000)),
        (465, "GiB", (0.1, 10.0), (0.1, 1, 10)),
    ):
        parts += _panel(table, left, column, ends, ticks)
    return drawing("Time and memory by the number of samples", 800, 340, parts)


def _panel(
    table: Table,
    left: float,
    column: str,
    ends: tuple[float, float],
    ticks: Sequence[float],
) -> Iterator[str]:
    def x(samples: float) -> float:
        return left + 280 * math.log10(samples / 10_000) / 2

    def y(value: float) -> float:
        return 280 - 220 * math.log(value / ends[0]) / math.log(ends[1] / ends[0])

    words = {"s": "seconds", "GiB": "GiB of memory"}[column]
    yield text(left, 54, words, rest=' font-weight="bold"')
    for tick in ticks:
        yield line(left, y(tick), left + 280, y(tick), "#dddddd", 1)
        yield text(left - 8, y(tick) + 5, f"{tick:,g}", "end")
    for samples in (10_000, 100_000, 1_000_000):
        yield line(x(samples), y(ends[1]), x(samples), 280, "#dddddd", 1)
        yield text(x(samples), 300, f"{samples:,}", "middle")
    yield text(left + 140, 324, "samples", "middle")
    for classes, colour in CLASSES.items():
        rows = [row for row in table if row["classes"] == classes]
        places = [(x(number(row["samples"])), y(number(row[column]))) for row in rows]
        for (x1, y1), (x2, y2) in zip(places, places[1:]):
            yield line(x1, y1, x2, y2, colour, 2)
        for place in places:
            yield dot(*place, colour, 5)


PLOTS: dict[str, Callable[[], str]] = {
    "benchmark": benchmark,
    "faults_left": faults_left,
    "scale": scale,
}
"""Name of the file in ``docs/images``, and what draws it."""


def main() -> None:
    """Draws all of them."""
    for name, draw in PLOTS.items():
        (DOCS / "images" / f"{name}.svg").write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
