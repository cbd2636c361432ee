"""The fields of a view's clone get the run that they are of; those of others cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import pytest

from fiftyone_dfaulo import (
    apply_suggestions,
    compute_suspiciousness,
    export_review,
    record_verdicts,
    repair,
    revert_suggestions,
    review_status,
    suspicious_view,
    tag_suspicious,
    update_suspiciousness,
)
from fiftyone_dfaulo.adapter.runs.repair import look
from fiftyone_dfaulo.adapter.runs.writer import write_run
from tests.boxes import make_boxes, planted
from tests.tagged import as_tags

KEY = "dfaulo"


@pytest.fixture(autouse=True)
def no_copies_left() -> Iterator[None]:
    before = set(fo.list_datasets())
    yield
    for name in set(fo.list_datasets()) - before:
        fo.delete_dataset(name)


@pytest.fixture
def dataset(clusters: Any) -> Any:
    """60 samples with a run, verdicts and a corrected label."""
    compute_suspiciousness(clusters, embeddings="emb", progress=False)
    ids = clusters.values("id")
    record_verdicts(clusters, faulty=[ids[0], ids[42]], correct=ids[1:5])
    assert apply_suggestions(clusters, ids=ids[:1]).applied == 1
    return clusters


def test_a_views_clone_goes_on_with_the_run(dataset: Any, tmp_path: Any) -> None:
    clone = dataset.limit(30).clone()
    whole = dataset.load_brain_results(KEY)
    offered = repair(clone).offered
    assert f"; run 'dfaulo' of dataset '{dataset.name}' did" in offered[0]
    assert clone.list_brain_runs() == []

    found = repair(clone, adopt=True)

    assert found.mended[0].endswith("; adopted")
    assert not found.offered
    assert not repair(clone)
    status = review_status(clone)
    assert (status.scored, status.faulty, status.correct) == (30, 1, 4)
    results = clone.load_brain_results(KEY, cache=False)
    assert results.ids == whole.ids[:30]
    assert results.vanished == []
    assert results.suspiciousness.tolist() == whole.suspiciousness[:30].tolist()
    assert results.estimate().high <= 30
    assert "dfaulo_suspiciousness" in clone.get_index_information()
    assert revert_suggestions(clone).reverted == 1
    assert clone.first().ground_truth.label == "b"
    record_verdicts(clone, faulty=clone.values("id")[21:22])
    update_suspiciousness(clone)
    tag_suspicious(clone, top=3)
    export_review(clone, tmp_path / "review.csv")
    assert len(suspicious_view(clone, unreviewed=True)) == 24


def test_what_is_done_to_one_of_the_two_is_not_done_to_the_other(dataset: Any) -> None:
    clone = dataset.limit(30).clone()
    repair(clone, adopt=True)

    clone.delete_brain_run(KEY)

    assert not any("dfaulo_" in str(d) for d in clone._sample_collection.find())
    assert not repair(clone)
    dataset.reload()
    assert not repair(dataset)
    assert review_status(dataset).faulty == 2
    assert len(dataset.load_brain_results(KEY, cache=False).ids) == 60


def test_it_keeps_the_key_that_it_had_when_the_view_was_cloned(dataset: Any) -> None:
    clone = dataset.limit(30).clone()
    dataset.rename_brain_run(KEY, "second")

    repair(clone, adopt=True)

    assert clone.list_brain_runs() == [KEY]
    assert review_status(clone).faulty == 1
    clone.rename_brain_run(KEY, "third")
    assert review_status(clone, "third").faulty == 1


def test_several_labels_keep_theirs(clusters: Any) -> None:
    labels = clusters.values("ground_truth.label")
    clusters.set_values("many", [as_tags([label]) for label in labels])
    compute_suspiciousness(clusters, "many", embeddings="emb", progress=False)
    clone = clusters.limit(20).clone()

    assert len(repair(clone, adopt=True).mended) == 1

    assert review_status(clone).scored == 20
    clone.delete_brain_run(KEY)
    assert not repair(clone)
    assert "dfaulo_" not in str(list(clone._sample_collection.find()))


def test_boxes_keep_theirs_and_what_is_missing_in_the_samples_that_are_here() -> None:
    given, found, _ = planted(120)
    dataset = make_boxes(given, found)
    compute_suspiciousness(dataset, "boxes", predictions="predictions", progress=False)
    whole = dataset.load_brain_results(KEY)
    clone = dataset.limit(len(dataset) // 2).clone()

    repair(clone, adopt=True)

    results, samples = clone.load_brain_results(KEY, cache=False), clone.values("id")
    paths = ("boxes.detections.id", "dfaulo_missing.detections.id")
    objects = [one for path in paths for one in clone.values(path, unwind=True)]
    assert {*results.ids} == {*objects} & {*whole.ids}
    assert results.missing == [one for one in whole.missing if one.sample in samples]
    assert 0 < len(results.missing) < len(whole.missing)
    assert review_status(clone).scored == len(results.ids)


def test_a_merge_has_samples_of_its_own_and_its_fields_can_only_be_dropped(
    make_dataset: Any, make_results: Any
) -> None:
    dataset = make_dataset(["a", "b", "a", "b", "a"])
    write_run(make_results(dataset))
    merged = fo.Dataset()
    merged.add_samples([fo.Sample(filepath="/nowhere/other.png")])
    merged.merge_samples(dataset)
    held = merged.values("id")
    assert not set(held) & set(dataset.values("id"))

    found = repair(merged, adopt=True)

    assert not found.mended
    assert "no run is here" in found.offered[0]
    assert repair(merged, drop=True).mended
    assert not repair(merged)


def test_a_clone_of_patches_has_other_fields_which_can_only_be_dropped() -> None:
    dataset = make_boxes(*planted(60)[:2])
    compute_suspiciousness(dataset, "boxes", predictions="predictions", progress=False)
    clone = dataset.to_patches("boxes").clone()

    assert repair(clone, adopt=True).mended == []
    assert clone.list_brain_runs() == []
    repair(clone, drop=True)
    assert not repair(clone)


def test_without_the_other_dataset_or_its_run_there_is_nothing_to_adopt(
    dataset: Any,
) -> None:
    clone = dataset.limit(30).clone()
    dataset.delete_brain_run(KEY)
    found = repair(clone, adopt=True)
    assert not found.mended
    assert "did" not in found.offered[0]
    repair(clone, adopt=True, drop=True)
    assert not repair(clone)


def test_a_key_that_is_taken_is_not_replaced(dataset: Any) -> None:
    clone = dataset.limit(30).clone()
    compute_suspiciousness(clone, embeddings="emb", progress=False, overwrite=True)
    assert not repair(clone, adopt=True)
    assert review_status(clone).faulty == 0


def test_looking_finds_the_same_and_changes_nothing(
    dataset: Any, unchanged: Any
) -> None:
    clone = dataset.limit(30).clone()
    check = unchanged(clone)
    assert [one.what for one in look(clone)] == repair(clone).offered
    assert look(dataset) == []
    check()
