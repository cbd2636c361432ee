"""Boxes judged by a detector that is trained here, from the call to the dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from bench.box_datasets import add_samples
from bench.boxes import KINDS, Objects
from bench.trained_boxes import NOTHING

from fiftyone_dfaulo import (
    InputError,
    compute_suspiciousness,
    explain_suspiciousness,
)
from fiftyone_dfaulo.adapter.scoring import compute
from fiftyone_dfaulo.adapter.scoring.request import Request
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.boxes.overlaps import intersection_over_union
from fiftyone_dfaulo.engine.boxes.reasons import REASONS
from fiftyone_dfaulo.engine.closeup import training as closeup
from fiftyone_dfaulo.engine.detector import training
from fiftyone_dfaulo.errors import Cancelled
from tests.shapes import draw_shapes, write_shapes

EACH = 3
"""How many faults of each kind there are."""


def make(folder: Path, count: int = 48) -> tuple[Any, Objects]:
    """A dataset of shapes, and these."""
    pixels, shapes = draw_shapes(count)
    shapes = replace(shapes, paths=write_shapes(pixels, folder))
    dataset = fo.Dataset()
    add_samples(dataset, shapes, NOTHING)
    return dataset, shapes


def plant(dataset: Any, shapes: Objects) -> dict[str, list[str]]:
    """Plants faults, one an image. Gives the ids of those of each kind, of missing
    objects those of their samples."""
    ids: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for number, sample in enumerate(dataset.iter_samples(autosave=True)):
        if number >= EACH * len(KINDS):
            break
        kind, objects = KINDS[number // EACH], sample.boxes.detections
        one, other = objects[0], objects[0].copy()
        left, top, width, height = one.bounding_box
        if kind == "class":
            (one.label,) = {*shapes.names} - {one.label}
        elif kind == "misplaced":
            one.bounding_box = [
                left + (0.1 if left < 0.5 else -0.1),
                top,
                width,
                height,
            ]
        elif kind == "spurious":
            taken = {
                (o.bounding_box[0] > 0.48, o.bounding_box[1] > 0.48) for o in objects
            }
            free = next(iter({*product((True, False), repeat=2)} - taken))
            corner = [0.13 + 0.5 * there for there in free]
            one = other
            one.bounding_box = [*corner, width, height]
            objects.append(one)
        elif kind == "doubled":
            other.bounding_box = [left + 0.02, top - 0.01, width, height]
            objects.append(other)
        else:
            objects.remove(one)
        ids[kind].append(sample.id if kind == "missing" else one.id)
    return ids


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Shapes with faults of every kind, scored; and the ids of the faults."""
    dataset, shapes = make(tmp_path_factory.mktemp("shapes"))
    ids = plant(dataset, shapes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "PASSES", 400)
        patch.setattr(closeup, "PASSES", 8_000)
        results = score(dataset)
    yield dataset, ids, results
    dataset.delete()


@pytest.fixture(scope="module")
def alone(scored: Any) -> Any:
    """The same, scored without a detector."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closeup, "PASSES", 8_000)
        return score(scored[0], predictions="look", brain_key="alone")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A dozen images, for a detector that hardly learns."""
    monkeypatch.setattr(training, "PASSES", 8)
    monkeypatch.setattr(closeup, "PASSES", 64)
    monkeypatch.setattr(training, "LEAST", 0.0)
    dataset, _ = make(tmp_path, 12)
    yield dataset
    dataset.delete()


def score(dataset: Any, **changes: Any) -> Any:
    settings = {"predictions": "auto", "progress": False, **changes}
    return compute_suspiciousness(dataset, "boxes", **settings)


class TestFaults:
    @pytest.mark.parametrize("column", range(3), ids=KINDS[:3])
    def test_those_of_each_kind_come_first(self, scored: Any, column: int) -> None:
        _, ids, results = scored
        first = np.argsort(-results.signals[:, column])[:EACH]

        assert {results.ids[n] for n in first} == {*ids[KINDS[column]]}

    def test_of_two_boxes_one_comes_first(self, scored: Any) -> None:
        dataset, ids, results = scored
        first = np.argsort(-results.signals[:, 3])[:EACH]
        owners = dataset.select_labels(ids=[results.ids[n] for n in first])

        assert {*owners.values("id")} == {
            *dataset.select_labels(ids=ids["doubled"]).values("id")
        }

    def test_missing_objects_come_first_with_their_classes(
        self, scored: Any, tmp_path: Path
    ) -> None:
        dataset, ids, results = scored
        right, _ = make(tmp_path)
        names = dict(zip(dataset.values("id"), right.values("boxes.detections.label")))
        right.delete()
        first = sorted(results.missing, key=lambda one: -one.probability)
        seen = {one.sample: one.label for one in first[: EACH + 1]}

        assert {*ids["missing"]} <= {*seen}
        assert all(seen[one] == names[one][0] for one in ids["missing"])

    def test_what_is_written_is_as_with_predictions(self, scored: Any) -> None:
        dataset, _, results = scored
        fields = dataset.get_field_schema()
        gaps = dataset.values("dfaulo_missing.detections.id")
        found = {one for some in gaps for one in some or ()}

        assert {"dfaulo_missing", "dfaulo_better_boxes", "dfaulo_removed"} <= {*fields}
        assert found == {one.id for one in results.missing if one.id}
        assert tuple(results.estimate_by_kind()) == REASONS
        assert results.config.settings["predictions"] == "auto"
        assert dataset.load_brain_results("dfaulo").missing == results.missing


class TestBoxesAlone:
    """``predictions="look"``: the same, without a detector."""

    @pytest.mark.parametrize("column", range(3), ids=KINDS[:3])
    def test_those_of_each_kind_come_first(
        self, scored: Any, alone: Any, column: int
    ) -> None:
        first = np.argsort(-alone.signals[:, column])[:EACH]

        assert {alone.ids[n] for n in first} == {*scored[1][KINDS[column]]}

    def test_nothing_is_missing(self, scored: Any, alone: Any) -> None:
        assert alone.missing == []
        assert alone.estimate_by_kind()[REASONS[-1]] == 0
        assert alone.config.settings["predictions"] == "look"
        assert "Training detectors" not in alone.seconds

    def test_better_boxes_are_nearer_to_where_the_objects_are(
        self, scored: Any, alone: Any, tmp_path: Path
    ) -> None:
        dataset, ids, _ = scored
        right, _ = make(tmp_path)
        truth = dict(zip(dataset.values("id"), right.values("boxes.detections")))
        right.delete()
        rows = {one: row for row, one in enumerate(alone.ids)}
        for sample in dataset.select_labels(ids=ids["misplaced"]):
            (given,) = sample.boxes.detections
            better = alone.better_boxes[rows[given.id]]
            both = np.array([given.bounding_box, better])
            meant = np.array([truth[sample.id][0].bounding_box] * 2)
            before, after = intersection_over_union(both, meant)
            assert after > before + 0.1


class TestRuns:
    def test_the_same_twice(self, small: Any) -> None:
        first, second = (
            score(small, epochs=1),
            score(small, epochs=1, brain_key="again"),
        )

        assert first.suspiciousness.tolist() == second.suspiciousness.tolist()
        assert first.missing == second.missing

    def test_an_earlier_run_is_no_source(self, small: Any) -> None:
        first, over, beside = (
            score(small, epochs=1, embeddings="auto", brain_key=key)
            for key in ("dfaulo", "dfaulo", "again")
        )

        boxes = small.get_field("boxes.detections", leaf=True).get_field_schema()
        assert "dfaulo_better_box" in boxes
        for later in (over, beside):
            assert later.suspiciousness.tolist() == first.suspiciousness.tolist()
            assert later.notes == first.notes

    def test_one_class_is_enough(self, small: Any) -> None:
        names = small.values("boxes.detections.label")
        small.set_values(
            "boxes.detections.label", [["a"] * len(n or ()) for n in names]
        )
        results = score(small, epochs=1)

        assert results.classes == ["a"]
        assert {one.label for one in results.missing} <= {"a"}
        assert results.signals[:, 0].max() == 0

    @pytest.mark.parametrize("embeddings", ["auto", "vectors"])
    def test_embeddings_judge_the_classes_as_well(
        self, small: Any, embeddings: str
    ) -> None:
        rng = np.random.default_rng(1)
        lists = [
            [rng.normal(size=4) + 9 * (one == "disc") for one in some]
            for some in small.values("boxes.detections.label")
        ]
        small.set_values("boxes.detections.vectors", lists, dynamic=True)
        results = score(small, epochs=1, embeddings=embeddings)

        assert results.config.embeddings == embeddings
        told = any("embeddings 'vectors' and the network" in n for n in results.notes)
        assert told == (embeddings == "auto")

    def test_what_a_class_is_compared_with_is_known(self, small: Any) -> None:
        rng = np.random.default_rng(1)
        lists = [
            [rng.normal(size=4) + 9 * (one == "disc") for one in some]
            for some in small.values("boxes.detections.label")
        ]
        small.set_values("boxes.detections.vectors", lists, dynamic=True)
        results = score(small, epochs=1, embeddings="vectors")
        found = explain_suspiciousness(small)
        ids = small.values("boxes.detections.id", unwind=True)

        assert {*found} == {*ids}
        assert {*found} < {*results.ids} or not results.missing
        label = dict(zip(ids, small.values("boxes.detections.label", unwind=True)))
        alike = sum(why.nearest.get(label[one], 0) for one, why in found.items())
        assert alike > 0.8 * sum(sum(why.nearest.values()) for why in found.values())
        assert all(label[i] == w.label for w in found.values() for i in w.like_label)

    def test_damaged_images_are_left_out_and_named(self, small: Any) -> None:
        sample = small.first()
        Path(sample.filepath).write_bytes(b"no image")
        ids = [one.id for one in sample.boxes.detections]
        results = score(small, epochs=1)

        assert ids
        assert {*ids} == {*results.unreadable}
        assert "not an image" in results.unreadable[ids[0]]
        assert not {*ids} & {*results.ids}

    def test_progress_and_cancelling_leave_the_dataset_as_it_was(
        self, small: Any
    ) -> None:
        before = small.get_field_schema(flat=True)
        told: list[tuple[str, float]] = []

        def report(stage: str, fraction: float) -> None:
            told.append((stage, fraction))
            if stage == "Training detectors" and fraction > 0.3:
                raise Cancelled

        request = Request(small, "boxes", Settings(predictions="auto"))
        with pytest.raises(Cancelled):
            compute.run(request, report)
        assert [fraction for _, fraction in told] == sorted(f for _, f in told)
        assert [*small.get_field_schema(flat=True)] == [*before]
        assert not small.list_brain_runs()


class TestRefusals:
    def test_labels_of_whole_images(self, small: Any) -> None:
        small.set_values("one", [fo.Classification(label=n) for n in "ab" * 6])

        with pytest.raises(InputError, match="'one' holds labels of whole images"):
            compute_suspiciousness(small, "one", predictions="auto", progress=False)

    def test_patches(self, small: Any) -> None:
        with pytest.raises(InputError, match="a view of patches"):
            score(small.to_patches("boxes"))

    def test_two_images(self, small: Any) -> None:
        with pytest.raises(InputError, match="2 images have labels .* too few"):
            score(small.limit(2))

    def test_no_boxes(self, small: Any) -> None:
        small.set_values("boxes", [fo.Detections() for _ in small])

        with pytest.raises(InputError, match="none of the 0 objects has a label"):
            score(small, epochs=1)

    def test_no_image_can_be_read(self, small: Any) -> None:
        for path in small.values("filepath"):
            Path(path).unlink()

        with pytest.raises(InputError, match="12 of 12 labelled images could not be"):
            score(small, epochs=1)
        assert not small.list_brain_runs()

    def test_a_detector_that_sees_nothing(
        self, small: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(training, "LEAST", 1.0)

        with pytest.raises(InputError, match="sees none of the"):
            score(small, epochs=1)
