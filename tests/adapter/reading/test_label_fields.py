"""Which fields can be scored, and how the others are refused."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import pytest

from fiftyone_dfaulo.adapter.reading.label_fields import (
    check_label_field,
    list_label_fields,
)
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.errors import InputError

LABELS = ["b", None, "a", "b", "c"]


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
            check_label_field(dataset, "other", one_class_a_sample=True)

    def test_objects_are_taken_where_they_are_wanted(self, make_dataset: Any) -> None:
        dataset = make_dataset(["a", "b"])
        dataset.set_values("boxes", [fo.Detections(), fo.Detections()])

        check_label_field(dataset, "boxes")
        with pytest.raises(InputError, match="'boxes' is a Detections field"):
            check_label_field(dataset, "boxes", one_class_a_sample=True)

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
