"""What the panel says in words of how the review stands."""

from __future__ import annotations

import math
from typing import Any

from fiftyone_dfaulo.plugin.app.plain_text import plain
from fiftyone_dfaulo.plugin.host import ALT_SELECTION

BATCH = 50
_FEW = 0.05


def fewer(share: str | None) -> str:
    """Which verdict takes fewer clicks to give to the rest of a batch.

    Args:
        share: how many of a batch are probably faults, from 0 to 1, as text; None if
            that is not known.
    """
    return "faulty" if ALT_SELECTION and _read(share) > 0.5 else "correct"


def _read(share: str | None) -> float:
    """The share as a number; NaN if it is none, as a foreign page may send any."""
    try:
        return float(share or "nan")
    except ValueError:
        return math.nan


def marking_line(noun: str, count: int, share: str | None) -> str:
    """How to mark a batch with the fewest clicks, as markdown.

    Args:
        noun: what its items are.
        count: how many of them are unchecked.
        share: as of :func:`fewer`.
    """
    rest = fewer(share)
    if rest == "faulty":
        how = f"**Alt+click** the {noun}s that are **correct**, and the rest is faulty"
    else:
        how = f"**Click** the {noun}s that are **faulty**, and the rest is correct"
    known = _read(share)
    if count and math.isfinite(known):
        about = round(known * count)
        how = f"About {about:,} of these {count:,} are faulty. Fewest clicks: {how}"
    if not ALT_SELECTION:  # an older FiftyOne
        return f"{how}. Or execute **Mark correct** from the operator browser."
    other = "Click: faulty" if rest == "faulty" else "Alt+click: correct"
    return f"{how}. ({other}. With Shift: all up to it.)"


def status_lines(
    status: dict[str, Any], label_field: str, batch_size: int = BATCH
) -> list[str]:
    """Counts, estimate and advice, a line each, as markdown."""
    found, checked = status["found"], status["faulty"] + status["correct"]
    lines = [
        f"**{found:,} found** of about {status['estimate']:,.0f} faults "
        f"({status['low']:,.0f} to {status['high']:,.0f}) in **{plain(label_field)}**",
        f"{checked:,} of {status['scored']:,} checked",
    ]
    if checked:
        lines[1] += f" ({status['precision']:.0%} of them faulty)"
    if status["unsure"]:
        lines[1] += f"; {status['unsure']:,} unsure"
    if status["excluded"]:
        lines[1] += f"; {status['excluded']:,} to exclude"
    size, expected = min(batch_size, status["unchecked"]), status["expected_next"]
    if size:
        lines[1] += f"; about {expected:,.0f} of the next {size:,} are faults"
        if checked and expected < _FEW * size:
            lines.append("The next batch holds hardly any: a good place to stop")
    return [*lines, _by_what(status)]


def _by_what(status: dict[str, Any]) -> str:
    """What the estimate goes by, and how to make it better."""
    audited, left = status["audited"], status["to_audit"]
    if not status["by_audit"]:
        text = (
            "The estimate, with its 90 % interval, goes by the scores and your "
            "verdicts. An audit narrows it"
        )
    else:
        text = (
            f"The estimate, with its 90 % interval, goes by an audit of {audited:,}; "
            f"{3 * audited:,} more would halve the interval"
        )
    if left:
        text += f". The audit has {left:,} to check"
    return f"*{text}.*"
