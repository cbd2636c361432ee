"""What the panel shows of a run, read from the dataset, as JSON."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
from fiftyone import ViewField
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionRunState

from fiftyone_dfaulo.adapter.learning import review_status
from fiftyone_dfaulo.adapter.runs import RunFields, load_config

BINS = 20
_PAIRS = 10
_COMPUTE = "@dfaulo/dfaulo/compute_suspiciousness"


def read_facts(dataset: Any, brain_key: str, batch_size: int) -> dict[str, Any]:
    """Everything that the panel says about a run.

    Raises:
        DFauLoError: if there is no such run, or a field that it needs was deleted.
    """
    config = load_config(dataset, brain_key)
    fields = config.run_fields
    return {
        "key": brain_key,
        "label_field": config.label_field,
        "batch_size": batch_size,
        "status": _without_ids(
            review_status(dataset, brain_key, batch_size=batch_size)
        ),
        "histogram": read_histogram(dataset, fields),
        "pairs": read_pairs(dataset, config.label_field, fields),
        "reasons": dict(dataset.count_values(fields.reasons)),
    }


def _without_ids(status: dict[str, Any]) -> dict[str, Any]:
    """The ids may be many, and this is sent to the browser and back."""
    return {name: value for name, value in status.items() if name != "stale_ids"}


def read_histogram(dataset: Any, fields: RunFields) -> dict[str, list[int]]:
    """Number of samples in each of the equal bins from 0 to 1, checked and not."""

    def count(view: Any) -> list[int]:
        histogram = fo.HistogramValues(
            fields.suspiciousness, bins=BINS, range=[0, 1 + 1e-9]
        )
        return [int(number) for number in view.aggregate(histogram)[0]]

    return {
        "checked": count(dataset.exists(fields.verdict)),
        "unchecked": count(dataset.exists(fields.verdict, False)),
    }


def read_pairs(
    dataset: Any, label_field: str, fields: RunFields
) -> list[dict[str, Any]]:
    """The commonest disagreements among unchecked samples, commonest first."""
    if not dataset.has_sample_field(label_field):
        return []
    label, looks_like = f"${label_field}.label", f"${fields.suggestion}.label"
    view = dataset.exists(fields.verdict, False).exists(fields.suggestion)
    found = view._aggregate(
        post_pipeline=[
            {"$match": {"$expr": {"$ne": [label, looks_like]}}},
            {
                "$group": {
                    "_id": {"given": label, "looks_like": looks_like},
                    "count": {"$sum": 1},
                }
            },
            {"$sort": {"count": -1, "_id": 1}},
            {"$limit": _PAIRS},
        ]
    )
    return [
        {**pair["_id"], "count": pair["count"]}
        for pair in found
        if pair["_id"].get("given") is not None
    ]


def read_operation(dataset: Any) -> dict[str, Any] | None:
    """The dataset's scheduled run that goes on, or the last one if it failed."""
    operations = DelegatedOperationService().list_operations(
        operator=_COMPUTE, dataset_name=dataset.name
    )
    if not operations:
        return None
    last = max(operations, key=lambda operation: operation.queued_at)
    if last.run_state == ExecutionRunState.COMPLETED:
        return None
    failed = last.run_state == ExecutionRunState.FAILED
    error = (last.result.error or "") if failed and last.result else ""
    return {
        "failed": failed,
        "state": str(last.run_state),
        "stage": (last.status.label or "") if last.status else "",
        "progress": (last.status.progress or 0.0) if last.status else 0.0,
        "error": error.strip().splitlines()[-1] if error.strip() else "",
    }


def filtered(dataset: Any, brain_key: str, chosen: dict[str, Any] | None) -> Any:
    """The part of a dataset that a filter of the panel leaves.

    Args:
        dataset: the dataset.
        brain_key: the key of the run.
        chosen: None; or ``given`` and ``looks_like``; or ``reason``; or ``low`` and
            ``high``, bounds of the suspiciousness.
    """
    if not chosen:
        return dataset
    config = load_config(dataset, brain_key)
    fields = config.run_fields
    if "reason" in chosen:
        return dataset.match(ViewField(fields.reasons).contains([chosen["reason"]]))
    if "given" in chosen:
        return dataset.match(
            (ViewField(f"{config.label_field}.label") == chosen["given"])
            & (ViewField(f"{fields.suggestion}.label") == chosen["looks_like"])
        )
    score = ViewField(fields.suspiciousness)
    return dataset.match((score >= chosen["low"]) & (score < chosen["high"]))


def describe(chosen: dict[str, Any]) -> str:
    """A filter of the panel in words."""
    if "reason" in chosen:
        return str(chosen["reason"])
    if "given" in chosen:
        return f"labelled {chosen['given']}, looks like {chosen['looks_like']}"
    return f"suspiciousness {chosen['low']:.2f} to {min(chosen['high'], 1):.2f}"
