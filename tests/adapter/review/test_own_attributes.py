"""That a label's own attributes survive a correction, and edits of them an undo."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from fiftyone_dfaulo.adapter.corrections.apply import apply_suggestions
from fiftyone_dfaulo.adapter.corrections.revert import revert_suggestions
from fiftyone_dfaulo.adapter.review.status import review_status
from fiftyone_dfaulo.adapter.runs.writer import write_run

WHEN = datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc)


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """Two samples, a and b; the first label has attributes of many types."""
    dataset = make_dataset(["a", "b"])
    first = dataset.first()
    first.ground_truth = fo.Classification(
        occluded=True,
        label="a",
        annotators=["Ada", "Grace"],
        when=WHEN,
        confidence=0.25,
        blur=float("nan"),
        by=fo.DynamicEmbeddedDocument(name="Ada"),
        logits=[1.0, 2.0],
        checks=[fo.DynamicEmbeddedDocument(passed=False)],
        nothing=None,
    )
    first.save()
    write_run(make_results(dataset))
    return dataset


def raw_label(dataset: Any) -> bytes:
    """The first label as the bytes that the database holds."""
    codec = CodecOptions(document_class=RawBSONDocument)
    one = dataset._sample_collection.with_options(codec_options=codec).find_one()
    return bytes(one["ground_truth"].raw)


def correct(dataset: Any) -> Any:
    """The first sample, once its label is corrected to b."""
    done = apply_suggestions(dataset, ids=[dataset.first().id], label="b")
    assert done.applied == 1
    dataset.reload()
    return dataset.first()


def test_they_stay_when_the_class_changes(dataset: Any) -> None:
    before = dataset._sample_collection.find_one()["ground_truth"]
    correct(dataset)
    after = dataset._sample_collection.find_one()["ground_truth"]
    changed = {"_id", "label", "tags", "confidence", "logits"}
    own = before.keys() - changed
    assert {*own} > {"occluded", "annotators", "when", "blur", "by", "checks"}
    assert {n: str(after[n]) for n in own} == {n: str(before[n]) for n in own}
    assert (after["label"], after["tags"]) == ("b", ["corrected"])
    assert after.keys().isdisjoint({"confidence", "logits"})  # of the class before


def test_they_come_back_byte_for_byte(dataset: Any) -> None:
    before = raw_label(dataset)
    correct(dataset)
    assert raw_label(dataset) != before
    assert revert_suggestions(dataset).reverted == 1
    assert raw_label(dataset) == before


def test_they_come_back_byte_for_byte_after_fiftyone_saved_the_sample(
    dataset: Any,
) -> None:
    dataset.add_sample_field("ground_truth.later", fo.StringField)
    before = raw_label(dataset)
    sample = correct(dataset)
    sample.ground_truth.tags.append("seen")
    sample.save()
    sample.ground_truth.tags.remove("seen")
    sample.save()
    assert revert_suggestions(dataset).reverted == 1
    assert raw_label(dataset) == before


def test_an_edit_of_one_is_no_edit_of_the_label_and_stays(dataset: Any) -> None:
    sample = correct(dataset)
    sample.ground_truth.occluded = False
    sample.ground_truth.annotators = None
    sample.ground_truth.by.name = "Grace"
    sample.ground_truth["new"] = 7
    sample.save()
    assert review_status(dataset).stale == 0

    assert revert_suggestions(dataset).reverted == 1

    dataset.reload()
    label = dataset.first().ground_truth
    assert (label.label, label.confidence, label.occluded) == ("a", 0.25, False)
    assert (label.by.name, label.new) == ("Grace", 7)
    stored = dataset._sample_collection.find_one()["ground_truth"]
    assert stored.get("annotators") is None
    assert label.when.replace(tzinfo=timezone.utc) == WHEN


def test_what_an_earlier_version_left_out_comes_back(dataset: Any) -> None:
    before = raw_label(dataset)
    correct(dataset)
    own = ("occluded", "annotators", "when", "blur", "by", "checks", "nothing")
    gone = {f"ground_truth.{name}": "" for name in own}
    first = {"_id": dataset.first()._id}
    dataset._sample_collection.update_one(first, {"$unset": gone})
    assert revert_suggestions(dataset).reverted == 1
    assert raw_label(dataset) == before
