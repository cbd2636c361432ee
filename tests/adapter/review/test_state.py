"""What is kept of a run's state, and that it is what the dataset says at any time."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import (
    apply_suggestions,
    audit_view,
    compute_suspiciousness,
    record_verdicts,
    revert_suggestions,
    review_status,
    update_suspiciousness,
)
from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.adapter.review.state import kept as state
from fiftyone_dfaulo.adapter.review.state import reading
from fiftyone_dfaulo.adapter.review.state.items import ReviewState
from fiftyone_dfaulo.adapter.runs import writer
from fiftyone_dfaulo.adapter.storage import packed
from tests.adapter.process import last_json, run_forked
from tests.objects import paste_digits


def read(dataset: Any, *, recent: bool) -> ReviewState:
    review = open_review(dataset, "dfaulo", recent=recent)
    return state.read_state(review, review.load_results())


def check(dataset: Any) -> ReviewState:
    """What is kept and mended is what all of the dataset says."""
    kept, new = read(dataset, recent=True), read(dataset, recent=False)
    assert kept.numbers.keys() >= new.numbers.keys()
    for field in dataclasses.fields(ReviewState)[1:-1]:
        one, other = getattr(kept, field.name), getattr(new, field.name)
        if field.name == "labels":
            one, other = (
                [s.names[n] if n >= 0 else n for n in s.labels] for s in (kept, new)
            )
        np.testing.assert_array_equal(one, other, field.name)
    return kept


@pytest.fixture(params=["samples", "objects"])
def run(request: Any, make_dataset: Any, tmp_path: Path) -> Any:
    """A run on 60 samples, one without a label, or on 60 objects in fewer samples."""
    vectors = np.random.default_rng(0).random((60, 4))
    if request.param == "samples":
        dataset, field = make_dataset([None, *"abc" * 20]), "ground_truth"
        dataset.set_values("vectors", [vectors[0].tolist(), *vectors.tolist()])
        compute_suspiciousness(dataset, embeddings="vectors", progress=False)
    else:
        dataset, field = paste_digits(tmp_path / "canvases", 60), "boxes"
        compute_suspiciousness(dataset, field, embeddings=vectors, progress=False)
    yield dataset
    if field == "boxes":
        dataset.delete()


def test_what_is_kept_follows_every_change(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "EXPIRY", 1e6)  # seconds: nothing is read anew for it
    check(run)
    objects = run.has_sample_field("boxes")
    ids = open_review(run, "dfaulo").load_results().ids
    record_verdicts(run, faulty=ids[:2], correct=ids[2:5])
    check(run)
    update_suspiciousness(run)
    check(run)
    audit_view(run, size=5)
    check(run)
    assert read(run, recent=True).drawn.sum() >= 5
    applied = apply_suggestions(run, ids=ids[5:9], by="Ada").applied
    now = check(run)
    assert (now.corrected.sum(), now.as_applied.sum()) == (applied, applied)
    revert_suggestions(run, ids=ids[5:6])
    check(run)
    record_verdicts(run, cleared=ids[:1], exclude=ids[9:10], unsure=ids[10:11])
    check(run)
    sample = run.skip(1).first()
    if objects:  # one object goes, one is edited, and then all of a sample go
        sample.boxes.detections.pop(0)
        sample.boxes.detections[0].label = "edited"
        sample.save()
        check(run)
        other = run.skip(2).first()
        other.boxes.detections = []
        other.save()
    else:
        sample.ground_truth.label = "edited"
        sample.save()
    check(run)
    now = read(run, recent=True)
    assert now.number("edited") in now.labels
    before = read(run, recent=True).present.sum()
    # the number of samples stays, so that it does not tell
    run.delete_samples([run.last().id])
    run.add_sample(fo.Sample("new.png"))
    check(run)
    assert read(run, recent=True).present.sum() < before


def test_a_run_that_was_looked_at_once_more_is_not_read_when_it_is_opened(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if run.has_sample_field("boxes"):
        assert open_review(run, "dfaulo").load_results().settled is None
        return
    age(run)
    everything = read(run, recent=False)
    monkeypatch.setattr(state, "SHORT", -1.0)  # as if to read all took long
    monkeypatch.setattr(state, "read_all", None)
    opened = read(run, recent=True)
    assert opened.same(everything)
    assert len(opened.numbers) == len(everything.numbers)


def test_what_was_written_before_it_is_opened_is_seen(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(run)
    monkeypatch.setattr(state, "SHORT", -1.0)
    ids = open_review(run, "dfaulo").load_results().ids

    def check_opened() -> None:
        state._kept.clear()  # as in a server that has just started
        check(run)

    record_verdicts(run, faulty=ids[:2], correct=ids[2:5])
    check_opened()
    apply_suggestions(run, ids=ids[5:9])
    check_opened()
    update_suspiciousness(run)
    audit_view(run, size=5)
    check_opened()
    edit(run, ids[12])
    check_opened()
    run.delete_samples([run.last().id])
    check_opened()
    run.add_sample(fo.Sample("new.png"))
    check_opened()
    run.rename_brain_run("dfaulo", "other")
    run.rename_brain_run("other", "dfaulo")
    check_opened()


def test_a_label_that_is_edited_while_the_run_is_written_is_seen(
    make_dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset([*"abc" * 20])
    vectors = np.random.default_rng(0).random((60, 4))
    write = writer.write_batch

    def edit_before(*given: Any) -> None:
        edit(dataset, dataset.first().id)  # its stamp is older than the run's own
        write(*given)

    monkeypatch.setattr(writer, "write_batch", edit_before)
    compute_suspiciousness(dataset, embeddings=vectors, progress=False)
    monkeypatch.setattr(state, "SHORT", -1.0)
    found = check(dataset)
    assert found.labels[0] == found.number("edited")


def test_only_what_was_written_is_read_again(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "OVERLAP", state.OVERLAP * 0)
    found = []
    aggregate = packed.aggregate

    def counting(*given: Any) -> Any:
        documents = list(aggregate(*given))
        found.extend(one for some in documents for one in some["ids"])
        return iter(documents)

    ids = open_review(run, "dfaulo").load_results().ids
    record_verdicts(run, correct=ids[-1:])  # later than all of the run
    read(run, recent=True)
    record_verdicts(run, faulty=ids[:1])
    monkeypatch.setattr(packed, "aggregate", counting)
    after = read(run, recent=True)
    assert after.verdicts[0] == 1
    assert 0 < len(found) < len(ids) / 2
    found.clear()
    monkeypatch.setattr(state, "SHORT", 0.0)  # as if to read all took long
    state.forget_state(open_review(run, "dfaulo", recent=True))
    read(run, recent=True)
    assert len(found) < len(ids) / 2
    monkeypatch.setattr(state, "SHORT", 1e6)
    state.forget_state(open_review(run, "dfaulo", recent=True))
    read(run, recent=True)
    assert len(found) >= len(ids)


def test_it_is_read_anew_after_a_while_as_not_every_write_shows(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "OVERLAP", state.OVERLAP * 0)
    review = open_review(run, "dfaulo")
    record_verdicts(run, correct=review.load_results().ids[-1:])
    read(run, recent=True)
    path = review.target.path("dfaulo_verdict")
    all_of = {path.replace("detections.", "detections.$[]."): "faulty"}
    review.items.documents.update_many({}, {"$set": all_of})
    assert read(run, recent=True).verdicts[0] == -1
    monkeypatch.setattr(state, "EXPIRY", 0.0)
    assert (read(run, recent=True).verdicts == 1).all()


def test_an_edited_correction_is_corrected_but_not_as_applied(run: Any) -> None:
    results = open_review(run, "dfaulo").load_results()
    differ = results.label_texts() != results.suggestion_texts()
    ids = [results.ids[row] for row in np.flatnonzero(differ)[:3]]
    assert apply_suggestions(run, ids=ids).applied == 3
    before = read(run, recent=True)
    assert (before.corrected.sum(), before.as_applied.sum()) == (3, 3)
    edit(run, ids[0])
    after = check(run)
    assert (after.corrected.sum(), after.as_applied.sum()) == (3, 2)
    assert review_status(run).stale_ids == [ids[0]]
    revert_suggestions(run)
    assert check(run).corrected.sum() == 1


def edit(run: Any, one: str) -> None:
    """Edits the label of an item by hand."""
    if run.has_sample_field("boxes"):
        sample = run[run.select_labels(ids=[one], fields="boxes").first().id]
        (item,) = (some for some in sample.boxes.detections if some.id == one)
        item.label = "edited"
        sample.save()
    else:
        run.set_values("ground_truth.label", {one: "edited"}, key_field="id")


def test_verdicts_are_in_the_order_in_which_they_were_given(run: Any) -> None:
    results = open_review(run, "dfaulo").load_results()
    for verdict, row in (("faulty", 7), ("correct", 3), ("faulty", 5), ("correct", 7)):
        record_verdicts(run, **{verdict: [results.ids[row]]})
    record_verdicts(run, unsure=results.ids[1:2])
    for recent in (True, False):  # row 3 is correct, then 5 faulty, then 7 correct
        found = read(run, recent=recent).verdicts_in_order(results)
        assert found == [False, True, False]


def test_what_another_process_writes_is_seen_at_once(run: Any) -> None:
    ids = open_review(run, "dfaulo").load_results().ids
    assert (read(run, recent=True).verdicts == -1).all()
    code = """
    import json, sys
    import fiftyone as fo
    import fiftyone_dfaulo as dfaulo
    dataset, ids = fo.load_dataset(sys.argv[1]), sys.argv[2:]
    dfaulo.record_verdicts(dataset, faulty=ids[:2], correct=ids[2:], by="Bob")
    print(json.dumps(dfaulo.review_status(dataset).to_dict()))
    """
    there = last_json(run_forked(code, run.name, *ids[:5]))
    now = check(run)
    assert now.count_verdicts()["faulty"] == there["faulty"] == 2
    assert now.count_verdicts()["correct"] == there["correct"] == 3
    record_verdicts(run, faulty=ids[2:3])  # and here we change one of theirs
    assert check(run).verdicts[:5].tolist() == [1, 1, 1, 0, 0]


def age(run: Any) -> None:
    """Lets no sample be new: where one is, all is read."""
    long_ago = {"$set": {"created_at": datetime(2020, 1, 1)}}
    open_review(run, "dfaulo").items.documents.update_many({}, long_ago)


def test_a_state_in_which_nothing_has_changed_is_the_same_one(run: Any) -> None:
    ids = open_review(run, "dfaulo").load_results().ids
    age(run)
    record_verdicts(run, faulty=ids[:1])
    first = read(run, recent=True)
    assert first.once("sum", lambda: 1) == 1
    second = read(run, recent=True)  # what was written is new enough to be read again
    assert second is first
    assert second.once("sum", lambda: 2) == 1
    record_verdicts(run, cleared=ids[:1])
    third = read(run, recent=True)
    assert third.once("sum", lambda: 3) == 3
    assert first.verdicts[0] == 1  # what somebody still looks at stays as it was


def test_a_sample_that_the_run_has_not_scored_makes_nobody_read_all(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.add_sample(fo.Sample("other.png"))
    read(run, recent=True)
    monkeypatch.setattr(state, "OVERLAP", state.OVERLAP * 0)
    read(run, recent=True)
    monkeypatch.setattr(state, "read_all", None)
    other = run.match({"filepath": {"$regex": "other.png"}}).first()
    other["note"] = "edited"
    other.save()
    check_kept = read(run, recent=True)
    monkeypatch.undo()
    assert check_kept.same(read(run, recent=False))


def test_where_most_was_written_all_is_read(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = open_review(run, "dfaulo").load_results().ids
    read(run, recent=True)
    calls = []
    monkeypatch.setattr(
        state, "read_all", lambda *given: calls.append(1) or reading.read_all(*given)
    )
    monkeypatch.setattr(reading, "_IN_ONE_GROUP", 3)
    record_verdicts(run, faulty=ids)
    assert (read(run, recent=True).verdicts == 1).all()
    assert calls == [1]


def test_the_ranking_is_kept_while_the_scores_are_and_follows_them(run: Any) -> None:
    ids = open_review(run, "dfaulo").load_results().ids
    age(run)
    before = check(run)
    order = before.ranked
    record_verdicts(run, faulty=ids[-2:], correct=ids[:2])
    after = check(run)
    assert after is not before
    assert after.ranked is order
    update_suspiciousness(run)
    learned = check(run)
    by_score = sorted(range(len(ids)), key=lambda n: (-learned.scores[n], n))
    assert learned.ranked.tolist() == by_score != order.tolist()
