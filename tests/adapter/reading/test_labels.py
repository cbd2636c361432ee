"""What is read from datasets and views."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

from fiftyone_dfaulo.adapter.reading.labels import read_labels
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
        assert read.labels.numbers.tolist() == [1, 0, 1, 2]
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
