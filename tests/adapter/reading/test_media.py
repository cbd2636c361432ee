"""Which datasets and views can be used, and how the others are refused."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import pytest

from fiftyone_dfaulo.adapter.reading.label_fields import check_label_field
from fiftyone_dfaulo.adapter.reading.labels import read_labels
from fiftyone_dfaulo.adapter.reading.media import check_samples
from fiftyone_dfaulo.errors import InputError


@pytest.fixture
def add_dataset() -> Any:
    """Makes a dataset of samples whose files need not exist."""
    made = []

    def add(*samples: fo.Sample, **kwargs: Any) -> fo.Dataset:
        dataset = fo.Dataset(**kwargs)
        made.append(dataset)
        dataset.add_samples(samples)
        return dataset

    yield add
    for dataset in made:
        dataset.delete()


@pytest.fixture
def grouped(add_dataset: Any) -> fo.Dataset:
    """Two groups with the slices ``left`` and ``right`` of images, labelled a and b."""
    samples = []
    for label in "ab":
        group = fo.Group()
        samples += [
            fo.Sample(
                filepath=f"{label}-{side}.png",
                group=group.element(side),
                ground_truth=fo.Classification(label=label),
            )
            for side in ("left", "right")
        ]
    dataset: fo.Dataset = add_dataset(*samples)
    return dataset


class TestCheckSamples:
    def test_a_dataset_and_any_view_of_it_will_do(self, make_dataset: Any) -> None:
        dataset = make_dataset(["a", "b"])

        check_samples(dataset)
        check_samples(dataset.shuffle(seed=51).limit(1))
        check_samples(dataset.select_fields("ground_truth"))

    def test_a_slice_of_a_grouped_dataset_will_do(self, grouped: Any) -> None:
        check_samples(grouped.select_group_slices("right"))

    def test_of_a_grouped_dataset_the_active_slice_is_read(self, grouped: Any) -> None:
        check_samples(grouped)
        left = grouped.select_group_slices("left").values("id")
        assert read_labels(grouped, "ground_truth").ids == sorted(left)

        grouped.group_slice = "right"
        right = grouped.select_group_slices("right").values("id")
        assert read_labels(grouped, "ground_truth").ids == sorted(right)

    def test_an_active_slice_without_images_is_refused_with_those_of_images(
        self, grouped: Any
    ) -> None:
        grouped.add_group_slice("scan", "3d")
        grouped.group_slice = "scan"

        with pytest.raises(InputError, match="set its group_slice.*'left'.*right"):
            check_samples(grouped)

    def test_a_grouped_dataset_without_images_is_refused(
        self, add_dataset: Any
    ) -> None:
        group = fo.Group()
        dataset = add_dataset(fo.Sample(filepath="a.fo3d", group=group.element("scan")))

        with pytest.raises(InputError, match="none of its slices holds images"):
            check_samples(dataset)

    @pytest.mark.parametrize("thing", [None, "dataset", [1, 2]])
    def test_what_is_no_dataset_is_refused(self, thing: Any) -> None:
        with pytest.raises(InputError, match=f"samples is a {type(thing).__name__}"):
            check_samples(thing)

    def test_an_empty_dataset_is_refused(self, add_dataset: Any) -> None:
        with pytest.raises(InputError, match="the dataset is empty"):
            check_samples(add_dataset())

    def test_an_empty_view_is_refused(self, make_dataset: Any) -> None:
        with pytest.raises(InputError, match="the view is empty"):
            check_samples(make_dataset(["a", "b"]).match_tags("none"))

    def test_patches_of_one_field_are_taken_and_pairs_of_patches_are_refused(
        self, make_dataset: Any
    ) -> None:
        dataset = make_dataset(["a", "b"])
        for name in ("boxes", "guesses"):
            boxes = [fo.Detection(label="x", bounding_box=[0, 0, 1, 1]) for _ in "ab"]
            dataset.set_values(name, [fo.Detections(detections=[b]) for b in boxes])
        dataset.evaluate_detections("guesses", gt_field="boxes", eval_key="both")

        check_samples(dataset.to_patches("boxes"))
        patches = dataset.to_patches("boxes")
        check_label_field(patches, "boxes")
        with pytest.raises(InputError, match="a view of patches"):
            check_label_field(patches, "boxes", one_class_a_sample=True)
        with pytest.raises(InputError, match="shows patches of 'boxes'"):
            check_label_field(patches, "guesses")
        with pytest.raises(InputError, match="a view of evaluation patches"):
            check_samples(dataset.to_evaluation_patches("both"))

    def test_a_view_grouped_by_a_field_is_refused(self, make_dataset: Any) -> None:
        dataset = make_dataset(["a", "b"])

        with pytest.raises(InputError, match="without group_by"):
            check_samples(dataset.group_by("ground_truth.label"))

    def test_frames_of_videos_will_do(self, add_dataset: Any) -> None:
        video = fo.Sample(filepath="video.mp4")
        video.frames[1] = fo.Frame(filepath="frame.png")

        check_samples(add_dataset(video).to_frames())

    @pytest.mark.parametrize(
        ("path", "kind"), [("a.pcd", "point-cloud"), ("a.fo3d", "3d")]
    )
    def test_3d_data_is_refused(self, add_dataset: Any, path: str, kind: str) -> None:
        with pytest.raises(InputError, match=f"media type '{kind}'"):
            check_samples(add_dataset(fo.Sample(filepath=path)))
