"""Objects in samples: read, scored, written, viewed, renamed and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from bench.canvases import faults
from fiftyone import ViewField as F
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo import (
    InputError,
    RunError,
    compute_suspiciousness,
    suspicious_view,
)
from fiftyone_dfaulo.adapter.reading.labels import read_labels
from fiftyone_dfaulo.adapter.storage.documents import Storage
from tests.objects import paste_digits

KEYS = ("suspiciousness", "suggestion", "reasons")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """400 digits on canvases, 20 of them with a wrong label, scored by their pixels."""
    dataset = paste_digits(tmp_path_factory.mktemp("objects") / "canvases", 400)
    compute_suspiciousness(
        dataset, "boxes", embeddings=load_digits().data[:400], progress=False
    )
    yield dataset
    dataset.delete()


@pytest.fixture
def dataset(make_dataset: Any) -> Any:
    """Three samples with objects a, b / none / a, b; vectors tell a from b."""
    dataset = make_dataset(["x", "x", "x", None])
    dataset.set_values("boxes", [_boxes("ab"), None, _boxes("abab"), _boxes("")])
    return dataset


def _boxes(labels: str) -> fo.Detections:
    return fo.Detections(
        detections=[
            fo.Detection(
                label=label,
                bounding_box=[n / 8, 0, 1 / 8, 1],
                vec=np.array([label == "a", n], float),
            )
            for n, label in enumerate(labels)
        ]
    )


def score(dataset: Any, **changes: Any) -> Any:
    arguments = {"embeddings": "vec", "progress": False, **changes}
    return compute_suspiciousness(dataset, "boxes", **arguments)


def documents(dataset: Any) -> list[Any]:
    """The samples as the database has them, but for the time of the last change."""
    found = dataset._sample_collection.find().sort("_id", 1)
    return [{k: v for k, v in d.items() if k != "last_modified_at"} for d in found]


class TestScores:
    def test_every_object_gets_a_score_and_the_sample_their_maximum(
        self, digits: Any
    ) -> None:
        scores = digits.values("boxes.detections.dfaulo_suspiciousness")

        assert sum(map(len, scores)) == 400
        assert digits.values("dfaulo_suspiciousness") == [max(s) for s in scores]
        flat = [s for some in scores for s in some]
        assert average_precision_score(faults(digits), flat) > 0.9

    def test_suggestions_and_reasons_lie_on_the_object(self, digits: Any) -> None:
        patches = suspicious_view(digits.to_patches("boxes"), limit=1)
        worst = patches.first().boxes

        assert worst.tags == ["wrong"]
        assert worst.dfaulo_suggestion in "0123456789"
        assert worst.dfaulo_suggestion != worst.label
        assert "looks like another class" in worst.dfaulo_reasons
        assert worst.dfaulo_verdict is None
        assert not any(
            digits.has_sample_field(f"dfaulo_{part}") for part in KEYS if part[2] == "g"
        )

    def test_the_network_trained_on_crops_finds_wrong_labels(
        self, tmp_path: Path
    ) -> None:
        dataset = paste_digits(tmp_path / "canvases", 1200)

        results = compute_suspiciousness(dataset, "boxes", progress=False)

        scores = dataset.values("boxes.detections.dfaulo_suspiciousness", unwind=True)
        assert average_precision_score(faults(dataset), scores) >= 0.9
        assert str(results).startswith("1200 objects scored")
        dataset.delete()

    def test_the_same_scores_from_a_dataset_and_from_its_patches(
        self, dataset: Any
    ) -> None:
        score(dataset)
        score(dataset.to_patches("boxes"), brain_key="patches")

        path = "boxes.detections.{}_suspiciousness"
        assert dataset.values(path.format("patches")) == dataset.values(
            path.format("dfaulo")
        )

    def test_of_a_view_only_its_objects_are_scored(self, dataset: Any) -> None:
        view = dataset.filter_labels("boxes", F("bounding_box")[0] < 0.3)

        results = score(view)

        assert len(results.ids) == 5
        assert dataset.values("boxes.detections.dfaulo_suspiciousness")[2][3] is None

    @pytest.mark.parametrize("source", ["vec", "boxes.detections.vec", "array"])
    def test_embeddings_by_attribute_path_or_array_are_the_same(
        self, dataset: Any, source: str
    ) -> None:
        vectors = [[1, 0], [0, 1], [1, 0], [0, 1], [1, 2], [0, 3]]
        expected = score(dataset, brain_key="one").suspiciousness

        given: Any = np.array(vectors, float) if source == "array" else source
        results = score(dataset, embeddings=given, brain_key="two")

        assert results.suspiciousness.tolist() == expected.tolist()

    def test_embeddings_of_a_similarity_index_on_the_patches(
        self, dataset: Any
    ) -> None:
        import fiftyone.brain as fob

        vectors = {
            sample.id: np.array([d.vec for d in sample.boxes.detections])
            for sample in dataset
            if sample.boxes and sample.boxes.detections
        }
        fob.compute_similarity(
            dataset.select(list(vectors)),
            patches_field="boxes",
            embeddings=vectors,
            brain_key="sim",
        )

        results = score(dataset, embeddings="sim")

        assert len(results.ids) == 6
        with pytest.raises(InputError, match="on the patches in 'boxes', not images"):
            compute_suspiciousness(dataset, "ground_truth", embeddings="sim")


class TestBadInput:
    @pytest.mark.parametrize(
        ("box", "reason"),
        [
            ([0.5, 0.5, 0, 0.5], "its box has no area"),
            ([0.5, 0.5, 0.1, -0.1], "its box has no area"),
            ([1.0, 0.5, 0.5, 0.5], "its box lies outside the image"),
            ([-0.6, 0.5, 0.5, 0.5], "its box lies outside the image"),
            ([float("nan"), 0, 1, 1], "is not four finite numbers"),
            ([0.0, 0.5, 0.5], "is not four finite numbers"),
            ([], "it has no box"),
            (None, "it has no box"),
        ],
    )
    def test_boxes_that_hold_nothing_are_left_out_and_named(
        self, dataset: Any, box: Any, reason: str
    ) -> None:
        sample = dataset.first()
        sample.boxes.detections[0].bounding_box = box
        sample.save()
        one = sample.boxes.detections[0].id

        results = score(dataset)

        assert len(results.ids) == 5
        assert list(results.unreadable) == [one]
        assert reason in results.unreadable[one]
        assert "1 that could not be read" in str(results)
        assert dataset.values("boxes.detections.dfaulo_suspiciousness")[0][0] is None

    def test_a_box_that_sticks_out_is_scored(self, dataset: Any) -> None:
        sample = dataset.first()
        sample.boxes.detections[0].bounding_box = [-0.1, 0.9, 0.5, 0.5]
        sample.save()

        assert len(score(dataset).ids) == 6

    def test_objects_without_a_label_are_counted(self, dataset: Any) -> None:
        sample = dataset.first()
        sample.boxes.detections[1].label = None
        sample.save()

        assert score(dataset).unlabeled == [sample.boxes.detections[1].id]

    def test_a_dataset_of_bad_boxes_alone_is_refused(self, make_dataset: Any) -> None:
        dataset = make_dataset(["x"])
        empty = fo.Detection(label="a", bounding_box=[0, 0, 0, 0])
        dataset.set_values("boxes", [fo.Detections(detections=[empty])])

        with pytest.raises(InputError, match="1 more cannot be used.*has no area"):
            read_labels(dataset, "boxes")

    def test_two_objects_with_one_id_are_refused(self, dataset: Any) -> None:
        last = dataset.last()
        last["boxes"] = dataset.first().boxes
        last.save()

        with pytest.raises(InputError, match="objects with the same id"):
            read_labels(dataset, "boxes")

    def test_an_attribute_of_somebody_else_is_not_overwritten(
        self, dataset: Any
    ) -> None:
        sample = dataset.first()
        sample.boxes.detections[0]["dfaulo_verdict"] = "mine"
        sample.save()
        before = documents(dataset)

        with pytest.raises(RunError, match="boxes.detections.dfaulo_verdict"):
            score(dataset)
        assert documents(dataset) == before

    def test_patches_from_before_the_run_cannot_be_sorted(self, dataset: Any) -> None:
        patches = dataset.to_patches("boxes")
        score(dataset)

        with pytest.raises(InputError, match="make them anew"):
            suspicious_view(patches)

    def test_patches_of_another_field_are_refused(self, dataset: Any) -> None:
        dataset.clone_sample_field("boxes", "other")
        score(dataset)

        with pytest.raises(InputError, match="patches that this brain run has not"):
            suspicious_view(dataset.to_patches("other"))


class TestPolylines:
    def test_the_box_around_all_points_is_what_is_scored(
        self, make_dataset: Any
    ) -> None:
        dataset = make_dataset(["x", "x"])
        shapes = [[[0.1, 0.2], [0.5, 0.3]], [[0.3, 0.9]]]
        lines = [
            fo.Polyline(label="a", points=shapes),
            fo.Polyline(label="b", points=[[[0.1, 0.1], [0.5, 0.1]]]),
            fo.Polyline(label="b", points=[[[0.0, 0.0], [1.0, 1.0]]]),
            fo.Polyline(label="c"),
        ]
        dataset.set_values("lines", [fo.Polylines(polylines=lines), None])

        read = read_labels(dataset, "lines")

        assert [crop.box for crop in read.paths] == [
            pytest.approx((0.1, 0.2, 0.4, 0.7)),
            (0.0, 0.0, 1.0, 1.0),
        ]
        assert read.unreadable == {
            lines[1].id: "its box has no area",
            lines[3].id: "it has no box",
        }

    def test_polylines_are_scored_and_shown_as_patches(self, make_dataset: Any) -> None:
        dataset = make_dataset(["x", "x"])
        lines = [
            fo.Polyline(label=label, points=[[[0, 0], [0.5, 0.5]]]) for label in "abab"
        ]
        dataset.set_values("lines", [fo.Polylines(polylines=lines), None])

        compute_suspiciousness(
            dataset, "lines", embeddings=np.eye(4)[[0, 1, 0, 1]], progress=False
        )

        assert len(suspicious_view(dataset.to_patches("lines"))) == 4
        assert dataset.count("dfaulo_suspiciousness") == 1


class TestRuns:
    def test_deleting_a_run_leaves_every_sample_as_it_was(self, dataset: Any) -> None:
        before = documents(dataset)
        schema = dataset.get_field_schema(flat=True).keys()
        score(dataset)
        assert documents(dataset) != before

        dataset.delete_brain_run("dfaulo")

        assert documents(dataset) == before
        assert dataset.get_field_schema(flat=True).keys() == schema
        assert not [n for n in dataset.list_indexes() if "dfaulo" in n]

    def test_an_index_finds_objects_by_id_until_the_last_run_on_them_goes(
        self, dataset: Any
    ) -> None:
        objects = score(dataset).config.target.items(dataset)
        score(dataset, brain_key="second")

        def how() -> str:
            stages = objects.stages([dataset.first().boxes.detections[0]._id], {})
            documents = dataset._sample_collection.database
            plan = {"aggregate": objects.documents.name, "pipeline": stages}
            return str(documents.command("explain", {**plan, "cursor": {}}))

        dataset.delete_brain_run("dfaulo")
        assert "dfaulo_ids_of_boxes.detections" in how()
        dataset.delete_brain_run("second")
        assert "COLLSCAN" in how()
        assert "dfaulo" not in str(dataset._sample_collection.index_information())

    def test_no_room_for_that_index_fails_no_run(self, dataset: Any) -> None:
        collection = dataset._sample_collection
        for number in range(63 - len(collection.index_information())):
            collection.create_index(f"some_{number}")

        score(dataset)

        assert dataset.count("boxes.detections.dfaulo_suspiciousness") == 6
        assert len(collection.index_information()) == 64

    def test_renaming_moves_attributes_and_the_maximum(self, dataset: Any) -> None:
        score(dataset)
        before = documents(dataset)
        scores = dataset.values("boxes.detections.dfaulo_suspiciousness")

        dataset.rename_brain_run("dfaulo", "mine")

        assert dataset.values("boxes.detections.mine_suspiciousness") == scores
        assert dataset.has_sample_field("mine_suspiciousness")
        assert "dfaulo" not in str(documents(dataset))
        assert len(suspicious_view(dataset.to_patches("boxes"), "mine")) == 6
        assert documents(dataset)[1].get("boxes") is None
        dataset.rename_brain_run("mine", "dfaulo")
        assert documents(dataset) == before

    def test_a_second_run_replaces_the_first(self, dataset: Any) -> None:
        score(dataset)
        score(dataset, embeddings=np.eye(6))

        assert dataset.list_brain_runs() == ["dfaulo"]
        names = dataset.get_field_schema(flat=True)
        assert not [name for name in names if "unfinished" in name]
        assert dataset.count("boxes.detections.dfaulo_suspiciousness") == 6

    def test_a_failure_while_writing_leaves_all_as_it_was(
        self, dataset: Any, unchanged: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        check = unchanged(dataset)

        def fail(*_: Any, **__: Any) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(Storage, "create_index", fail)
        with pytest.raises(OSError, match="disk full"):
            score(dataset)
        check()

    def test_an_object_that_vanishes_meanwhile_is_told(
        self, dataset: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from fiftyone_dfaulo.adapter.scoring import compute

        gone = dataset.first().boxes.detections[0].id
        write = compute.write_run

        def delete_and_write(*args: Any, **kwargs: Any) -> None:
            dataset.delete_labels(ids=[gone])
            write(*args, **kwargs)

        monkeypatch.setattr(compute, "write_run", delete_and_write)

        assert score(dataset).vanished == [gone]

    def test_the_sidebar_can_filter_by_what_is_on_the_objects(
        self, dataset: Any
    ) -> None:
        score(dataset)

        schema = dataset.get_field_schema(flat=True)
        kinds = {part: type(schema[f"boxes.detections.dfaulo_{part}"]) for part in KEYS}
        assert kinds == {
            "suspiciousness": fo.FloatField,
            "suggestion": fo.StringField,
            "reasons": fo.ListField,
        }


class TestViews:
    def test_samples_are_sorted_by_their_maximum_and_patches_by_their_own(
        self, digits: Any
    ) -> None:
        samples = suspicious_view(digits, limit=5)
        patches = suspicious_view(digits.to_patches("boxes"), limit=5)

        flat = digits.values("boxes.detections.dfaulo_suspiciousness", unwind=True)
        highest = sorted(flat, reverse=True)[:5]
        assert patches.values("boxes.dfaulo_suspiciousness") == highest
        assert samples.values("dfaulo_suspiciousness")[0] == highest[0]
        assert len(samples) == 5

    def test_a_floor_leaves_out_patches_and_samples_below(self, digits: Any) -> None:
        flat = digits.values("boxes.detections.dfaulo_suspiciousness", unwind=True)
        tops = digits.values("dfaulo_suspiciousness")

        patches = suspicious_view(digits.to_patches("boxes"), min_suspiciousness=0.5)
        samples = suspicious_view(digits, min_suspiciousness=0.5)

        assert len(patches) == sum(s >= 0.5 for s in flat)
        assert len(samples) == sum(s >= 0.5 for s in tops)
