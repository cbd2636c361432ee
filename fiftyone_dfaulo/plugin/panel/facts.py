"""What the panel shows of a run, read from the dataset, as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionRunState

from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.review.classes import alike_classes, class_reports
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.state.items import EXCLUDED, ReviewState
from fiftyone_dfaulo.adapter.review.state.kept import read_state
from fiftyone_dfaulo.adapter.review.status import describe_state, estimate_state
from fiftyone_dfaulo.adapter.runs.repair import look
from fiftyone_dfaulo.engine.method.reasons import NEAR_DUPLICATE
from fiftyone_dfaulo.plugin.app.keys import class_keys

BINS = 20
_PAIRS, _CLASSES = 10, 20
_POINTS = 50  # of a curve
_MOST_FOUND = 0.95  # where a curve ends: the last faults lie far down
NEAR_DUPLICATES = {
    "reason": NEAR_DUPLICATE
}  # the filter that shows near duplicates side by side
_COMPUTE = "@dfaulo/dfaulo/compute_suspiciousness"


def read_facts(review: ReviewSession, batch_size: int) -> dict[str, Any]:
    """Everything that the panel says about a run.

    Raises:
        DFauLoError: if the results of the run were deleted.
    """
    results = review.load_results()
    state = read_state(review, results)
    label_field = review.config.label_field
    gone = not review.storage.has_field(label_field)
    estimate = estimate_state(results, state)
    status = describe_state(results, state, batch_size)
    return {
        "key": review.key,
        "noun": review.target.noun,
        "label_field": label_field,
        "label_field_gone": gone,
        "batch_size": batch_size,
        "status": status.to_dict(),
        "progress": trace_progress(
            state.verdicts_in_order(results), state, estimate.chances, status.left
        ),
        "histogram": count_scores(state),
        "pairs": count_pairs(results, state),
        "alike": count_alike(results, state),
        "classes": count_classes(results, state, estimate.chances),
        "keys": {} if gone else class_keys(review, state),
        "reasons": count_reasons(results, state),
    }


def trace_progress(
    found: list[bool], state: ReviewState, chances: np.ndarray, left: float
) -> dict[str, list[list[float]]]:
    """Faults by how many items are checked: those found, and those to expect.

    Args:
        found: of the checked items in their order, which are faulty.
        state: how the review stands.
        chances: of the items that count, how likely each is a fault.
        left: how many faults are not found yet, about.

    Returns:
        ``found`` and ``expected``, each two lists: numbers of checked items, ascending,
        and of faults. The second goes on from the first, along the ranking, until 19 in
        20 of the faults are found. Both are empty before any verdict.
    """
    if not found:
        return {"found": [[], []], "expected": [[], []]}
    faults = np.cumsum(found)
    steps = _spread(len(found))
    every = np.zeros(len(state.scores))
    every[state.counted] = chances
    unchecked = state.counted & (state.verdicts < 0)
    rest = np.cumsum(every[state.ranked[unchecked[state.ranked]]])
    begin = [float(len(found)), float(faults[-1])]
    ahead = [[begin[0]], [begin[1]]]
    if len(rest) and rest[-1] > 0 and left > 0:
        rest *= left / rest[-1]
        to_come = _spread(1 + int(np.searchsorted(rest, _MOST_FOUND * left)))
        ahead[0] += (begin[0] + 1 + to_come).tolist()
        ahead[1] += (begin[1] + rest[to_come]).tolist()
    return {
        "found": [[0.0, *(1.0 + steps).tolist()], [0.0, *faults[steps].tolist()]],
        "expected": ahead,
    }


def _spread(count: int) -> np.ndarray:
    """At most :data:`_POINTS` of the numbers below, evenly, with the last."""
    return np.unique(np.linspace(0, count - 1, _POINTS).round().astype(int))


def count_scores(state: ReviewState) -> dict[str, list[int]]:
    """Number of samples in each of the equal bins from 0 to 1, checked and not."""
    scored = state.present & np.isfinite(state.scores)
    edges = np.arange(1, BINS) / BINS

    def count(some: np.ndarray) -> list[int]:
        bins = np.searchsorted(edges, state.scores[scored & some], side="right")
        return np.bincount(bins, minlength=BINS).tolist()

    checked = (state.verdicts >= 0) | (state.verdicts == EXCLUDED)
    return {"checked": count(checked), "unchecked": count(~checked)}


def count_pairs(results: ComparedResults, state: ReviewState) -> list[dict[str, Any]]:
    """The commonest disagreements among unchecked items, commonest first.

    Each is ``given``, ``looks_like`` and ``count``; where items have several labels,
    ``looks_like`` says which to remove and to add, and there is no ``given``.
    """
    unchecked = state.present & (state.verdicts == -1)
    counts = results.count_disagreements(unchecked, state.labels, state.names)
    first = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:_PAIRS]
    return [
        {**dict(zip(("looks_like", "given"), reversed(texts))), "count": count}
        for texts, count in first
    ]


def count_alike(results: ComparedResults, state: ReviewState) -> list[dict[str, Any]]:
    """Pairs of classes that may be one, as the panel's table shows them."""
    return [
        {
            "one": one.names[0],
            "other": one.names[1],
            "swapped": "; ".join(
                f"{n:,} of {count:,}" for n, count in zip(one.swapped, one.counts)
            ),
        }
        for one in alike_classes(results, state)[:_PAIRS]
    ]


def count_classes(
    results: ComparedResults, state: ReviewState, chances: np.ndarray
) -> list[dict[str, Any]]:
    """The classes with the most faults, as the panel's table shows them.

    Args:
        results, state: the run, and how its review stands.
        chances: of the items that count, how likely each is a fault.
    """
    every = np.zeros(len(results.ids))
    every[state.counted] = chances
    return [
        {
            "given": one.name,
            "scored": one.scored,
            "found": f"{one.found:,} of ~{max(one.expected, one.found):,.0f}",
            "wrong": f"{one.share:.1%}",
            "looks_like": one.looks_like or "",
        }
        for one in class_reports(results, state, every)[:_CLASSES]
    ]


def count_reasons(results: ComparedResults, state: ReviewState) -> dict[str, int]:
    """Number of samples with each reason that there is."""
    counts = results.reasons[state.present].sum(axis=0).tolist()
    return {name: n for name, n in zip(results.reason_names, counts) if n}


def read_damage(dataset: Dataset) -> list[str]:
    """What runs have left on the dataset that is not whole, in words."""
    return [one.what for one in look(dataset)]


def read_operation(dataset: Dataset, runs: Mapping[str, str]) -> dict[str, Any] | None:
    """The dataset's scheduled run that goes on, or the last one if it failed.

    A failure is old news once a run has succeeded since.

    Args:
        dataset: the dataset.
        runs: what :func:`.lookup.times_of_runs` says of it.
    """
    operations = DelegatedOperationService().list_operations(
        operator=_COMPUTE, dataset_name=dataset.name
    )
    if not operations:
        return None
    last = max(operations, key=lambda operation: operation.queued_at)
    if last.run_state == ExecutionRunState.COMPLETED:
        return None
    failed = last.run_state == ExecutionRunState.FAILED
    when = (last.failed_at or last.queued_at).isoformat()
    if failed and max(runs.values(), default="") > when:
        return None
    error = (last.result.error or "") if failed and last.result else ""
    return {
        "failed": failed,
        "state": str(last.run_state),
        "stage": (last.status.label or "") if last.status else "",
        "progress": (last.status.progress or 0.0) if last.status else 0.0,
        "error": _last_line(error),
    }


def _last_line(traceback: str) -> str:
    """What a traceback ends with, without the name of our own exceptions."""
    lines = traceback.strip().splitlines() or [""]
    return re.sub(r"^fiftyone_dfaulo\.errors\.\w+: ", "", lines[-1].strip())


def filtered(
    samples: Samples,
    review: ReviewSession,
    chosen: dict[str, Any] | None,
    lowest: float = 0.0,
) -> Samples:
    """The part of a run's items that a filter of the panel leaves, as a view.

    Args:
        samples: the dataset, or of a run on frames a view of these.
        review: the run.
        chosen: None; or ``looks_like``, ``given`` (the label), or both; or
            ``alike``, two classes; or ``reason``; or ``low`` and ``high``, bounds of
            the suspiciousness.
        lowest: the least suspiciousness.
    """
    target, fields, expression = review.target, review.fields, None
    score = target.view_field("suspiciousness", fields)
    if chosen and "reason" in chosen:
        reasons = target.view_field("reasons", fields)
        expression = reasons.contains([chosen["reason"]])
    elif chosen and "alike" in chosen:
        label, looks = (target.view_field(n, fields) for n in ("label", "suggestion"))
        one, other = chosen["alike"]
        swapped = (label == one) & (looks == other)
        expression = swapped | ((label == other) & (looks == one))
    elif chosen and ("looks_like" in chosen or "given" in chosen):
        parts = {"looks_like": "suggestion", "given": "label"}
        equal = [
            target.view_field(part, fields) == chosen[name]
            for name, part in parts.items()
            if name in chosen
        ]
        expression = equal[0] & equal[1] if len(equal) > 1 else equal[0]
    elif chosen:
        expression = (score >= chosen["low"]) & (score < chosen["high"])
    if lowest > 0:
        enough = score >= lowest
        expression = enough if expression is None else expression & enough
    return target.narrow(samples, expression)


def near_duplicates(
    review: ReviewSession, ids: Sequence[str] | None = None
) -> list[str]:
    """Near duplicates with different labels side by side; all, or of some items."""
    return review.load_results().near_duplicate_ids(ids)


def describe(chosen: dict[str, Any]) -> str:
    """A filter of the panel in words."""
    if "reason" in chosen:
        return str(chosen["reason"])
    if "alike" in chosen:
        one, other = chosen["alike"]
        return f"{one} and {other}, each that looks like the other"
    if "looks_like" not in chosen and "given" in chosen:
        return f"labelled {chosen['given']}"
    if "given" in chosen:
        return f"labelled {chosen['given']}, looks like {chosen['looks_like']}"
    if "looks_like" in chosen:
        return f"labels to change: {chosen['looks_like']}"
    return f"suspiciousness {chosen['low']:.2f} to {min(chosen['high'], 1):.2f}"
