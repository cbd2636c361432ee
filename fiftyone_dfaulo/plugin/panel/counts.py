"""What the panel says in words of how the review stands."""

from __future__ import annotations

from typing import Any

from fiftyone_dfaulo.plugin.app.plain_text import code

BATCH = 50
_FEW = 0.05


def status_lines(
    status: dict[str, Any], label_field: str, batch_size: int = BATCH
) -> list[str]:
    """Counts, estimate and advice, a line each, as markdown."""
    found, checked = status["found"], status["faulty"] + status["correct"]
    lines = [
        f"**{found:,} found** of about {status['estimate']:,.0f} faults "
        f"({status['low']:,.0f} to {status['high']:,.0f}) in {code(label_field)}",
        f"{checked:,} of {status['scored']:,} checked",
    ]
    if checked:
        lines[1] += f" ({status['precision']:.0%} of them faulty)"
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
