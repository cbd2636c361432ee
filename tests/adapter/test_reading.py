"""What is read from datasets and views, and which of them are refused."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

from fiftyone_dfaulo.adapter.reading import (
    check_label_field,
    check_samples,
    list_label_fields,
    read_labels,
)
from fiftyone_dfaulo.adapter.writing import write_run
from fiftyone_dfaulo.errors import InputError

LABELS = ["b", None, "a", "b", "c"]


class TestReadLabels:
    def test_ids_paths_and_labels_are_in_the_order_of_the_dataset(
        self, make_dataset: Any
    ) -> None:
        dataset = make_dataset(LABELS)
        ids, paths = dataset.values(["id", "filepath"])

        read = read_labels(dataset, "ground_truth")

        assert read.classes == ["a", "b", "c"]
        assert read.ids == [ids[0], ids[2], ids[3], ids[4]]
        assert read.paths == [paths[0], paths[2], paths[3], paths[4]]
        assert read.labels.tolist() == [1, 0, 1, 2]
        assert read.unlabeled == [ids[1]]

    def test_a_sorted_view_is_read_in_the_order_of_the_ids(
        self, make_dataset: Any
    ) -> None:
        dataset = make_dataset(LABELS)
        view = dataset.sort_by("filepath", reverse=True).match(
            F("ground_truth.label") != "a"
        )
        ids = dataset.values("id")

        read = read_labels(view.limit(3), "ground_truth")

        assert read.ids == [ids[3], ids[4]]
        assert read.classes == ["b", "c"]
        assert read.unlabeled == [ids[1]]

    def test_labels_that_a_view_filters_out_count_as_missing(
        self, make_dataset: Any
    ) -> None:
        view = make_dataset(LABELS).filter_labels(
            "ground_truth", F("label") != "a", only_matches=False
        )

        read = read_labels(view, "ground_truth")

        assert read.classes == ["b", "c"]
        assert len(read.unlabeled) == 2

    def test_a_sample_that_a_view_holds_twice_is_read_once(
        self, make_dataset: Any
    ) -> None:
        dataset = make_dataset(["a", "b", "b"])

        read = read_labels(dataset.concat(dataset[:2]), "ground_truth")

        assert read.ids == dataset.values("id")

    def test_samples_of_one_file_stay_apart(self, make_dataset: Any) -> None:
        dataset = make_dataset(["a", "b"])
        path = dataset.first().filepath
        dataset.add_sample(
            fo.Sample(filepath=path, ground_truth=fo.Classification(label="b"))
        )

        read = read_labels(dataset, "ground_truth")

        assert len(read.ids) == 3
        assert read.paths.count(path) == 2

    def test_no_labels_at_all_are_refused(self, make_dataset: Any) -> None:
        with pytest.raises(InputError, match="none of the 2 samples has a label"):
            read_labels(make_dataset([None, None]), "ground_truth")

    def test_a_single_class_is_refused(self, make_dataset: Any) -> None:
        with pytest.raises(InputError, match="all 2 labels .* are 'a'"):
            read_labels(make_dataset(["a", None, "a"]), "ground_truth")


class TestLabelFields:
    def test_fields_of_labels_are_listed_with_their_numbers_of_labels(
        self, make_dataset: Any
    ) -> None:
        dataset = make_dataset(LABELS)
        dataset.set_values("second", [fo.Classification(label="x")] + 4 * [None])
        dataset.set_values("note", ["text"] * 5)
        dataset.set_values("boxes", [fo.Detections()] * 5)

        assert list_label_fields(dataset) == {
            "ground_truth": 4,
            "second": 1,
            "boxes": 0,
        }
        assert list_label_fields(dataset[1:3]) == {
            "ground_truth": 1,
            "second": 0,
            "boxes": 0,
        }

    def test_what_a_run_suggests_is_not_among_them(
        self, make_dataset: Any, make_results: Any
    ) -> None:
        dataset = make_dataset(["a", "b"])
        write_run(make_results(dataset))

        assert list_label_fields(dataset) == {"ground_truth": 2}
        with pytest.raises(InputError, match="written by the DFauLo run 'dfaulo'"):
            check_label_field(dataset, "dfaulo_suggestion")

    def test_a_missing_field_is_answered_with_those_there_are(
        self, make_dataset: Any
    ) -> None:
        with pytest.raises(InputError, match="no label_field='gt'.*: ground_truth"):
            check_label_field(make_dataset(["a", "b"]), "gt")

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            (fo.Keypoints(), "Keypoints"),
            (fo.Classifications(), "Classifications"),
            ("cat", "StringField"),
            (0.5, "FloatField"),
        ],
    )
    def test_a_field_of_another_type_is_named_with_its_type(
        self, make_dataset: Any, value: Any, kind: str
    ) -> None:
        dataset = make_dataset(["a", "b"])
        dataset.set_values("other", [value, value])

        with pytest.raises(InputError, match=f"'other' is a {kind} field"):
            check_label_field(dataset, "other")

    def test_objects_are_taken_where_they_are_wanted(self, make_dataset: Any) -> None:
        dataset = make_dataset(["a", "b"])
        dataset.set_values("boxes", [fo.Detections(), fo.Detections()])

        check_label_field(dataset, "boxes", objects=True)
        with pytest.raises(InputError, match="'boxes' is a Detections field"):
            check_label_field(dataset, "boxes")

    def test_a_field_inside_another_is_refused(self, make_dataset: Any) -> None:
        with pytest.raises(InputError, match="no label_field='ground_truth.label'"):
            check_label_field(make_dataset(["a", "b"]), "ground_truth.label")

    def test_a_field_that_the_view_leaves_out_is_refused(
        self, make_dataset: Any
    ) -> None:
        view = make_dataset(["a", "b"]).select_fields("tags")

        with pytest.raises(InputError, match="left out of this view"):
            check_label_field(view, "ground_truth")

    def test_a_name_that_is_no_string_is_refused(self, make_dataset: Any) -> None:
        with pytest.raises(InputError, match="label_field=None is a NoneType"):
            check_label_field(make_dataset(["a", "b"]), None)


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
        check_label_field(patches, "boxes", objects=True)
        with pytest.raises(InputError, match="a view of patches"):
            check_label_field(patches, "boxes")
        with pytest.raises(InputError, match="shows patches of 'boxes'"):
            check_label_field(patches, "guesses", objects=True)
        with pytest.raises(InputError, match="a view of evaluation patches"):
            check_samples(dataset.to_evaluation_patches("both"))

    def test_a_view_grouped_by_a_field_is_refused(self, make_dataset: Any) -> None:
        dataset = make_dataset(["a", "b"])

        with pytest.raises(InputError, match="without group_by"):
            check_samples(dataset.group_by("ground_truth.label"))

    def test_videos_and_what_is_cut_from_them_are_refused(
        self, add_dataset: Any
    ) -> None:
        video = fo.Sample(filepath="video.mp4")
        video.frames[1] = fo.Frame(filepath="frame.png")
        dataset = add_dataset(video)
        dataset.set_values("cut", [fo.TemporalDetections()])

        with pytest.raises(InputError, match="the samples are videos"):
            check_samples(dataset)
        with pytest.raises(InputError, match="a view of video frames"):
            check_samples(dataset.to_frames())
        with pytest.raises(InputError, match="a view of video clips"):
            check_samples(dataset.to_clips("cut"))

    @pytest.mark.parametrize(
        ("path", "kind"), [("a.pcd", "point-cloud"), ("a.fo3d", "3d")]
    )
    def test_3d_data_is_refused(self, add_dataset: Any, path: str, kind: str) -> None:
        with pytest.raises(InputError, match=f"media type '{kind}'"):
            check_samples(add_dataset(fo.Sample(filepath=path)))
