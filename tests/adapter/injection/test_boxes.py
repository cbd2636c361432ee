"""Faults of boxes, planted and taken back, and how well they are found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from bench.boxes import detect

from fiftyone_dfaulo import (
    InputError,
    compute_suspiciousness,
    estimate_quality,
    evaluate_ranking,
    inject_faults,
    revert_faults,
)
from fiftyone_dfaulo.engine.boxes.overlaps import intersection_over_union
from fiftyone_dfaulo.engine.injection.box_plans import BOX_KINDS
from tests.boxes import make_boxes, scattered


@pytest.fixture
def dataset() -> Iterator[Any]:
    """200 right objects of three classes, and a detector's predictions."""
    true = scattered(200)
    found = detect(true, np.random.default_rng(51), skill=2.0)
    dataset = make_boxes(true, found)
    yield dataset
    for name in (f"{dataset.name}-injected", dataset.name):
        if fo.dataset_exists(name):
            fo.delete_dataset(name)


def objects(dataset: Any, field: str = "boxes") -> dict[str, Any]:
    lists = dataset.values(f"{field}.detections")
    return {one.id: one for some in lists for one in some or ()}


def documents(dataset: Any) -> list[Any]:
    found = dataset._sample_collection.find().sort("_id", 1)
    return [document["boxes"] for document in found]


def test_every_kind_is_planted_and_its_truth_is_known(dataset: Any) -> None:
    before = objects(dataset)
    copy = inject_faults(dataset, "boxes", kind="boxes", rate=0.05)
    after, truth = objects(copy), objects(copy, "injected_true_label")

    kinds = Counter(one.injected_kind for one in after.values())
    assert kinds == {**dict.fromkeys(BOX_KINDS[:4], 10), None: 200 - 30}
    assert truth.keys() == before.keys()
    assert len(truth.keys() - after.keys()) == 10
    for one, new in after.items():
        assert new.injected_fault == (new.injected_kind is not None)
        if one not in truth:
            assert new.injected_kind in ("spurious", "doubled")
            continue
        old = truth[one]
        boxes = [np.array([b.bounding_box]) for b in (old, new)]
        overlap = float(intersection_over_union(*boxes)[0])
        assert (old.label != new.label) == (new.injected_kind == "wrong class")
        expected = (0.3, 0.7) if new.injected_kind == "misplaced" else (1, 1)
        assert expected[0] - 1e-6 <= overlap <= expected[1] + 1e-6
    faulty = copy.match({"injected_fault": True})
    assert 20 <= len(faulty) <= len(copy)


def test_rates_of_each_kind_and_the_overlap_are_the_callers(dataset: Any) -> None:
    rates = {"missing": 0.1, "misplaced": 0.02}
    copy = inject_faults(dataset, "boxes", kind="boxes", rate=rates, overlap=(0.5, 0.5))
    after, truth = objects(copy), objects(copy, "injected_true_label")

    moved = [one for one in after.values() if one.injected_fault]
    assert len(truth) - len(after) == 20
    assert [one.injected_kind for one in moved] == ["misplaced"] * 4
    for one in moved:
        boxes = [np.array([b.bounding_box]) for b in (truth[one.id], one)]
        assert intersection_over_union(*boxes)[0] == pytest.approx(0.5, abs=1e-6)


def test_what_was_planted_is_taken_back(dataset: Any) -> None:
    before, schema = documents(dataset), [*dataset.get_field_schema(flat=True)]
    inject_faults(dataset, "boxes", kind="boxes", rate=0.05, in_place=True)
    assert documents(dataset) != before

    revert_faults(dataset)

    assert documents(dataset) == before
    assert [*dataset.get_field_schema(flat=True)] == schema


def test_a_ranking_is_evaluated_by_kind(dataset: Any) -> None:
    copy = inject_faults(dataset, "boxes", kind="boxes", rate=0.05)
    compute_suspiciousness(copy, "boxes", predictions="predictions", progress=False)
    found = evaluate_ranking(copy, fault_field="injected_fault")

    assert found["faults"] == 50
    assert found["AP"] > 0.7
    assert [*found.by_kind] == [*BOX_KINDS]
    assert all(figures["faults"] == 10 for figures in found.by_kind.values())
    assert found.by_kind["missing"]["AP"] > 0.6
    assert "misplaced: 10 faults, AP" in str(found)
    with pytest.raises(InputError, match="expected a boolean attribute of them"):
        evaluate_ranking(copy, fault_field="fault")


def test_missing_objects_that_nobody_found_count_as_not_found(dataset: Any) -> None:
    rate = {"missing": 0.1}
    copy = inject_faults(dataset, "boxes", kind="boxes", rate=rate)
    none = [
        fo.Detections(detections=some.detections[:1])
        for some in copy.values("predictions")
    ]
    copy.set_values("predictions", none)
    compute_suspiciousness(copy, "boxes", predictions="predictions", progress=False)

    found = evaluate_ranking(copy, fault_field="injected_fault")

    assert found["faults"] == 20
    assert found.by_kind["missing"]["AP"] < 0.5


def test_the_quality_is_estimated_and_nothing_is_left(dataset: Any) -> None:
    before = documents(dataset)
    found = estimate_quality(
        dataset, "boxes", kind="boxes", predictions="predictions", progress=False
    )

    assert found.by_kind["spurious"]["AP"] > 0.6
    assert documents(dataset) == before
    assert not dataset.list_brain_runs()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "random_label"}, "expected a Classification field"),
        ({"rate": 0.3}, "more than one fault an object"),
        ({"rate": {"lost": 0.1}}, "expected a number above 0"),
        ({"rate": {"missing": 0}}, "expected a number above 0"),
        ({"kind": "missing", "rate": {"missing": 0.1}}, "cannot be used for kind"),
        ({"overlap": (0.7, 0.3)}, "the least and the largest IoU"),
        ({"rate": 1e-6}, "plants no fault among 200 objects"),
        ({"label_field": "one"}, "is a Classification field"),
    ],
)
def test_what_cannot_be_planted(
    dataset: Any, changes: dict[str, Any], message: str
) -> None:
    dataset.add_sample_field(
        "one", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification
    )
    with pytest.raises(InputError, match=message):
        inject_faults(dataset, **{"label_field": "boxes", "kind": "boxes", **changes})


def test_quality_of_boxes_needs_a_detectors_predictions(dataset: Any) -> None:
    with pytest.raises(InputError, match="pass predictions, a Detections field"):
        estimate_quality(dataset, "boxes", kind="boxes", progress=False)
