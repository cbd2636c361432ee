"""What is kept of a run's state, and that it is what the dataset says at any time."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import (
    audit_view,
    compute_suspiciousness,
    record_verdicts,
    update_suspiciousness,
)
from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.adapter.review.state import kept as state
from fiftyone_dfaulo.adapter.review.state.items import ReviewState
from fiftyone_dfaulo.adapter.storage import packed
from tests.objects import paste_digits


def read(dataset: Any, *, recent: bool) -> ReviewState:
    review = open_review(dataset, "dfaulo", recent=recent)
    return state.read_state(review, review.load_results())


def check(dataset: Any) -> None:
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
