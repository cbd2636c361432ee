"""That views which show other classes than the dataset holds are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

from fiftyone_dfaulo import (
    apply_suggestions,
    compute_suspiciousness,
    evaluate_ranking,
    export_review,
    inject_faults,
    record_verdicts,
    revert_suggestions,
    review_status,
    save_gallery,
    suspicious_view,
    tag_suspicious,
    update_suspiciousness,
)
from fiftyone_dfaulo.adapter.reading.label_fields import check_label_field
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.errors import InputError
from tests.tagged import as_tags

REFUSED = "this view changes the labels"
UPPER = F("label").upper()

WHOLE: dict[str, Callable[[Any], Any]] = {
    "map_labels": lambda d: d.map_labels("ground_truth", {"a": "z"}),
    "map_labels before other stages": lambda d: d.map_labels(
        "ground_truth", {"a": "z"}
    ).limit(3),
    "map_values": lambda d: d.map_values("ground_truth.label", {"a": "z"}),
    "set_field of the class": lambda d: d.set_field("ground_truth.label", UPPER),
    "set_field of the label": lambda d: d.set_field("ground_truth", F("other")),
    "concat": lambda d: d.limit(1).concat(d.map_labels("ground_truth", {"a": "z"})),
    "mongo": lambda d: d.mongo([{"$set": {"ground_truth.label": "z"}}]),
}

USES: dict[str, Callable[[Any, Any], Any]] = {
    "record_verdicts": lambda v, _: record_verdicts(v, faulty=v.values("id")[:1]),
    "ids": lambda v, d: record_verdicts(d, faulty=v),
    "update_suspiciousness": lambda v, _: update_suspiciousness(v),
    "review_status": lambda v, _: review_status(v),
    "suspicious_view": lambda v, _: suspicious_view(v),
    "tag_suspicious": lambda v, _: tag_suspicious(v, top=1),
    "apply_suggestions": lambda v, _: apply_suggestions(v),
    "revert_suggestions": lambda v, _: revert_suggestions(v),
    "export_review": lambda v, _: export_review(v, "never.csv"),
    "save_gallery": lambda v, _: save_gallery(v, path="never.png"),
    "evaluate_ranking": lambda v, _: evaluate_ranking(v, fault_field="fault"),
    "compute_suspiciousness": lambda v, _: compute_suspiciousness(
        v, embeddings="emb", overwrite=True
    ),
    "inject_faults": lambda v, _: inject_faults(v, in_place=True),
}


@pytest.fixture
def dataset(make_dataset: Any) -> Any:
    dataset = make_dataset(["a", "b", "a", "b"])
    dataset.set_values("other", [fo.Classification(label="q") for _ in range(4)])
    return dataset


@pytest.mark.parametrize("how", WHOLE)
def test_every_stage_that_changes_a_label_is_named(dataset: Any, how: str) -> None:
    with pytest.raises(InputError, match=REFUSED):
        check_label_field(WHOLE[how](dataset), "ground_truth")


@pytest.mark.parametrize(
    "how",
    [
        lambda d: d.map_labels("other", {"q": "z"}),
        lambda d: d.set_field("ground_truth.confidence", 0.5),
        lambda d: d.match(F("ground_truth.label") == "a"),
        lambda d: d.mongo([{"$project": {"ground_truth": True, "filepath": 1}}]),
        lambda d: d.map_labels("ground_truth", {"a": "z"}).clone(),
    ],
)
def test_other_stages_and_copies_are_accepted(dataset: Any, how: Any) -> None:
    view = how(dataset)
    check_label_field(view, "ground_truth")
    if isinstance(view, fo.Dataset):
        view.delete()


@pytest.mark.parametrize("use", USES)
def test_nothing_is_done_with_such_a_view(
    dataset: Any, make_results: Any, unchanged: Any, use: str
) -> None:
    write_run(make_results(dataset))
    record_verdicts(dataset, faulty=dataset.values("id")[:1])
    check_same = unchanged(dataset)
    with pytest.raises(InputError, match=REFUSED):
        USES[use](dataset.map_labels("ground_truth", {"a": "z"}), dataset)
    check_same()


def test_objects(dataset: Any) -> None:
    boxes = [fo.Detection(label="a", bounding_box=[0, 0, 1, 1]) for _ in range(4)]
    dataset.set_values("boxes", [fo.Detections(detections=[box]) for box in boxes])
    labels = "boxes.detections.label"
    upper = F("detections").map(F().set_field("label", UPPER))
    for view in (
        dataset.map_labels("boxes", {"a": "z"}),
        dataset.map_labels("boxes", {"a": "z"}).to_patches("boxes"),
        dataset.to_patches("boxes").map_labels("boxes", {"a": "z"}),
        dataset.set_field(labels, UPPER),
        dataset.set_field("boxes.detections", upper),
    ):
        with pytest.raises(InputError, match=REFUSED):
            check_label_field(view, "boxes")
    check_label_field(dataset.filter_labels("boxes", F("label") == "a"), "boxes")
    check_label_field(dataset.to_patches("boxes"), "boxes")


def test_several_labels(dataset: Any) -> None:
    dataset.set_values("tags_of", [as_tags("ab") for _ in range(4)])
    with pytest.raises(InputError, match=REFUSED):
        check_label_field(dataset.map_labels("tags_of", {"a": "z"}), "tags_of")
    check_label_field(dataset, "tags_of")


def test_frames(videos: Any) -> None:
    mapped = videos.map_labels("frames.label", {"a": "z"})
    for view in (
        mapped.to_frames(sample_frames=True),
        videos.to_frames(sample_frames=True).map_labels("label", {"a": "z"}),
    ):
        with pytest.raises(InputError, match=REFUSED):
            check_label_field(view, "label")
