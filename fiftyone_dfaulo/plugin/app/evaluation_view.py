"""The metrics of a ranking, as the App shows them: a sentence, a plot, a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

from fiftyone_dfaulo.adapter.injection.evaluation import Evaluation
from fiftyone_dfaulo.engine.feedback.metrics import AT_FAULTS, CUTS

_MEANING = {
    "AP": "average precision; 1 at best",
    "ROC-AUC": "chance that a fault ranks above a sample without; 1 at best",
    "RAUC": "area under the share found, by the ideal order's; 1 at best",
    "POBL 5%": "share of the faults in the first 5 % of the ranking",
    "POBL 10%": "share of the faults in the first 10 %",
    "APFD": "1 minus the mean rank of a fault, as a share",
}


def to_json(evaluation: Evaluation, title: str) -> dict[str, Any]:
    """An evaluation as JSON: ``title``, ``figures``, ``plot`` and ``notes``."""
    return {
        "title": title,
        "figures": dict(evaluation),
        "plot": evaluation.plot(),
        "notes": evaluation.notes,
    }


def show_evaluation(facts: Mapping[str, Any]) -> types.Property:
    """An evaluation, as :func:`to_json` makes it, for people to read."""
    figures, outputs = facts["figures"], types.Object()
    outputs.md("\n".join(_summary(facts)), name="summary")
    plot = facts["plot"]
    outputs.plot(
        "curve",
        label="What a reviewer finds who goes from the top down",
        data=plot["data"],
        layout=plot["layout"],
        config={"displayModeBar": False},
    )
    table = ["| metric | value | what it is |", "|---|---|---|"]
    table += [f"| {n} | {figures[n]:.3f} | {text} |" for n, text in _MEANING.items()]
    outputs.md("\n".join(table), name="metrics")
    return types.Property(outputs)


def _summary(facts: Mapping[str, Any]) -> list[str]:
    figures = facts["figures"]
    faults, samples = figures["faults"], figures["samples"]
    lines = [
        f"**{facts['title']}**",
        "",
        f"Of {samples:,} ranked samples, {faults:,} are faults. Reviewing the "
        f"{faults:,} most suspicious finds **{figures[AT_FAULTS]:.0%}** of them. "
        + " ".join(facts["notes"]),
        "",
        "| to find | review | of all samples |",
        "|---|---|---|",
    ]
    for share in ("50%", "90%"):
        count = figures[f"reviewed for {share}"]
        lines.append(f"| {share} of the faults | {count:,} | {count / samples:.1%} |")
    cuts = [k for k in CUTS if f"precision at {k}" in figures]
    right = ", ".join(f"{figures[f'precision at {k}']:.0%} of {k}" for k in cuts)
    if right:
        lines += ["", f"Faults among the first: {right}."]
    if figures["unranked"]:
        lines += ["", f"{figures['unranked']:,} have no score and do not count."]
    return lines
