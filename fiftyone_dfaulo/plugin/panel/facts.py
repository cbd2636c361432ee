"""What the panel shows of a run, read from the dataset, as JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionRunState

from fiftyone_dfaulo.adapter.review.learning import describe_state
from fiftyone_dfaulo.adapter.review.session import load_results, open_review
from fiftyone_dfaulo.adapter.review.state import ReviewState, read_state
from fiftyone_dfaulo.adapter.review.views import item_value, narrow
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoResults, load_config
from fiftyone_dfaulo.adapter.runs.multilabel_results import TagResults
from fiftyone_dfaulo.engine.method.reasons import NEAR_DUPLICATE

BINS = 20
_PAIRS = 10
NEAR_DUPLICATES = {
    "reason": NEAR_DUPLICATE
}  # the filter that shows near duplicates side by side
_COMPUTE = "@dfaulo/dfaulo/compute_suspiciousness"


def read_facts(dataset: Any, brain_key: str, batch_size: int) -> dict[str, Any]:
    """Everything that the panel says about a run.

    Raises:
        DFauLoError: if there is no such run, or a field that it needs was deleted.
    """
    review = open_review(dataset, brain_key, "suspiciousness", "verdict")
    results = load_results(review)
    state = read_state(review, results)
    label_field = review.config.label_field
    return {
        "key": brain_key,
        "label_field": label_field,
        "label_field_gone": not review.storage.has_field(label_field),
        "batch_size": batch_size,
        "status": _without_ids(describe_state(review, results, state, batch_size)),
        "histogram": count_scores(state),
        "pairs": count_pairs(results, state),
        "reasons": count_reasons(results, state),
    }


def _without_ids(status: dict[str, Any]) -> dict[str, Any]:
    """The ids may be many, and this is sent to the browser and back."""
    return {name: value for name, value in status.items() if name != "stale_ids"}


def count_scores(state: ReviewState) -> dict[str, list[int]]:
    """Number of samples in each of the equal bins from 0 to 1, checked and not."""
    scored = state.present & np.isfinite(state.scores)
    edges = np.arange(1, BINS) / BINS

    def count(some: np.ndarray) -> list[int]:
        bins = np.searchsorted(edges, state.scores[scored & some], side="right")
        return np.bincount(bins, minlength=BINS).tolist()

    checked = state.verdicts >= 0
    return {"checked": count(checked), "unchecked": count(~checked)}


def count_pairs(results: DFauLoResults, state: ReviewState) -> list[dict[str, Any]]:
    """The commonest disagreements among unchecked samples, commonest first.

    Each is ``given``, ``looks_like`` and ``count``; where samples have several tags,
    ``looks_like`` says which to remove and to add, and there is no ``given``.
    """
    looks_like = results.suggestion_texts()
    if isinstance(results, TagResults):
        return _count_changes(looks_like, state)
    labelled = np.asarray(state.labels != None, bool)  # noqa: E711  element by element
    differ = labelled & np.asarray(state.labels != looks_like, bool)
    some = np.flatnonzero(state.present & (state.verdicts < 0) & differ)
    pairs = Counter(zip(state.labels[some], looks_like[some]))
    first = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:_PAIRS]
    return [
        {"given": given, "looks_like": looks, "count": count}
        for (given, looks), count in first
    ]


def _count_changes(suggestions: np.ndarray, state: ReviewState) -> list[dict[str, Any]]:
    some = suggestions[state.present & (state.verdicts < 0)]
    found = Counter(text for text in some if text is not None)
    first = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:_PAIRS]
    return [{"looks_like": text, "count": count} for text, count in first]


def count_reasons(results: DFauLoResults, state: ReviewState) -> dict[str, int]:
    """Number of samples with each reason that there is."""
    counts = results.reasons[state.present].sum(axis=0).tolist()
    return {name: n for name, n in zip(results.reason_names, counts) if n}


def read_operation(dataset: Any) -> dict[str, Any] | None:
    """The dataset's scheduled run that goes on, or the last one if it failed.

    A failure is old news once a run has succeeded since.
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
    if failed and _newest_run(dataset) > (last.failed_at or last.queued_at):
        return None
    error = (last.result.error or "") if failed and last.result else ""
    return {
        "failed": failed,
        "state": str(last.run_state),
        "stage": (last.status.label or "") if last.status else "",
        "progress": (last.status.progress or 0.0) if last.status else 0.0,
        "error": _last_line(error),
    }


def _newest_run(dataset: Any) -> datetime:
    runs = dataset.list_brain_runs(type="dfaulo")
    times = (dataset.get_brain_info(key).timestamp for key in runs)
    return max(times, default=datetime.min)


def _last_line(traceback: str) -> str:
    """What a traceback ends with, without the name of our own exceptions."""
    lines = traceback.strip().splitlines() or [""]
    return re.sub(r"^fiftyone_dfaulo\.errors\.\w+: ", "", lines[-1].strip())


def filtered(samples: Any, brain_key: str, chosen: dict[str, Any] | None) -> Any:
    """The part of a run's items that a filter of the panel leaves, as a view.

    Args:
        samples: the dataset, or of a run on frames a view of these.
        brain_key: the key of the run.
        chosen: None; or ``looks_like``, and ``given`` unless samples have several
            tags; or ``reason``; or ``low`` and ``high``, bounds of the suspiciousness.
    """
    config = load_config(samples, brain_key)
    expression = None
    if chosen and "reason" in chosen:
        expression = item_value(config, "reasons").contains([chosen["reason"]])
    elif chosen and "looks_like" in chosen:
        expression = item_value(config, "suggestion") == chosen["looks_like"]
        if "given" in chosen:
            expression &= item_value(config, "label") == chosen["given"]
    elif chosen:
        score = item_value(config, "suspiciousness")
        expression = (score >= chosen["low"]) & (score < chosen["high"])
    return narrow(samples, config, expression)


def near_duplicates(
    dataset: Any, brain_key: str, ids: Sequence[str] | None = None
) -> list[str]:
    """Near duplicates with different labels side by side; all, or of some items."""
    return load_results(open_review(dataset, brain_key)).near_duplicate_ids(ids)


def describe(chosen: dict[str, Any]) -> str:
    """A filter of the panel in words."""
    if "reason" in chosen:
        return str(chosen["reason"])
    if "given" in chosen:
        return f"labelled {chosen['given']}, looks like {chosen['looks_like']}"
    if "looks_like" in chosen:
        return f"tags to change: {chosen['looks_like']}"
    return f"suspiciousness {chosen['low']:.2f} to {min(chosen['high'], 1):.2f}"
