"""That labels are corrected and brought back, and that no edit is lost."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from fiftyone_dfaulo.adapter.corrections import apply, revert
from fiftyone_dfaulo.adapter.corrections.apply import apply_suggestions
from fiftyone_dfaulo.adapter.corrections.revert import revert_suggestions
from fiftyone_dfaulo.adapter.review.status import review_status
from fiftyone_dfaulo.adapter.review.verdicts import record_verdicts
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.adapter.scoring.checks import check
from fiftyone_dfaulo.adapter.scoring.request import Request
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.errors import InputError, RunError


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """Samples a, b, a, b, of which the first two are marked faulty."""
    dataset = make_dataset(["a", "b", None, "a", "b"])
    first = dataset.first()
    first.ground_truth = fo.Classification(
        label="a", confidence=0.25, logits=[1.0, 2.0], tags=["gold"], weight=3, note="x"
    )
    first.save()
    write_run(make_results(dataset))
    record_verdicts(dataset, faulty=dataset.values("id")[:2])
    return dataset


def raw_labels(dataset: Any) -> list[bytes]:
    """The labels as the bytes that the database holds."""
    codec = CodecOptions(document_class=RawBSONDocument)
    found = dataset._sample_collection.with_options(codec_options=codec).find()
    return [d["ground_truth"].raw for d in found if d.get("ground_truth")]


def labels(dataset: Any) -> list[str | None]:
    return dataset.values("ground_truth.label")


def test_faulty_samples_get_the_suggestion_and_a_tag(dataset: Any) -> None:
    sample = dataset.first()

    done = apply_suggestions(dataset)

    assert (done.applied, done.skipped) == (2, {})
    assert labels(dataset) == ["b", "a", None, "a", "b"]
    assert sample.ground_truth.label == "b"
    assert dataset.values("ground_truth.tags")[:2] == [
        ["gold", "corrected"],
        ["corrected"],
    ]
    assert sample.dfaulo_original_label.label == "a"
    assert sample.dfaulo_original_label.note == "x"


def test_reverting_brings_the_labels_back_byte_for_byte(dataset: Any) -> None:
    before = raw_labels(dataset)
    apply_suggestions(dataset)
    assert raw_labels(dataset) != before

    undone = revert_suggestions(dataset)

    assert (undone.reverted, undone.edited) == (2, [])
    assert raw_labels(dataset) == before
    assert dataset.count("dfaulo_original_label") == 0


def test_reverting_twice_is_harmless_and_says_so(dataset: Any, unchanged: Any) -> None:
    apply_suggestions(dataset)
    revert_suggestions(dataset)
    check_same = unchanged(dataset)

    ids = dataset.values("id")[:2]
    assert str(revert_suggestions(dataset)) == "there are no corrections to take back"
    assert revert_suggestions(dataset, ids=ids).uncorrected == ids
    check_same()


def test_applying_twice_is_skipped_with_the_reason(
    dataset: Any, unchanged: Any
) -> None:
    apply_suggestions(dataset)
    check_same = unchanged(dataset)

    done = apply_suggestions(dataset)

    assert done.applied == 0
    assert set(done.skipped.values()) == {"it is corrected already; revert that first"}
    check_same()


@pytest.mark.parametrize("name", ["label", "tags", "confidence"])
def test_a_label_edited_since_is_left_alone_and_named(dataset: Any, name: str) -> None:
    ids = dataset.values("id")
    apply_suggestions(dataset)
    sample = dataset[ids[0]]
    sample.ground_truth[name] = {"label": "c", "tags": ["x"], "confidence": 1.0}[name]
    sample.save()
    edited = raw_labels(dataset)[0]

    undone = revert_suggestions(dataset)

    assert (undone.reverted, undone.edited) == (1, [ids[0]])
    assert raw_labels(dataset)[0] == edited
    assert sample.dfaulo_original_label.label == "a"


def test_a_tag_that_was_added_since_is_no_edit_and_stays(dataset: Any) -> None:
    apply_suggestions(dataset)
    dataset.limit(2).tag_labels("mine", label_fields="ground_truth")
    assert review_status(dataset).stale == 0

    undone = revert_suggestions(dataset)

    assert (undone.reverted, undone.edited) == (2, [])
    first, second = dataset.values("ground_truth")[:2]
    assert (first.label, first.tags, first.note) == ("a", ["gold", "mine"], "x")
    assert (second.label, second.tags) == ("b", ["mine"])


def test_a_label_removed_since_is_left_alone(dataset: Any) -> None:
    ids = dataset.values("id")
    apply_suggestions(dataset)
    dataset.set_values("ground_truth", {ids[0]: None}, key_field="id")
    assert revert_suggestions(dataset).edited == [ids[0]]


@pytest.mark.parametrize("undo", [False, True])
def test_an_edit_at_the_same_moment_is_not_overwritten(
    dataset: Any, monkeypatch: pytest.MonkeyPatch, undo: bool
) -> None:
    ids = dataset.values("id")
    if undo:
        apply_suggestions(dataset)
    module = revert if undo else apply
    write = module.write

    def edit_first(*arguments: Any, **keywords: Any) -> Any:
        labels = {ids[0]: fo.Classification(label="mine")}
        dataset.set_values("ground_truth", labels, key_field="id")
        return write(*arguments, **keywords)

    monkeypatch.setattr(module, "write", edit_first)
    if undo:
        done = revert_suggestions(dataset)
        assert (done.reverted, done.edited) == (1, [ids[0]])
    else:
        result = apply_suggestions(dataset)
        assert (result.applied, list(result.skipped)) == (1, [ids[0]])
    assert labels(dataset)[0] == "mine"


def test_a_chosen_class_is_set_on_the_samples_given(dataset: Any) -> None:
    ids = dataset.values("id")
    done = apply_suggestions(dataset, ids=ids[3:], label="a")
    assert done.applied == 1
    assert done.skipped == {ids[3]: "its label is 'a' already"}
    assert labels(dataset) == ["a", "b", None, "a", "a"]


def test_no_suggestion_or_no_label_is_skipped(dataset: Any) -> None:
    ids = dataset.values("id")
    dataset.set_values("dfaulo_suggestion", {ids[0]: None}, key_field="id")
    dataset.set_values("ground_truth", {ids[1]: None}, key_field="id")
    done = apply_suggestions(dataset)
    assert done.skipped == {
        ids[0]: "it has no suggestion",
        ids[1]: "it has no label any more",
    }


def test_labels_edited_by_hand_are_only_replaced_when_asked_for(dataset: Any) -> None:
    sample = dataset.first()
    sample.ground_truth.label = "c"
    sample.save()
    done = apply_suggestions(dataset)
    assert done.applied == 1
    assert list(done.skipped) == [sample.id]
    assert "edited since the run" in done.skipped[sample.id]
    assert labels(dataset)[0] == "c"
    assert apply_suggestions(dataset, ids=sample.id).applied == 1
    assert labels(dataset)[0] == "b"
    assert revert_suggestions(dataset).reverted == 2
    assert labels(dataset)[0] == "c"


def test_of_a_view_only_its_own_samples_are_corrected(dataset: Any) -> None:
    assert apply_suggestions(dataset[1:]).applied == 1
    assert revert_suggestions(dataset[:1]).reverted == 0
    assert labels(dataset) == ["a", "a", None, "a", "b"]


def test_originals_are_kept_when_the_run_would_be_replaced(
    dataset: Any, make_results: Any
) -> None:
    ids = dataset.values("id")
    apply_suggestions(dataset)
    both = "2 verdicts and 2 original labels of corrected samples, which replacing it"
    with pytest.raises(RunError, match=both):
        write_run(make_results(dataset))
    record_verdicts(dataset, cleared=ids[:2])
    with pytest.raises(RunError, match="2 original labels of corrected samples"):
        write_run(make_results(dataset))


def test_the_original_labels_belong_to_the_run(dataset: Any) -> None:
    before = raw_labels(dataset)
    apply_suggestions(dataset)
    dataset.rename_brain_run("dfaulo", "new")
    with pytest.raises(InputError, match="is written by the DFauLo run 'new'"):
        check(Request(dataset, "new_original_label", Settings(), "x"))
    assert revert_suggestions(dataset, "new").reverted == 2
    assert raw_labels(dataset) == before
    dataset.delete_brain_run("new")
    assert not dataset.has_sample_field("new_original_label")


@pytest.mark.parametrize("path", ["ground_truth", "ground_truth.label"])
@pytest.mark.parametrize("function", [apply_suggestions, revert_suggestions])
def test_a_read_only_label_field_is_refused(
    dataset: Any, unchanged: Any, function: Any, path: str
) -> None:
    field = dataset.get_field(path)
    field.read_only = True
    field.save()
    check_same = unchanged(dataset)
    with pytest.raises(InputError, match="read-only"):
        function(dataset)
    check_same()


@pytest.mark.parametrize("function", [apply_suggestions, revert_suggestions])
def test_a_missing_label_field_or_run_is_refused(dataset: Any, function: Any) -> None:
    with pytest.raises(RunError, match="no brain run 'other'"):
        function(dataset, "other")
    dataset.delete_sample_field("ground_truth")
    with pytest.raises(RunError, match="label field 'ground_truth' .* was deleted"):
        function(dataset)


@pytest.mark.parametrize("function", [apply_suggestions, revert_suggestions])
def test_ids_outside_the_run_are_refused(
    dataset: Any, unchanged: Any, function: Any
) -> None:
    check_same = unchanged(dataset)
    with pytest.raises(InputError, match="no score for these"):
        function(dataset, ids=dataset.values("id"))
    with pytest.raises(InputError, match="no samples with these ids: nobody"):
        function(dataset, ids=["nobody"])
    function(dataset, ids=[])
    check_same()


@pytest.mark.parametrize(
    "bad", [{"label": "c"}, {"label": " ", "ids": []}, {"verdict": "wrong"}]
)
def test_arguments_that_cannot_be_meant_are_refused(
    dataset: Any, unchanged: Any, bad: Any
) -> None:
    check_same = unchanged(dataset)
    with pytest.raises(InputError):
        apply_suggestions(dataset, **bad)
    check_same()
