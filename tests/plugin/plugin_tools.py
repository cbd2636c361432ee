"""Contexts to execute in, and snapshots of datasets."""

from __future__ import annotations

from typing import Any

import pytest
from fiftyone.operators.executor import ExecutionContext, Executor

from fiftyone_dfaulo.plugin.host import ALT_SELECTION, TARGET_IS_ANSWER

URI = "@dfaulo/dfaulo/compute_suspiciousness"


def context(
    samples: Any,
    *,
    prompt: str | None = None,
    request: dict | None = None,
    **params: Any,
) -> ExecutionContext:
    """The context that FiftyOne would make of a request on these samples.

    Args:
        samples: a dataset or view.
        prompt: the id of the open form; None where the operator executes.
        request: more of the request, such as ``selected`` or ``view_target``.
        **params: the answers to the form.
    """
    sent = dict(request or {})
    if not ALT_SELECTION:  # an old App sends nothing but the ids
        both = sent.pop("selected_samples", [])
        sent.setdefault("selected", [one["id"] for one in both])
        if any(one.get("type") == "alt" for one in both):
            pytest.skip("this FiftyOne knows no Alt+click")
    if TARGET_IS_ANSWER and "view_target" in sent:
        params["view_target"] = sent["view_target"]
    return ExecutionContext(
        request_params={
            "dataset_name": samples._root_dataset.name,
            "view": samples.view()._serialize(),
            "params": params,
            "prompt_id": prompt,
            **sent,
        },
        executor=Executor(),
        operator_uri=URI,
    )


def progress_of(sent: Any) -> list[dict[str, Any]]:
    """Label and progress of each message that shows how far a run is.

    Args:
        sent: name and parameters of what the App is told to execute.
    """
    told = [p for n, p in sent if n == "show_output" and "progress" in p["results"]]
    return [
        {
            "label": p["outputs"]["type"]["properties"]["progress"]["view"]["label"],
            "progress": p["results"]["progress"],
        }
        for p in told
    ]


def snapshot(dataset: Any) -> dict[str, Any]:
    """All that a run could change: schema, runs, indexes, and every value."""
    dataset.reload()
    documents = dataset._sample_collection.find().sort("_id", 1)
    return {
        "schema": {n: str(f) for n, f in dataset.get_field_schema().items()},
        "runs": dataset.list_brain_runs(),
        "indexes": sorted(dataset.get_index_information()),
        "values": [{**d, "last_modified_at": None} for d in documents],
    }
