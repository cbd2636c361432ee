"""Forms that are open, and operators, while what they are about goes away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

from fiftyone_dfaulo import (
    compute_suspiciousness,
    record_verdicts,
    review_status,
    suspicious_view,
    update_suspiciousness,
)
from fiftyone_dfaulo.errors import DFauLoError
from fiftyone_dfaulo.plugin import OPERATORS
from tests.plugin.plugin_tools import context
from tests.tagged import as_tags

SINGLE, OBJECTS, SEVERAL = "single", "objects", "several"

CHANGES: dict[str, Callable[[Any], object]] = {
    "renamed": lambda d: d.rename_sample_field("labels", "other"),
    "deleted": lambda d: d.delete_sample_field("labels"),
    "emptied": lambda d: d.clear_sample_field("labels"),
    "cleared": lambda d: d.clear(),
}

VIEWS: dict[str, Callable[[Any], Any]] = {
    "all": lambda d: d.view(),
    "some": lambda d: d.match(F("vectors").length() > 0),
    "patches": lambda d: d.to_patches("labels"),
}

CASES = [
    (SINGLE, "all"),
    (SINGLE, "some"),
    (OBJECTS, "all"),
    (OBJECTS, "patches"),
    (SEVERAL, "all"),
]


@pytest.fixture
def make(scored: Any) -> Callable[[str], Any]:
    """A dataset after a run on labels of a kind in the field ``labels``."""

    def scored_labels(kind: str) -> Any:
        dataset = scored.limit(20).clone()
        names, vectors = dataset.values(["ground_truth.label", "vectors"])
        if kind == OBJECTS:
            values = [
                fo.Detections(
                    detections=[
                        fo.Detection(label=x or "a", bounding_box=[0, 0, 1, 1], emb=v)
                    ]
                )
                for x, v in zip(names, vectors)
            ]
        elif kind == SEVERAL:
            values = [as_tags({x or "a", "cd"[n % 3 > 0]}) for n, x in enumerate(names)]
        else:
            values = [fo.Classification(label=x or "a") for x in names]
        dataset.set_values("labels", values)
        dataset.add_dynamic_sample_fields()
        embeddings = "emb" if kind == OBJECTS else "vectors"
        compute_suspiciousness(dataset, "labels", embeddings=embeddings, progress=False)
        return dataset

    return scored_labels


def item_ids(dataset: Any, kind: str) -> list[str]:
    path = "labels.detections.id" if kind == OBJECTS else "id"
    return list(dataset.values(path, unwind=True))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("kind", "view"), CASES)
def test_every_form_and_operator_works_or_says_why_not(
    make: Any, tmp_path: Path, kind: str, view: str, change: str
) -> None:
    dataset = make(kind)
    ids = item_ids(dataset, kind)
    record_verdicts(dataset, faulty=ids[:2])
    shown = VIEWS[view](dataset)
    params = {
        "label_field": "labels",
        "which": "faulty",
        "path": str(tmp_path / "review.csv"),
        "fault_field": "labels",
        "source": "embeddings",
        "embeddings": "vectors",
    }
    request = {"selected_samples": [{"id": ids[0], "type": "default"}]}
    asked = context(shown, prompt="1", request=request, **params).request_params
    CHANGES[change](dataset)
    for operator in (cls() for cls in OPERATORS):
        for prompt in ("1", None):
            ctx = context(dataset, prompt=prompt, request=request, **params)
            ctx.request_params["view"] = asked["view"]
            try:
                if prompt:
                    form = operator.resolve_input(ctx)
                    json.dumps(form.to_json() if form else None)
                else:
                    list(operator.execute(ctx) or ())
            except DFauLoError:
                assert not prompt, operator  # a form shows it
    dataset.delete()


@pytest.mark.parametrize("kind", [SINGLE, OBJECTS, SEVERAL])
def test_an_empty_dataset_can_be_learned_from(make: Any, kind: str) -> None:
    dataset = make(kind)
    record_verdicts(dataset, faulty=item_ids(dataset, kind)[:2])
    dataset.clear()
    assert len(update_suspiciousness(dataset).ids) > 0  # the run's, as it was scored
    status = review_status(dataset)
    assert (status.scored, status.found, status.unchecked, status.stale) == (0, 0, 0, 0)
    assert len(suspicious_view(dataset)) == 0
    dataset.delete()
