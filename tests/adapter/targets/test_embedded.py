"""Label fields in embedded documents are found and named like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

import fiftyone_dfaulo as dfaulo
from fiftyone_dfaulo.adapter.reading.label_fields import list_label_fields
from tests.adapter.conftest import vectors

FAULTS = (0, 21, 42)
TRUTH = np.arange(60) % 3


@pytest.fixture
def nested(make_dataset: Callable[..., Any]) -> Any:
    """60 samples whose labels are in ``meta.gt``, beside ``meta.note``; 3 are wrong."""
    given = TRUTH.copy()
    for position in FAULTS:
        given[position] = (TRUTH[position] + 1) % 3
    dataset = make_dataset(["abc"[n] for n in given])
    for sample, row in zip(dataset, vectors(TRUTH)):
        label = fo.Classification(label=sample.ground_truth.label, tags=["mine"])
        boxes = [fo.Detection(label=label.label, bounding_box=[0, 0, 1, 1])]
        sample["meta"] = fo.DynamicEmbeddedDocument(
            gt=label,
            note="kept",
            emb=row.tolist(),
            boxes=fo.Detections(detections=boxes),
        )
        sample.save()
    dataset.delete_sample_field("ground_truth")
    dataset.add_dynamic_sample_fields()
    return dataset


def ids_of(dataset: Any, positions: Any) -> list[str]:
    ids = dataset.values("id")
    return [ids[n] for n in positions]


def test_they_are_listed(nested: Any) -> None:
    assert list_label_fields(nested) == {"meta.gt": 60, "meta.boxes": 60}


def test_they_are_scored_and_the_faults_come_first(nested: Any) -> None:
    dfaulo.compute_suspiciousness(
        nested, "meta.gt", embeddings="meta.emb", progress=False
    )
    top = dfaulo.suspicious_view(nested, limit=3)
    assert {*top.values("id")} == {*ids_of(nested, FAULTS)}
    assert nested.get_brain_info("dfaulo").config.label_field == "meta.gt"


def test_a_review_corrects_and_brings_back(nested: Any) -> None:
    dfaulo.compute_suspiciousness(
        nested, "meta.gt", embeddings="meta.emb", progress=False
    )
    before = [d["meta"] for d in nested._sample_collection.find().sort("_id", 1)]
    dfaulo.record_verdicts(nested, faulty=ids_of(nested, FAULTS))

    assert dfaulo.apply_suggestions(nested).applied == 3

    labels = nested.values("meta.gt.label")
    assert labels == ["abc"[n] for n in TRUTH]
    assert nested.values("meta.note") == ["kept"] * 60
    status = dfaulo.review_status(nested)
    assert (status.corrected, status.stale) == (3, 0)
    assert dfaulo.revert_suggestions(nested).reverted == 3
    after = [d["meta"] for d in nested._sample_collection.find().sort("_id", 1)]
    assert after == before


def test_faults_are_planted_and_taken_back(nested: Any) -> None:
    before = nested.values("meta.gt.label")
    copy = dfaulo.inject_faults(nested, "meta.gt", rate=0.2)
    try:
        assert copy.values("meta.gt.label") != before
        assert copy.values("meta.note") == ["kept"] * 60
        dfaulo.revert_faults(copy)
        assert copy.values("meta.gt.label") == before
    finally:
        copy.delete()


def test_objects_are_scored_and_corrected(nested: Any) -> None:
    labels = nested.values("meta.boxes.detections.label", unwind=True)
    nested.set_values(
        "meta.boxes.detections.emb", [[row.tolist()] for row in vectors(TRUTH)]
    )
    results = dfaulo.compute_suspiciousness(
        nested, "meta.boxes", embeddings="emb", progress=False
    )
    worst = [results.ids[n] for n in np.argsort(-results.suspiciousness)[:3]]
    boxes = nested.values("meta.boxes.detections.id", unwind=True)
    assert {*worst} == {boxes[n] for n in FAULTS}

    assert dfaulo.apply_suggestions(nested, ids=worst).applied == 3
    now = nested.values("meta.boxes.detections.label", unwind=True)
    assert now == ["abc"[n] for n in TRUTH]
    assert dfaulo.revert_suggestions(nested).reverted == 3
    assert nested.values("meta.boxes.detections.label", unwind=True) == labels


def test_a_run_is_renamed_and_deleted_with_its_fields(nested: Any) -> None:
    before = {*nested.get_field_schema(flat=True)}
    dfaulo.compute_suspiciousness(
        nested, "meta.gt", embeddings="meta.emb", progress=False
    )
    nested.rename_brain_run("dfaulo", "other")
    assert nested.has_sample_field("other_suspiciousness")
    nested.delete_brain_run("other")
    assert {*nested.get_field_schema(flat=True)} == before
