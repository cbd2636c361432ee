"""What the App shows of a run at its end: its summary, or why it failed."""

from __future__ import annotations

from collections.abc import Mapping

import fiftyone.operators.types as types
from pymongo.errors import ConnectionFailure

from fiftyone_dfaulo.adapter.injection.evaluation import Evaluation
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.review.items import file_names
from fiftyone_dfaulo.engine.feedback.metrics import AT_FAULTS, CUTS
from fiftyone_dfaulo.errors import Cancelled
from fiftyone_dfaulo.plugin.app.plain_text import plain
from fiftyone_dfaulo.plugin.host import JsonDict, Property

_EXAMPLES = 3
_LEFT_OUT = {
    "unlabeled": "without a label",
    "unreadable": "that could not be read",
    "vanished": "deleted while the run computed",
}
"""Kind of item without a score to the words after its number."""

_METRICS = {
    "AP": "average precision; 1 at best",
    "ROC-AUC": "chance that a fault ranks above a sample without; 1 at best",
    "RAUC": "area under the curve of faults found, as a share of the ideal one",
    "POBL 5%": "share of the faults in the first 5 % of the ranking",
    "POBL 10%": "share of the faults in the first 10 %",
    "APFD": "1 minus the mean rank of a fault, as a share",
}
"""Metric to its explanation, in the order of the table."""


# ---- a run that scores ----


def summarize(results: DFauLoResults) -> JsonDict:
    """The summary of a run, as JSON.

    Returns:
        all of :meth:`.brain_run.DFauLoResults.summary`, and ``noun`` (what was scored:
        ``"sample"``, ``"frame"`` or ``"object"``), ``brain_key``, ``label_field``,
        ``seconds`` (stage to seconds), and ``examples`` (the first few of each kind of
        item without a score, as text).
    """
    return {
        **results.summary(),
        "noun": results.config.target.noun,
        "brain_key": results.key,
        "label_field": results.config.label_field,
        "seconds": {stage: round(s, 2) for stage, s in results.seconds.items()},
        "examples": {
            "unlabeled": file_names(results, results.unlabeled[:_EXAMPLES]),
            "unreadable": file_names(results, list(results.unreadable)[:_EXAMPLES]),
            "vanished": results.vanished[:_EXAMPLES],
        },
    }


REVIEW = "@dfaulo/dfaulo/open_review"


def show_summary(summary: JsonDict) -> Property:
    """Shows a run's summary, as :func:`summarize` makes it, and leads to the review."""
    noun = summary.get("noun", "sample")
    rows = {
        "Scored": f"{summary['scored']:,} {noun}s",
        "Probably faults": f"about {summary['estimated_faults']:,} "
        f"({summary['faults_low']:,} to {summary['faults_high']:,})",
        **{name.capitalize(): n for name, n in summary.get("by_kind", {}).items() if n},
        "Most confused": _confused(summary["most_confused"], noun),
        **_left_out(summary),
        "Took": _duration(summary["seconds"]),
    }
    header, *body = [f"| **{name}** | {text} |" for name, text in rows.items() if text]
    lines = [
        "**Suspicious labels, most suspicious first.** Each tile shows the label, the "
        "suggested label, and the suspiciousness, from 0 to 1.",
        "",
        header,
        "|---|---|",
        *body,
        "",
        *(f"- {plain(note)}" for note in summary["notes"]),
    ]
    outputs = types.Object()
    outputs.md("\n".join(lines), name="summary")
    button = types.Button(label="Review them", operator=REVIEW, variant="contained")
    outputs.view("review", button)
    return types.Property(outputs)


def _confused(pair: tuple[str, str, int] | None, noun: str) -> str:
    if pair is None:
        return ""
    given, suggested, count = pair
    noun = noun if count == 1 else f"{noun}s"
    names = f"**{plain(given)}** that look like **{plain(suggested)}**"
    return f"{names} ({count:,} {noun})"


def _left_out(summary: JsonDict) -> dict[str, str]:
    rows = []
    for kind, why in _LEFT_OUT.items():
        count = summary[kind]
        if count:
            examples = [plain(text) for text in summary["examples"][kind]]
            more = ["…"] if examples and count > len(examples) else []
            listed = f": {', '.join(examples + more)}" if examples else ""
            rows.append(f"{count:,} {why}{listed}")
    return {"Left out": "; ".join(rows)}


def _duration(seconds: Mapping[str, float]) -> str:
    total = sum(seconds.values())
    long = [f"{stage} {s:.1f}" for stage, s in seconds.items() if s > total / 20]
    return f"{total:.1f} s ({', '.join(long)})"


# ---- a ranking compared with the truth ----


def summarize_evaluation(evaluation: Evaluation, title: str) -> JsonDict:
    """An evaluation as JSON: ``title``, ``figures``, ``plot``, ``notes`` and so on."""
    return {
        "title": title,
        "figures": dict(evaluation),
        "plot": evaluation.plot(),
        "notes": evaluation.notes,
        "with_real": evaluation.with_real,
        "planted": evaluation.real is not None,
        "by_kind": evaluation.by_kind,
    }


def show_evaluation(facts: JsonDict) -> Property:
    """Shows an evaluation, as :func:`summarize_evaluation` makes it."""
    figures, outputs = facts["figures"], types.Object()
    outputs.md("\n".join(_evaluation_lines(facts)), name="summary")
    plot = facts["plot"]
    outputs.plot(
        "curve",
        label="What a reviewer finds from the top of the ranking down",
        data=plot["data"],
        layout=plot["layout"],
        config={"displayModeBar": False},
    )
    if facts.get("by_kind"):
        outputs.md("\n".join(_kind_lines(facts["by_kind"])), name="kinds")
    outputs.md("\n".join(_metrics_lines(figures, facts)), name="metrics")
    if facts.get("reports"):
        outputs.md("\n".join(_reports_lines(facts["reports"])), name="reports")
    return types.Property(outputs)


def _metrics_lines(figures: JsonDict, facts: JsonDict) -> list[str]:
    other = facts.get("with_real") or {}
    if not other:
        lines = ["| metric | value | what it is |", "|---|---|---|"]
        rows = (f"| {n} | {figures[n]:.3f} | {text} |" for n, text in _METRICS.items())
        return [*lines, *rows]
    lines = ["| metric | of the planted | with the real faults | what it is |"]
    lines.append("|---|---|---|---|")
    for name, text in _METRICS.items():
        counted = f"{other[name]:.3f}" if name in other else ""
        lines.append(f"| {name} | {figures[name]:.3f} | {counted} | {text} |")
    return lines


def _kind_lines(by_kind: Mapping[str, JsonDict]) -> list[str]:
    """What was found of each kind of fault of boxes."""
    lines = ["| fault | planted | estimated | AP |", "|---|---|---|---|"]
    for kind, some in by_kind.items():
        counts = f"{some['faults']:,} | {some['estimated']:,} | {some['AP']:.3f}"
        lines.append(f"| {kind} | {counts} |")
    return lines


def _reports_lines(reports: list[JsonDict]) -> list[str]:
    """What was found out before, beside this one."""
    lines = [
        "**Compared with earlier ones of this dataset, newest first**",
        "",
        "| when | label field | faults | scored with | found among as many | AP | AP "
        "with the real faults |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in reports:
        figures, when = one["figures"], one["at"][:16].replace("T", " ")
        cells = [
            when,
            one["label_field"],
            f"{one['kind']}, {one['rate']:.0%}",
            f"{one['source']}" + " (paper)" * (one["method"] == "paper"),
            f"{figures[AT_FAULTS]:.0%}",
            f"{figures['AP']:.3f}",
            f"{one['with_real'].get('AP', figures['AP']):.3f}",
        ]
        lines.append(f"| {' | '.join(plain(cell) for cell in cells)} |")
    return lines


def _evaluation_lines(facts: JsonDict) -> list[str]:
    figures = facts["figures"]
    faults, samples = figures["faults"], figures["samples"]
    lines = [
        f"**{plain(facts['title'])}**",
        "",
        _what_was_ranked(samples, faults, facts.get("planted", False))
        + f" Reviewing the {faults:,} most suspicious finds "
        f"**{figures[AT_FAULTS]:.0%}** of them. "
        + " ".join(map(plain, facts["notes"])),
        "",
        "| to find | review | of all samples |",
        "|---|---|---|",
    ]
    for share in ("50%", "90%"):
        count = figures[f"reviewed for {share}"]
        lines.append(f"| {share} of the faults | {count:,} | {count / samples:.1%} |")
    figures = {**figures, **(facts.get("with_real") or {})}
    cuts = [k for k in CUTS if f"precision at {k}" in figures]
    right = ", ".join(f"{figures[f'precision at {k}']:.0%} of {k}" for k in cuts)
    if right:
        lines += ["", f"Faults among the first: {right}."]
    if figures["unranked"]:
        lines += ["", f"{figures['unranked']:,} have no score and are not counted."]
    return lines


def _what_was_ranked(samples: int, faults: int, planted: bool) -> str:
    if planted:
        return f"{faults:,} faults were planted among the {samples:,} ranked samples."
    return f"Of {samples:,} ranked samples, {faults:,} are faults."


# ---- a run that failed, and what all need ----


CANCEL = "@dfaulo/dfaulo/cancel_run"
_GOES_ON = (
    "*Cancel stops it at its next step, and so does closing this tab. Done does not: "
    "this stays until the run ends.*"
)


def show_progress(stage: str, name: str) -> Property:
    """Shows how far a run is, and offers to cancel it.

    Args:
        stage: what it does now.
        name: the run's, as of :func:`.background.cancel`.
    """
    outputs = types.Object()
    outputs.float("progress", view=types.ProgressView(label=stage))
    button = types.Button(label="Cancel", operator=CANCEL, params={"run": name})
    outputs.view("cancel", button)
    outputs.md(_GOES_ON, name="hint")
    return types.Property(outputs)


def show_failure(error: Exception) -> Property:
    """Shows why a run failed, or that it was cancelled."""
    outputs = types.Object()
    text = str(error) or type(error).__name__
    if isinstance(error, Cancelled):
        outputs.view("failure", types.Notice(label=plain(text)))
        return types.Property(outputs)
    away = isinstance(error.__cause__, ConnectionFailure)
    label = "The run failed" + ("" if away else "; the dataset is as it was")
    view = types.Error(label=label, description=plain(text))
    outputs.view("failure", view)
    return types.Property(outputs)
