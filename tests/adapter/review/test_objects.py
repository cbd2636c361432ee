"""The review of objects: verdicts, learning, corrections, tags and export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from bson import ObjectId
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from fiftyone_dfaulo import (
    InputError,
    RunError,
    apply_suggestions,
    compute_suspiciousness,
    evaluate_ranking,
    export_review,
    inject_faults,
    record_verdicts,
    revert_suggestions,
    review_status,
    suspicious_view,
    tag_suspicious,
    update_suspiciousness,
)
from fiftyone_dfaulo.adapter.review.session import ReviewSession

NAMES = "ababab"


@pytest.fixture
def dataset(make_dataset: Any) -> Any:
    """Two samples of 6 objects a, b, ... each, and one of none.

    Of the first sample, the object at 0 is a b labelled a, with everything that a
    detection may have.
    """
    dataset = make_dataset(["x", None, "x"])
    truth = [*"bbabab", *NAMES]
    given = [*NAMES, *NAMES]
    objects = [
        fo.Detection(label=label, bounding_box=[n % 6 / 6, 0, 1 / 6, 1])
        for n, label in enumerate(given)
    ]
    objects[0] = fo.Detection(
        label="a",
        bounding_box=[0, 0, 1 / 6, 1],
        mask=np.ones((2, 3), bool),
        confidence=0.25,
        index=7,
        tags=["gold"],
        weight=3,
        note="x",
    )
    objects[2].tags = []
    lists = [fo.Detections(detections=part) for part in (objects[:6], objects[6:])]
    dataset.set_values("boxes", [lists[0], None, lists[1]])
    vectors = 4 * np.eye(2)[["ba".index(label) for label in truth]]
    vectors = vectors + np.random.default_rng(51).normal(size=(12, 2)) / 4
    compute_suspiciousness(dataset, "boxes", embeddings=vectors, progress=False)
    return dataset


def ids(dataset: Any) -> list[str]:
    return list(dataset.values("boxes.detections.id", unwind=True))


def values(dataset: Any, name: str) -> list[Any]:
    found = dataset.values(f"boxes.detections.{name}")
    return [value for some in found for value in some or ()]


def raw(dataset: Any) -> list[bytes]:
    """The objects' lists as the bytes that the database holds."""
    codec = CodecOptions(document_class=RawBSONDocument)
    found = dataset._sample_collection.with_options(codec_options=codec).find()
    return [d["boxes"].raw for d in found if d.get("boxes")]


class TestVerdicts:
    def test_a_verdict_is_on_one_object_with_its_history(self, dataset: Any) -> None:
        one, two, *_ = ids(dataset)

        counts = record_verdicts(dataset, faulty=[one], correct=[two], by="Ada")

        assert counts == {"faulty": 1, "correct": 1, "cleared": 0, "unchanged": 0}
        assert values(dataset, "dfaulo_verdict") == ["faulty", "correct"] + 10 * [None]
        history = dataset.first().boxes.detections[0].dfaulo_history
        assert [(e["verdict"], e["by"]) for e in history] == [("faulty", "Ada")]

    def test_the_same_verdict_again_is_no_change(self, dataset: Any) -> None:
        one = ids(dataset)[0]
        record_verdicts(dataset, faulty=one)

        counts = record_verdicts(dataset, faulty=one)
        record_verdicts(dataset, cleared=one)

        assert counts["unchanged"] == 1
        assert values(dataset, "dfaulo_verdict") == [None] * 12
        assert len(dataset.first().boxes.detections[0].dfaulo_history) == 2

    def test_a_view_of_patches_gives_objects(self, dataset: Any) -> None:
        worst = suspicious_view(dataset.to_patches("boxes"), limit=1)

        record_verdicts(dataset, faulty=worst)

        assert values(dataset, "dfaulo_verdict")[0] == "faulty"

    def test_samples_in_the_place_of_objects_are_refused(self, dataset: Any) -> None:
        with pytest.raises(InputError, match="a view of samples.*to_patches"):
            record_verdicts(dataset, faulty=dataset[:1])
        with pytest.raises(InputError, match="They are samples: pass the ids of obj"):
            record_verdicts(dataset, faulty=dataset.first().id)
        with pytest.raises(InputError, match="no objects with these ids"):
            record_verdicts(dataset, faulty=str(ObjectId()))
        assert not dataset.has_sample_field("boxes.detections.dfaulo_history")

    def test_what_other_objects_hold_is_not_touched(self, dataset: Any) -> None:
        before = dataset._sample_collection.find_one()["boxes"]["detections"]

        record_verdicts(dataset, faulty=ids(dataset)[1])

        after = dataset._sample_collection.find_one()["boxes"]["detections"]
        assert after[0] == before[0]
        assert after[2:] == before[2:]
        assert list(after[1])[: len(before[1])] == list(before[1])

    def test_a_sample_without_objects_stays_as_it_was(self, dataset: Any) -> None:
        empty = dataset.values("id")[1]
        one = {"_id": ObjectId(empty)}
        before = dataset._sample_collection.find_one(one)

        record_verdicts(dataset, faulty=ids(dataset))
        update_suspiciousness(dataset)
        apply_suggestions(dataset)

        assert dataset._sample_collection.find_one(one) == before


class TestLearning:
    def test_checked_objects_go_to_the_ends_and_the_maximum_follows(
        self, dataset: Any
    ) -> None:
        every = ids(dataset)
        record_verdicts(dataset, faulty=[every[0]], correct=every[6:])

        update_suspiciousness(dataset)

        scores = values(dataset, "dfaulo_suspiciousness")
        assert scores[0] == max(scores)
        assert max(scores[6:]) <= min(scores[:6])
        tops = dataset.values("dfaulo_suspiciousness")
        assert tops == [max(scores[:6]), None, max(scores[6:])]

    def test_without_verdicts_the_initial_scores_are_back(self, dataset: Any) -> None:
        before = raw(dataset)
        scores = values(dataset, "dfaulo_suspiciousness")
        every = ids(dataset)
        record_verdicts(dataset, faulty=every[:3], correct=every[3:])
        update_suspiciousness(dataset)
        assert values(dataset, "dfaulo_suspiciousness") != scores

        record_verdicts(dataset, cleared=every)
        update_suspiciousness(dataset)

        assert values(dataset, "dfaulo_suspiciousness") == scores
        dataset.delete_sample_field("boxes.detections.dfaulo_history")
        assert raw(dataset) == before

    def test_the_status_counts_objects(self, dataset: Any) -> None:
        every = ids(dataset)
        record_verdicts(dataset, faulty=[every[0]], correct=every[1:4])

        status = review_status(dataset)

        assert (status.scored, status.faulty, status.correct) == (12, 1, 3)
        assert (status.unchecked, status.stale) == (8, 0)

    def test_an_edited_label_is_stale(self, dataset: Any) -> None:
        sample = dataset.first()
        sample.boxes.detections[1].label = "edited"
        sample.save()

        assert review_status(dataset).stale_ids == [ids(dataset)[1]]

    def test_reviewed_objects_and_samples_are_left_out_of_what_is_unreviewed(
        self, dataset: Any
    ) -> None:
        record_verdicts(dataset, correct=ids(dataset)[:6])

        patches = suspicious_view(dataset.to_patches("boxes"), unreviewed=True)
        assert sorted(patches.values("id")) == sorted(ids(dataset)[6:])
        assert len(suspicious_view(dataset, unreviewed=True)) == 1


class TestCorrections:
    def test_the_class_changes_and_all_else_stays(self, dataset: Any) -> None:
        one = ids(dataset)[0]
        before = dataset.first().boxes.detections[0]

        done = apply_suggestions(dataset, ids=[one])

        after = dataset.first().boxes.detections[0]
        assert (done.applied, done.skipped) == (1, {})
        assert (after.label, after.tags) == ("b", ["gold", "corrected"])
        assert after.confidence is None
        assert after.dfaulo_original_label.label == "a"
        assert after.dfaulo_original_label.tags == ["gold"]
        assert after.dfaulo_original_label.confidence == 0.25
        kept = ("id", "bounding_box", "index", "weight", "note")
        assert [after[n] for n in kept] == [before[n] for n in kept]
        assert (after.mask == before.mask).all()
        assert review_status(dataset).corrected == 1
        assert review_status(dataset).stale == 0

    def test_reverting_brings_every_byte_back(self, dataset: Any) -> None:
        record_verdicts(dataset, faulty=ids(dataset)[0])
        before = raw(dataset)
        apply_suggestions(dataset)
        assert raw(dataset) != before

        undone = revert_suggestions(dataset)

        assert (undone.reverted, undone.edited) == (1, [])
        assert raw(dataset) == before

    def test_a_box_that_was_moved_since_stays_moved(self, dataset: Any) -> None:
        apply_suggestions(dataset, ids=ids(dataset)[0])
        sample = dataset.first()
        sample.boxes.detections[0].bounding_box = [0.1, 0.1, 0.1, 0.1]
        sample.save()

        assert revert_suggestions(dataset).reverted == 1
        back = dataset.first().boxes.detections[0]
        assert back.label == "a"
        assert back.bounding_box == [0.1, 0.1, 0.1, 0.1]

    def test_a_tag_that_was_added_since_is_no_edit_and_stays(
        self, dataset: Any
    ) -> None:
        record_verdicts(dataset, faulty=ids(dataset)[0])
        apply_suggestions(dataset)
        assert tag_suspicious(dataset, verdict="faulty") == 1

        undone = revert_suggestions(dataset)

        assert (undone.reverted, undone.edited) == (1, [])
        back = dataset.first().boxes.detections[0]
        assert (back.label, back.tags) == ("a", ["gold", "relabel"])

    @pytest.mark.parametrize(
        "edit", [{"label": "z"}, {"tags": ["corrected"]}, {"confidence": 0.5}]
    )
    def test_a_label_edited_since_is_left_alone(
        self, dataset: Any, edit: dict[str, Any]
    ) -> None:
        one = ids(dataset)[0]
        apply_suggestions(dataset, ids=one)
        sample = dataset.first()
        for name, value in edit.items():
            sample.boxes.detections[0][name] = value
        sample.save()
        before = raw(dataset)

        undone = revert_suggestions(dataset)

        assert (undone.reverted, undone.edited) == (0, [one])
        assert raw(dataset) == before

    def test_what_cannot_be_corrected_is_named_with_the_reason(
        self, dataset: Any
    ) -> None:
        one, two, *_ = ids(dataset)
        apply_suggestions(dataset, ids=one)

        done = apply_suggestions(dataset, ids=[one, two])

        assert done.applied == 0
        assert "corrected already" in done.skipped[one]
        assert "'b' already" in done.skipped[two]

    def test_one_class_for_the_objects_that_are_given(self, dataset: Any) -> None:
        apply_suggestions(dataset, ids=ids(dataset)[1:3], label="c", add_classes=True)

        assert values(dataset, "label")[:4] == ["a", "c", "c", "b"]

    def test_an_edit_at_the_same_moment_wins(
        self, dataset: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = ids(dataset)[0]
        add = ReviewSession.add_field

        def edit_and_add(*args: Any) -> None:
            dataset._sample_collection.update_one(
                {"boxes.detections._id": ObjectId(one)},
                {"$set": {"boxes.detections.0.label": "by hand"}},
            )
            add(*args)

        monkeypatch.setattr(ReviewSession, "add_field", edit_and_add)
        done = apply_suggestions(dataset, ids=one)

        assert done.applied == 0
        assert "edited at the same moment" in done.skipped[one]
        assert values(dataset, "label")[0] == "by hand"

    def test_of_a_view_only_its_objects_are_corrected(self, dataset: Any) -> None:
        record_verdicts(dataset, faulty=ids(dataset))

        apply_suggestions(dataset[1:])

        assert dataset.count("boxes.detections.dfaulo_original_label") == 0

    def test_a_run_with_corrections_is_not_replaced(self, dataset: Any) -> None:
        apply_suggestions(dataset, ids=ids(dataset)[0])

        with pytest.raises(RunError, match="1 original labels of corrected objects"):
            compute_suspiciousness(
                dataset, "boxes", embeddings=np.eye(12), progress=False
            )


class TestLeaving:
    def test_tags_lie_on_the_objects_and_the_saved_view_shows_them(
        self, dataset: Any
    ) -> None:
        count = tag_suspicious(dataset, top=1, save_view="to relabel")

        assert count == 1
        assert values(dataset, "tags")[0] == ["gold", "relabel"]
        assert dataset.count_sample_tags() == {}
        view = dataset.load_saved_view("to relabel")
        assert view.values("boxes.detections.id") == [[ids(dataset)[0]]]
        assert tag_suspicious(dataset, top=1) == 1
        assert values(dataset, "tags")[0] == ["gold", "relabel"]

    def test_the_export_has_a_row_for_each_object(
        self, dataset: Any, tmp_path: Path
    ) -> None:
        one = ids(dataset)[0]
        record_verdicts(dataset, faulty=one)

        assert export_review(dataset, tmp_path / "review.json") == 1
        (row,) = json.loads((tmp_path / "review.json").read_text())
        assert (row["id"], row["label"], row["suggestion"]) == (one, "a", "b")
        assert row["filepath"] == dataset.first().filepath
        assert row["verdict"] == "faulty"

    def test_what_works_on_samples_only_says_so(self, dataset: Any) -> None:
        dataset.set_values("fault", [True, False, False])

        with pytest.raises(InputError, match="expected a boolean attribute of them"):
            evaluate_ranking(dataset, fault_field="fault")
        with pytest.raises(InputError, match="'boxes' is a Detections field"):
            inject_faults(dataset, "boxes")

    def test_renaming_takes_verdicts_and_originals_along(self, dataset: Any) -> None:
        one = ids(dataset)[0]
        record_verdicts(dataset, faulty=one)
        before = raw(dataset)
        apply_suggestions(dataset)

        dataset.rename_brain_run("dfaulo", "mine")
        assert review_status(dataset, "mine").corrected == 1
        assert revert_suggestions(dataset, "mine").reverted == 1
        dataset.rename_brain_run("mine", "dfaulo")

        assert raw(dataset) == before
