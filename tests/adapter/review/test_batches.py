"""The next batch: what is in it, and when the ranking learns first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fiftyone_dfaulo import (
    audit_view,
    compute_suspiciousness,
    record_verdicts,
    review_status,
    suspicious_view,
)
from fiftyone_dfaulo.adapter.review import batches
from fiftyone_dfaulo.adapter.review.batches import take_batch
from fiftyone_dfaulo.adapter.review.learning import learned_scores
from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.adapter.review.state.kept import read_state

SIZE = 20


@pytest.fixture
def mixed(make_dataset: Callable[..., Any]) -> Any:
    """400 samples of 4 classes that overlap; half of all c are called d."""
    rng = np.random.default_rng(51)
    true = np.repeat(np.arange(4), 100)
    vectors = rng.normal(size=(400, 4)) + 2.2 * np.eye(4)[true]
    labels = true.copy()
    labels[200:250] = 3
    labels[rng.choice(200, 20, replace=False)] = rng.integers(0, 4, 20)
    dataset = make_dataset(["abcd"[k] for k in labels])
    dataset.set_values("vectors", vectors.tolist())
    dataset.set_values("wrong", (true != labels).tolist())
    compute_suspiciousness(dataset, embeddings="vectors", progress=False)
    return dataset


def test_a_batch_is_the_top_of_the_ranking_and_expects_its_faults(mixed: Any) -> None:
    batch = take_batch(open_review(mixed, "dfaulo"), SIZE)
    assert batch.ids == suspicious_view(mixed, limit=SIZE).values("id")
    assert not batch.learned
    right = mixed.select(batch.ids).values("wrong").count(True)
    assert abs(batch.faults - right) < 0.5 * SIZE


def test_the_summary_of_a_run_and_its_review_count_the_same(mixed: Any) -> None:
    told, status = mixed.load_brain_results("dfaulo").summary(), review_status(mixed)
    assert told["scored"] == status.scored
    assert (told["estimated_faults"], told["faults_low"], told["faults_high"]) == (
        round(status.estimate),
        round(status.low),
        round(status.high),
    )


def test_the_ranking_learns_where_that_brings_a_fault_and_not_where_it_does_not(
    mixed: Any,
) -> None:
    top = suspicious_view(mixed, limit=SIZE)
    record_verdicts(mixed, correct=top.values("id")[:1])
    before = mixed.values("dfaulo_suspiciousness")
    batch = take_batch(open_review(mixed, "dfaulo"), SIZE)
    assert not batch.learned
    assert mixed.values("dfaulo_suspiciousness") == before

    ids, looks = suspicious_view(mixed, limit=60).values(
        ["id", "dfaulo_suggestion.label"]
    )
    faulty = [one for one, look in zip(ids, looks) if look == "c"]
    record_verdicts(mixed, faulty=faulty, correct={*ids} - {*faulty})
    as_was = suspicious_view(mixed, limit=SIZE, unreviewed=True).values("id")
    batch = take_batch(open_review(mixed, "dfaulo"), SIZE)
    assert batch.learned
    assert batch.gain > 0
    assert batch.ids != as_was
    mixed.reload()
    assert batch.ids == suspicious_view(mixed, limit=SIZE, unreviewed=True).values("id")


def test_a_batch_of_a_part_is_what_a_view_of_it_would_show(mixed: Any) -> None:
    review = open_review(mixed, "dfaulo")
    ranked = suspicious_view(mixed)
    given, looks, scores, reasons = ranked.values(
        [
            "ground_truth.label",
            "dfaulo_suggestion.label",
            "dfaulo_suspiciousness",
            "dfaulo_reasons",
        ]
    )
    ids = ranked.values("id")
    reason = next(r for some in reasons for r in some)
    cases: list[tuple[dict[str, Any], list[bool]]] = [
        (
            {"given": "d", "looks_like": "c"},
            [(g, k) == ("d", "c") for g, k in zip(given, looks)],
        ),
        (
            {"alike": ["d", "c"]},
            [(g, k) in (("d", "c"), ("c", "d")) for g, k in zip(given, looks)],
        ),
        ({"low": 0.2, "high": 0.6}, [0.2 <= s < 0.6 for s in scores]),
        ({"reason": reason}, [reason in some for some in reasons]),
        ({"reason": "none of ours"}, [False] * len(ids)),
    ]
    for part, expected in cases:
        some = [one for one, is_in in zip(ids, expected) if is_in]
        assert take_batch(review, 400, part).ids == some
        assert take_batch(review, 400, part, ids[:50]).ids == [
            one for one in some if one in ids[:50]
        ]


def test_few_scores_are_written_for_a_batch_and_the_top_is_right(
    mixed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, looks = suspicious_view(mixed, limit=60).values(
        ["id", "dfaulo_suggestion.label"]
    )
    faulty = [one for one, look in zip(ids, looks) if look == "c"]
    record_verdicts(mixed, faulty=faulty, correct={*ids} - {*faulty})
    before = mixed.values("dfaulo_suspiciousness")
    review = open_review(mixed, "dfaulo")
    results = review.load_results()
    state = read_state(review, results)
    learned = learned_scores(results, state)
    assert (learned != before).sum() > 90
    monkeypatch.setattr(batches, "MOST", 50)

    batch = take_batch(review, SIZE)

    assert batch.learned
    mixed.reload()
    after = np.array(mixed.values("dfaulo_suspiciousness"))
    checked = state.verdicts >= 0
    assert (after != before)[~checked].sum() == 50
    np.testing.assert_array_equal(after[checked], learned[checked])
    left = np.maximum(learned, before)[after != learned].max()
    np.testing.assert_array_equal(after[after > left], learned[after > left])
    assert (after[~checked] > left).sum() >= SIZE
    assert batch.ids == suspicious_view(mixed, limit=SIZE, unreviewed=True).values("id")


def test_near_duplicates_stand_together_unless_one_is_no_part(mixed: Any) -> None:
    ids, labels, vectors = mixed.values(["id", "ground_truth.label", "vectors"])
    vectors[250] = vectors[0]
    mixed.set_values("vectors", vectors)
    compute_suspiciousness(mixed, embeddings="vectors", progress=False)
    review = open_review(mixed, "dfaulo")
    twin = review.load_results().near_duplicates
    assert twin == {ids[0]: ids[250], ids[250]: ids[0]}
    score = dict(zip(ids, mixed.values("dfaulo_suspiciousness")))
    first, second = sorted(twin, key=lambda one: -score[one])
    ranked = suspicious_view(mixed).values("id")
    size = ranked.index(first) + 2
    assert ranked.index(second) >= size  # it would not be in this batch

    batch = take_batch(review, size)
    assert batch.ids == [*ranked[: size - 1], second]
    label = dict(zip(ids, labels))[first]
    assert second not in take_batch(review, size, {"given": label}).ids

    record_verdicts(mixed, correct=[second])
    assert take_batch(open_review(mixed, "dfaulo"), size).ids == ranked[:size]


def test_unsure_is_asked_of_nobody_again_teaches_nothing_and_counts_as_unchecked(
    mixed: Any,
) -> None:
    ranked = suspicious_view(mixed).values("id")
    record_verdicts(mixed, faulty=ranked[:5], correct=ranked[5:7])
    before, asked = review_status(mixed), take_batch(open_review(mixed, "dfaulo"), SIZE)
    doubtful, *others = asked.ids

    changed = record_verdicts(mixed, unsure=[doubtful], by="Ada")
    assert changed == {
        **dict.fromkeys(("faulty", "correct", "cleared", "unchanged"), 0),
        "unsure": 1,
    }
    assert mixed[doubtful].dfaulo_history[-1]["verdict"] == "unsure"
    after = review_status(mixed)
    assert (after.unsure, after.unchecked) == (1, before.unchecked - 1)
    assert after.estimate == before.estimate
    review = open_review(mixed, "dfaulo")
    assert take_batch(review, SIZE).ids[: SIZE - 1] == others
    assert doubtful not in suspicious_view(mixed, unreviewed=True).values("id")
    results, state = review.load_results(), read_state(review, review.load_results())
    none = replace(state, verdicts=np.maximum(state.verdicts, -1))
    assert (learned_scores(results, state) == learned_scores(results, none)).all()
    drawn = {*audit_view(mixed, size=200).values("id")}
    assert doubtful not in drawn
    record_verdicts(mixed, unsure=drawn)
    status = review_status(mixed)
    assert (status.to_audit, status.unsure) == (0, 1 + len(drawn))


def test_what_is_excluded_is_neither_found_nor_correct_nor_to_be_found(
    mixed: Any,
) -> None:
    ranked = suspicious_view(mixed).values("id")
    record_verdicts(mixed, faulty=ranked[:5], correct=ranked[5:7])
    before, asked = review_status(mixed), take_batch(open_review(mixed, "dfaulo"), SIZE)
    alien, *others = asked.ids
    count = len(mixed)

    changed = record_verdicts(mixed, exclude=[alien], by="Ada")
    assert changed["exclude"] == 1
    assert mixed[alien].dfaulo_history[-1]["verdict"] == "exclude"
    assert len(mixed) == count  # nothing is deleted
    after = review_status(mixed)
    assert (after.excluded, after.unchecked) == (1, before.unchecked - 1)
    same = ("scored", "found", "correct", "precision", "unsure")
    assert [getattr(after, n) for n in same] == [getattr(before, n) for n in same]
    assert 0 < before.estimate - after.estimate < 2  # a likely one
    review = open_review(mixed, "dfaulo")
    assert take_batch(review, SIZE).ids[: SIZE - 1] == others
    assert alien not in suspicious_view(mixed, unreviewed=True).values("id")
    results, state = review.load_results(), read_state(review, review.load_results())
    none = replace(state, verdicts=np.maximum(state.verdicts, -1))
    np.testing.assert_array_equal(
        learned_scores(results, state), learned_scores(results, none)
    )

    record_verdicts(mixed, cleared=[alien])
    assert review_status(mixed) == before


def test_an_audit_takes_what_is_excluded_for_no_fault(mixed: Any) -> None:
    drawn = audit_view(mixed, size=100)
    ids, wrong = drawn.values(["id", "wrong"])
    faulty = [one for one, is_wrong in zip(ids, wrong) if is_wrong]
    record_verdicts(mixed, faulty=faulty, correct={*ids} - {*faulty})
    before = review_status(mixed)
    right = next(one for one, is_wrong in zip(ids, wrong) if not is_wrong)
    record_verdicts(mixed, exclude=[right])
    after = review_status(mixed)
    assert after.by_audit
    assert (after.audited, after.to_audit) == (100, 0)
    assert (after.estimate, after.low, after.high) == (
        before.estimate,
        before.low,
        before.high,
    )
