"""Objects that were counted twice, in a run without a detector."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import (
    apply_suggestions,
    compute_suspiciousness,
    explain_suspiciousness,
    preview_corrections,
    record_verdicts,
    revert_suggestions,
    review_status,
)
from fiftyone_dfaulo.adapter.results.boxes import NO_OBJECT
from fiftyone_dfaulo.adapter.review.session import open_review
from tests.boxes import raw


@pytest.fixture
def twins(make_dataset: Any) -> Any:
    """20 images of two objects each, and a third box around one of them; scored."""
    dataset = make_dataset(["x"] * 20)
    dataset.set_values("filepath", [dataset.first().filepath] * 20)  # one file for all
    places = [[0.1, 0.1, 0.3, 0.3], [0.5, 0.5, 0.3, 0.3]]
    for sample in dataset:
        some = [fo.Detection(label=one, bounding_box=b) for one, b in zip("ab", places)]
        sample["boxes"] = fo.Detections(detections=some)
        sample.save()
    first = dataset.first()
    twin = fo.Detection(label="a", bounding_box=[0.11, 0.1, 0.3, 0.3])
    first.boxes.detections.append(twin)
    first.save()
    objects = dataset.values("boxes.detections", unwind=True)
    vectors = np.random.default_rng(51).normal(size=(len(objects), 4))
    vectors[:, 0] += [9.0 * (one.label == "a") for one in objects]
    compute_suspiciousness(dataset, "boxes", embeddings=vectors, progress=False)
    return dataset


def removable(dataset: Any) -> str:
    """The only object that is to be removed."""
    objects = dataset.values("boxes.detections", unwind=True)
    (found,) = [one.id for one in objects if one.dfaulo_suggestion == NO_OBJECT]
    return str(found)


def test_each_run_on_detections_finds_what_was_counted_twice(twins: Any) -> None:
    twins.reload()
    objects = twins.values("boxes.detections", unwind=True)
    found = [one.id for one in objects if "counted twice" in one.dfaulo_reasons]
    first = twins.first()
    boxes = first.boxes.detections
    assert found == [removable(twins)]
    assert found[0] in {boxes[0].id, boxes[2].id}
    assert first.id == twins.sort_by("dfaulo_suspiciousness").last().id
    results = twins.load_brain_results("dfaulo")
    assert "About 1 object was probably counted twice." in results.notes
    why = explain_suspiciousness(twins, ids=found)[found[0]]
    assert why.words[0].startswith("Labelled a. Counted twice (")


def test_it_is_removed_and_put_back_byte_for_byte(twins: Any) -> None:
    extra, before = removable(twins), raw(twins)
    record_verdicts(twins, faulty=[extra])
    (group,) = preview_corrections(twins).groups
    assert (group.given, group.new, group.ids) == ("a", NO_OBJECT, [extra])

    assert apply_suggestions(twins).applied == 1

    first = twins.first()
    assert extra not in [one.id for one in first.boxes.detections]
    assert [one.id for one in first.dfaulo_removed.detections] == [extra]
    status = review_status(twins)
    assert (status.faulty, status.corrected, status.stale) == (1, 1, 0)
    shown = open_review(twins, "dfaulo", "suspiciousness").target.shown(twins)
    assert extra in shown.values("id")

    assert revert_suggestions(twins).reverted == 1
    assert raw(twins) == before


def test_any_object_can_go_and_another_class_is_still_a_class(twins: Any) -> None:
    before = raw(twins)
    one, other = (sample.boxes.detections[1].id for sample in twins[:2])
    apply_suggestions(twins, ids=[one], label=NO_OBJECT)
    apply_suggestions(twins, ids=[other], label="a")

    now = {one.id: one.label for one in twins.values("boxes.detections", unwind=True)}
    assert (one in now, now[other]) == (False, "a")
    assert revert_suggestions(twins).reverted == 2
    assert raw(twins) == before


def test_a_run_without_any_has_no_field_for_them(make_dataset: Any, twins: Any) -> None:
    assert twins.has_field("dfaulo_removed")
    apply_suggestions(twins, ids=[removable(twins)])
    objects = twins.values("boxes.detections", unwind=True)
    vectors = np.random.default_rng(51).normal(size=(len(objects), 4))
    compute_suspiciousness(
        twins, "boxes", brain_key="again", embeddings=vectors, progress=False
    )
    assert not twins.has_field("again_removed")
    twins.rename_brain_run("dfaulo", "first")
    assert revert_suggestions(twins, "first").reverted == 1
    twins.delete_brain_run("first")
    assert not [name for name in twins.get_field_schema() if name.startswith("first_")]
