"""The audit of a run: what is drawn and kept, and that the status goes by it."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import (
    InputError,
    RunError,
    audit_view,
    compute_suspiciousness,
    record_verdicts,
    repair,
    review_status,
    update_suspiciousness,
)
from fiftyone_dfaulo.adapter.review.learning import learned_scores
from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.adapter.review.state.kept import read_state
from fiftyone_dfaulo.adapter.runs.writer import write_run


@pytest.fixture
def dataset(make_dataset: Any, make_results: Any) -> Any:
    """301 samples, the first unlabeled; every tenth, and the last 20, are faults."""
    dataset = make_dataset([None, *["a", "b"] * 150])
    scores = np.linspace(0.001, 0.9, 300) ** 4
    write_run(make_results(dataset, suspiciousness=scores))
    return dataset


def faults(dataset: Any) -> set[str]:
    ids = dataset.values("id")
    return {*ids[1::10], *ids[-20:]}


def check(dataset: Any, view: Any) -> None:
    ids, wrong = view.values("id"), faults(dataset)
    record_verdicts(
        dataset,
        faulty=[i for i in ids if i in wrong],
        correct=[i for i in ids if i not in wrong],
    )


def test_what_is_drawn_comes_from_all_over_the_ranking(dataset: Any) -> None:
    view = audit_view(dataset, size=40)
    scores = view.values("dfaulo_suspiciousness")
    assert len(set(view.values("id"))) == 40
    assert None not in scores
    assert min(scores) < 0.1 < 0.4 < max(scores)
    assert scores != sorted(scores, reverse=True)  # no hint at what to expect


def test_an_audit_that_was_interrupted_goes_on(dataset: Any) -> None:
    view = audit_view(dataset, size=20)
    first = view.values("id")
    record_verdicts(dataset, correct=first[:5])
    again = audit_view(dataset, size=20).values("id")
    assert {*first[5:]} < {*again}
    assert not {*first[:5]} & {*again}
    assert len(again) == 20
    status = review_status(dataset)
    assert (status.audited, status.to_audit) == (5, 20)


def test_the_status_goes_by_the_audit(dataset: Any) -> None:
    before = review_status(dataset)
    assert (before.audited, before.to_audit, before.by_audit) == (0, 0, False)
    check(dataset, audit_view(dataset, size=100))
    status = review_status(dataset)
    assert (status.audited, status.to_audit, status.by_audit) == (100, 0, True)
    width = status.high - status.low
    # which samples are drawn goes by their ids: a 90 % interval misses one time in
    # ten (how often is the engine's test), three times its reach hardly ever
    assert abs(status.estimate - len(faults(dataset))) <= 1.5 * width
    assert width < before.high - before.low
    assert status.left == pytest.approx(status.estimate - status.faulty)
    # where all is known, nothing is estimated
    check(dataset, dataset[1:])
    known = review_status(dataset)
    assert known.estimate == known.low == known.high == len(faults(dataset))


def test_verdicts_that_were_given_before_count(dataset: Any) -> None:
    check(dataset, dataset[150:])
    view = audit_view(dataset, size=60)
    before = {*dataset[150:].values("id")}
    assert not before & {*view.values("id")}
    assert len(view) == 60
    status = review_status(dataset)
    assert status.to_audit == 60
    assert status.audited > 20


def test_verdicts_on_others_are_no_sample(dataset: Any) -> None:
    audit_view(dataset, size=20)
    drawn = {*dataset.match(fo.ViewField("dfaulo_audit")).values("id")}
    others = [i for i in dataset.values("id")[1:] if i not in drawn]
    record_verdicts(dataset, faulty=others[:5], correct=others[5:])
    status = review_status(dataset)
    assert (status.audited, status.to_audit, status.by_audit) == (0, 20, False)


def test_when_everything_is_drawn_and_checked_there_is_nothing_left(
    dataset: Any,
) -> None:
    check(dataset, audit_view(dataset, size=500))
    assert review_status(dataset).audited == 300
    with pytest.raises(InputError, match="has a verdict already"):
        audit_view(dataset)


@pytest.mark.parametrize("size", [0, 4, 2.5, "60", None])
def test_a_size_that_makes_no_sense_is_refused_before_anything_is_drawn(
    dataset: Any, size: Any
) -> None:
    with pytest.raises(InputError, match="size"):
        audit_view(dataset, size=size)
    assert not dataset.has_field("dfaulo_audit")


def test_it_goes_with_the_run(dataset: Any) -> None:
    audit_view(dataset, size=20)
    dataset.rename_brain_run("dfaulo", "other")
    assert review_status(dataset, "other").to_audit == 20
    assert dataset.has_field("other_audit")
    assert not repair(dataset)
    dataset.delete_brain_run("other")
    assert not [name for name in dataset.get_field_schema() if "audit" in name]
    with pytest.raises(RunError):
        audit_view(dataset, "other")


def test_what_was_learned_adds_up_to_what_the_audit_says(make_dataset: Any) -> None:
    dataset = make_dataset(["a", "b"] * 200)
    rng = np.random.default_rng(7)
    labels = np.arange(400) % 2
    centres = labels[:, None] * np.full(6, 1.5)
    dataset.set_values("emb", list(centres + rng.normal(size=(400, 6))))
    results = compute_suspiciousness(dataset, embeddings="emb", progress=False)
    assert results.suspiciousness.sum() < 40
    drawn = audit_view(dataset, size=100).values("id")
    # every second label is wrong, all over the ranking: no model could know
    record_verdicts(dataset, faulty=drawn[::2], correct=drawn[1::2])
    update_suspiciousness(dataset)
    said = review_status(dataset)
    learned = np.array(dataset.values("dfaulo_suspiciousness"))
    assert said.by_audit
    assert learned.sum() == pytest.approx(said.estimate, abs=0.5)
    assert dataset.get_brain_info("dfaulo").config.audit_shift > 0
    # what a batch writes later fits in; and the order is that of the verdicts alone
    review = open_review(dataset, "dfaulo")
    state = read_state(review, review.load_results())
    again = learned_scores(review.load_results(), state, review.config.audit_shift)
    assert again.tolist() == learned.tolist()
    alone = learned_scores(review.load_results(), state)
    assert (np.diff(learned[np.argsort(alone)]) >= 0).all()

    record_verdicts(dataset, cleared=drawn)
    update_suspiciousness(dataset)
    assert dataset.values("dfaulo_suspiciousness") == results.suspiciousness.tolist()
    assert dataset.get_brain_info("dfaulo").config.audit_shift == 0
