"""The audit: what is drawn, and what it tells of the number of faults."""

import numpy as np
import pytest

from fiftyone_dfaulo.engine.feedback.audit import (
    STRATA,
    AuditEstimate,
    draw,
    estimate_by_audit,
    shift_to_audit,
    strata,
)
from fiftyone_dfaulo.engine.feedback.learning import shifted


def population(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and faults of which a part has a low score."""
    rng = np.random.default_rng(seed)
    faults = rng.random(count) < 0.08
    odds = rng.normal(np.where(faults & (rng.random(count) < 0.7), 1.0, -4.0), 1.5)
    return 1 / (1 + np.exp(-odds)), faults


def test_strata_follow_the_score_and_share_what_is_uncertain() -> None:
    initial, _ = population(3000, 0)
    stratum = strata(initial)
    assert sorted(set(stratum)) == list(range(STRATA))
    order = np.argsort(-initial)
    assert (np.diff(stratum[order]) >= 0).all()
    sizes = np.bincount(stratum)
    assert (np.diff(sizes) > 0).all()  # few are uncertain, and most are far down


def test_what_is_drawn_is_new_and_even_over_the_strata() -> None:
    initial, _ = population(1000, 1)
    stratum, rng = strata(initial), np.random.default_rng(0)
    drawn = np.zeros(1000, bool)
    first = draw(stratum, drawn, 50, rng)
    assert len(set(first)) == 50
    assert np.bincount(stratum[first]).tolist() == [10] * STRATA
    drawn[first] = True
    second = draw(stratum, drawn, 50, rng)
    assert not drawn[second].any()
    drawn[second] = True
    assert len(draw(stratum, drawn, 2000, rng)) == 900
    assert len(draw(stratum, np.ones(1000, bool), 5, rng)) == 0


def test_each_item_of_a_stratum_is_as_likely_to_be_drawn() -> None:
    stratum = np.repeat(np.arange(STRATA), 6)
    times = np.zeros(30)
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        times[draw(stratum, np.zeros(30, bool), 10, rng)] += 1
    # a third of 2,000, and four deviations
    assert np.abs(times - 2000 / 3).max() < 4 * np.sqrt(2000 * 2 / 9)


def test_the_interval_holds_the_truth_where_scores_are_wrong_too() -> None:
    initial, faults = population(4000, 2)
    held = []
    for seed in range(60):
        drawn = np.zeros(4000, bool)
        drawn[draw(strata(initial), drawn, 100, np.random.default_rng(seed))] = True
        found = estimate_by_audit(initial, drawn, np.where(drawn, faults, -1))
        assert found is not None
        held.append(found.low <= faults.sum() <= found.high)
    assert np.mean(held) >= 0.8


def test_what_is_known_otherwise_bounds_it() -> None:
    initial, faults = population(500, 3)
    drawn = np.zeros(500, bool)
    drawn[draw(strata(initial), drawn, 20, np.random.default_rng(0))] = True
    everything = estimate_by_audit(initial, drawn, faults.astype(np.int8))
    assert everything is not None
    assert everything == pytest.approx((faults.sum(),) * 3)
    some = np.where(drawn | (initial > 0.5), faults, -1)
    bounded = estimate_by_audit(initial, drawn, some)
    assert bounded is not None
    assert bounded.low >= (some == 1).sum()
    assert bounded.high <= 500 - (some == 0).sum()


def test_nothing_is_told_before_each_stratum_was_looked_at() -> None:
    initial, faults = population(500, 4)
    drawn = np.zeros(500, bool)
    none = np.full(500, -1)
    assert estimate_by_audit(initial, drawn, none) is None
    drawn[draw(strata(initial), drawn, 20, np.random.default_rng(0))] = True
    first = np.where(drawn & (strata(initial) == 0), faults, -1)
    assert estimate_by_audit(initial, drawn, first) is None
    # verdicts on others, however many, are no sample
    others = np.where(drawn, -1, faults)
    assert estimate_by_audit(initial, drawn, others) is None


def test_a_stratum_that_is_empty_is_not_waited_for() -> None:
    initial = np.array([0.5, 0.5, 0.5])
    found = estimate_by_audit(initial, np.ones(3, bool), np.array([1, 0, 0]))
    assert found == (1, 1, 1)


def test_scores_that_the_audit_bears_out_stay_as_they_are() -> None:
    scores, verdicts = np.full(100, 0.2), np.full(100, -1, np.int8)
    verdicts[:5] = 1
    said = AuditEstimate(30.0, 23.0, 40.0)  # 5 found, and 95 of .2 make 24
    assert shift_to_audit(scores, verdicts, said) == 0.0


def test_scores_that_it_contradicts_add_up_to_what_it_says() -> None:
    scores = np.linspace(0.01, 0.9, 50)
    verdicts = np.full(50, -1, np.int8)
    verdicts[[0, 1, 49]] = 1, 0, -2
    unchecked = np.flatnonzero(verdicts < 0)
    odds = np.log(scores / (1 - scores))[unchecked]
    shift = shift_to_audit(scores, verdicts, AuditEstimate(41.0, 36.0, 45.0))
    moved = 1 / (1 + np.exp(-odds - shift))
    assert moved.sum() == pytest.approx(40.0)
    assert shifted(scores, shift)[unchecked] == pytest.approx(moved)
    none = AuditEstimate(1.0, 1.0, 1.0)  # the one that was found
    assert shifted(scores, shift_to_audit(scores, verdicts, none)).sum() < 1e-4
