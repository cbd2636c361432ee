"""Boxes judged by a detector's predictions, from the call to the dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from bench.boxes import KINDS
from fiftyone import ViewField as F
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo import (
    InputError,
    compute_suspiciousness,
    explain_suspiciousness,
    record_verdicts,
    repair,
    review_status,
    suspicious_view,
    update_suspiciousness,
)
from fiftyone_dfaulo.engine.boxes.reasons import REASONS
from tests.boxes import make_boxes, planted

OWN = (
    "dfaulo_suspiciousness",
    "dfaulo_suggestion",
    "dfaulo_reasons",
    "dfaulo_verdict",
    "dfaulo_better_box",
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Any]:
    """600 objects with faults of every kind, scored."""
    given, found, _ = planted()
    dataset = make_boxes(given, found)
    score(dataset)
    yield dataset
    dataset.delete()


@pytest.fixture
def dataset() -> Iterator[Any]:
    """60 objects with faults of every kind, and predictions."""
    given, found, _ = planted(60)
    dataset = make_boxes(given, found)
    yield dataset
    dataset.delete()


def score(dataset: Any, **changes: Any) -> Any:
    return compute_suspiciousness(
        dataset, "boxes", predictions="predictions", progress=False, **changes
    )


def documents(dataset: Any) -> list[Any]:
    """The samples as the database has them, but for the time of the last change."""
    found = dataset._sample_collection.find().sort("_id", 1)
    return [{k: v for k, v in d.items() if k != "last_modified_at"} for d in found]


def objects(dataset: Any, field: str = "boxes") -> list[Any]:
    lists = dataset.values(f"{field}.detections")
    return [one for some in lists for one in some or ()]


def test_why_no_neighbours_are_known_is_said(shared: Any) -> None:
    worst = shared.load_brain_results("dfaulo").ids[:1]
    (why,) = explain_suspiciousness(shared, ids=worst).values()
    assert explain_suspiciousness(shared) == {}
    assert why.unknown == "boxes were compared with predictions, not with one another"
    assert f"Others like it are not known: {why.unknown}." in str(why)


class TestWhatIsWritten:
    @pytest.mark.parametrize("kind", KINDS[:4])
    def test_objects_of_each_kind_of_fault_come_first(
        self, shared: Any, kind: str
    ) -> None:
        given = planted()[0]
        firsts = {*given.twin[given.twin >= 0]}  # of two boxes, either may be chosen
        some = [
            one
            for one in objects(shared)
            if one.fault in (None, kind) and one.row not in firsts
        ]
        faults = [one.fault == kind for one in some]
        scores = [one.dfaulo_suspiciousness for one in some]

        assert average_precision_score(faults, scores) > 0.75

    @pytest.mark.parametrize(
        ("kind", "reason"),
        [("class", REASONS[0]), ("misplaced", REASONS[1]), ("spurious", REASONS[2])],
    )
    def test_most_faults_have_the_reason_of_their_kind(
        self, shared: Any, kind: str, reason: str
    ) -> None:
        some = [one.dfaulo_reasons for one in objects(shared) if one.fault == kind]

        assert np.mean([reason in reasons for reasons in some]) > 0.6

    def test_a_misplaced_object_gets_the_detectors_box(self, shared: Any) -> None:
        lists = shared.values("predictions.detections.bounding_box")
        predicted = [box for some in lists for box in some]
        better = [o.dfaulo_better_box for o in objects(shared) if o.dfaulo_better_box]

        assert len(better) > 500
        assert {tuple(box) for box in better} <= {tuple(box) for box in predicted}

    def test_missing_objects_are_written_with_class_box_and_probability(
        self, shared: Any
    ) -> None:
        _, found, missing = planted()
        rows = {tuple(box): n for n, box in enumerate(found.boxes.tolist())}
        gaps = objects(shared, "dfaulo_missing")
        hits = [missing[rows[tuple(one.bounding_box)]] for one in gaps]

        assert average_precision_score(hits, [one.confidence for one in gaps]) > 0.8
        assert sum(hits) >= 0.8 * missing.sum()
        assert min(one.confidence for one in gaps) >= 0.2

    def test_the_samples_maximum_is_over_objects_and_missing_ones(
        self, shared: Any
    ) -> None:
        for sample in shared.iter_samples():
            scores = [o.dfaulo_suspiciousness for o in sample.boxes.detections]
            if sample.dfaulo_missing:
                gaps = sample.dfaulo_missing.detections
                scores += [o.dfaulo_suspiciousness for o in gaps]
                assert [o.confidence for o in gaps] == scores[-len(gaps) :]
            assert sample.dfaulo_suspiciousness == max(scores)

    def test_estimates_by_kind_are_near_the_truth(self, shared: Any) -> None:
        results = shared.load_brain_results("dfaulo")
        estimate = results.estimate_by_kind()

        assert tuple(estimate) == REASONS
        for name in ("looks like another class", "box misplaced", "missing object"):
            assert 15 <= estimate[name] <= 45, name  # 30 were planted
        assert results.summary()["by_kind"] == estimate
        assert "box misplaced" in str(results)

    def test_results_are_the_same_once_they_are_loaded(self, dataset: Any) -> None:
        results = score(dataset)
        dataset.clear_cache()
        loaded = dataset.load_brain_results("dfaulo", cache=False)

        assert np.array_equal(loaded.better_boxes, results.better_boxes, True)
        assert loaded.missing == results.missing
        assert loaded.suspiciousness.tolist() == results.suspiciousness.tolist()


class TestTheRun:
    def test_deleting_the_run_leaves_the_dataset_as_it_was(self, dataset: Any) -> None:
        before, schema = documents(dataset), dataset.get_field_schema(flat=True)
        score(dataset)
        dataset.delete_brain_run("dfaulo")

        assert documents(dataset) == before
        assert [*dataset.get_field_schema(flat=True)] == [*schema]
        assert str(repair(dataset)) == str(repair(dataset))

    def test_renaming_the_run_renames_all_its_fields(self, dataset: Any) -> None:
        score(dataset)
        missing = dataset.values("dfaulo_missing.detections.confidence")
        dataset.rename_brain_run("dfaulo", "other")

        assert dataset.values("other_missing.detections.confidence") == missing
        assert objects(dataset)[0].has_attribute("other_better_box")
        assert not [n for n in dataset.get_field_schema(flat=True) if "dfaulo" in n]

    def test_verdicts_keep_missing_objects_in_the_maximum(self, dataset: Any) -> None:
        score(dataset)
        sample = dataset.match(F("dfaulo_missing.detections").length() > 0).first()
        ids = [one.id for one in sample.boxes.detections]
        record_verdicts(dataset, correct=ids)
        update_suspiciousness(dataset)
        sample.reload()

        worst = max(one.confidence for one in sample.dfaulo_missing.detections)
        assert sample.dfaulo_suspiciousness >= worst
        assert review_status(dataset).correct == len(ids)
        assert len(suspicious_view(dataset.to_patches("boxes"), limit=3)) == 3

    def test_the_same_scores_twice_and_in_any_order_of_the_view(
        self, dataset: Any
    ) -> None:
        first = score(dataset)
        second = score(dataset.sort_by("filepath", reverse=True), brain_key="again")

        assert second.suspiciousness.tolist() == first.suspiciousness.tolist()
        assert second.missing == first.missing


class TestViewsAndOddData:
    def test_nothing_is_missing_where_a_view_hides_an_object(
        self, dataset: Any
    ) -> None:
        whole = score(dataset)
        view = dataset.filter_labels("boxes", F("label") == "a", only_matches=False)
        some = score(view, brain_key="some")

        assert some.missing == whole.missing
        assert 0 < len(some.ids) < len(whole.ids)

    def test_unlabelled_images_have_nothing_missing_and_empty_ones_do(
        self, dataset: Any
    ) -> None:
        first, second = dataset.limit(2).values("id")
        dataset.select(first).set_values("boxes", [None])
        dataset.select(second).set_values("boxes", [fo.Detections()])

        gaps = {one.sample for one in score(dataset).missing}

        assert first not in gaps
        assert second in gaps

    def test_one_class_is_enough(self) -> None:
        given, found, _ = planted(120, 1)
        dataset = make_boxes(given, found)
        results = score(dataset)
        dataset.delete()

        assert results.signals[:, 0].max() == 0
        assert results.signals[:, 1].max() > 0.5

    def test_classes_of_other_names_are_matched_and_told(self, dataset: Any) -> None:
        expected = score(dataset).suspiciousness
        names = dataset.values("predictions.detections.label")
        changed = [[f"class {name}" for name in some] for some in names]
        dataset.set_values("predictions.detections.label", changed)
        results = score(dataset, brain_key="renamed")

        assert results.suspiciousness == pytest.approx(expected, abs=0.02)
        assert any("'class a' is taken for 'a'" in note for note in results.notes)

    def test_crowds_are_left_out_and_nothing_is_missing_under_them(
        self, dataset: Any
    ) -> None:
        sample = dataset.first()
        crowd = fo.Detection(label="a", bounding_box=[0, 0, 1, 1], iscrowd=1)
        sample.boxes.detections.append(crowd)
        sample.save()
        results = score(dataset)

        assert "crowd" in results.unreadable[crowd.id]
        assert sample.id not in {one.sample for one in results.missing}

    def test_one_confidence_for_all_is_noted(self, dataset: Any) -> None:
        sure = dataset.values("predictions.detections.confidence")
        dataset.set_values(
            "predictions.detections.confidence", [[0.9] * len(s) for s in sure]
        )

        assert any("confidence 0.9" in note for note in score(dataset).notes)


class TestRefusals:
    def test_predictions_that_overlap_nothing(self, dataset: Any) -> None:
        boxes = dataset.values("boxes.detections.bounding_box")
        far = [[[0.0, 0.0, 1e-4, 1e-4] for _ in some] for some in boxes]
        dataset.set_values("boxes.detections.bounding_box", far)
        before = documents(dataset)

        with pytest.raises(InputError, match="overlaps any of the"):
            score(dataset)
        assert documents(dataset) == before

    @pytest.mark.parametrize("field", ["predictions", "boxes"])
    def test_pixels(self, dataset: Any, field: str) -> None:
        path = f"{field}.detections.bounding_box"
        boxes = [
            [[640 * x for x in box] for box in some] for some in dataset.values(path)
        ]
        dataset.set_values(path, boxes)
        before = documents(dataset)

        with pytest.raises(InputError, match="in pixels, it seems"):
            score(dataset)
        assert documents(dataset) == before

    def test_two_objects_of_one_id_in_a_sample(self, dataset: Any) -> None:
        found = dataset._sample_collection.find_one(
            {"boxes.detections.1": {"$exists": True}}
        )
        twice = [*found["boxes"]["detections"], found["boxes"]["detections"][0]]
        dataset._sample_collection.update_one(
            {"_id": found["_id"]}, {"$set": {"boxes.detections": twice}}
        )

        with pytest.raises(InputError, match="two objects with the same id"):
            score(dataset)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("boxes", "is the label field"),
            ("nothing", "Detections fields here: predictions"),
            ("one", "is a Classification field, and 'boxes' holds objects"),
        ],
    )
    def test_fields_that_hold_no_predictions(
        self, dataset: Any, name: str, message: str
    ) -> None:
        dataset.add_sample_field(
            "one", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification
        )

        with pytest.raises(InputError, match=message):
            compute_suspiciousness(dataset, "boxes", predictions=name, progress=False)

    def test_patches_and_settings_for_other_labels(self, dataset: Any) -> None:
        with pytest.raises(InputError, match="view of patches"):
            score(dataset.to_patches("boxes"))
        with pytest.raises(InputError, match="says nothing about the boxes"):
            score(dataset, classes=["a", "b"])

    def test_no_predictions_and_confidences_above_one(self, dataset: Any) -> None:
        sure = dataset.values("predictions.detections.confidence")
        dataset.set_values(
            "predictions.detections.confidence", [[97.0] * len(s) for s in sure]
        )
        with pytest.raises(InputError, match="has a confidence of 97"):
            score(dataset)
        dataset.set_values("predictions", [None] * len(dataset))
        with pytest.raises(InputError, match="apply the detector first"):
            score(dataset)


@pytest.mark.parametrize("several", [["predictions", "others"], ("predictions",)])
def test_several_fields_at_once_are_refused(shared: Any, several: Any) -> None:
    expected = f"is a {type(several).__name__}; expected a string or None; pass one"
    with pytest.raises(InputError, match=expected):
        compute_suspiciousness(
            shared, "boxes", predictions=several, brain_key="several", progress=False
        )
    assert not shared.has_brain_run("several")
