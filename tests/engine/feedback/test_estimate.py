"""The number of faults: what verdicts do to the estimate and to its interval."""

import numpy as np
import pytest
from scipy.special import expit

from fiftyone_dfaulo.engine.feedback import estimate
from fiftyone_dfaulo.engine.feedback.estimate import estimate_faults


def scored(shift=0.0, slope=1.0, count=4000, seed=0):
    """Scores and faults whose log-odds are shift + slope times those of the score."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-2.0, 2.5, count)
    faults = rng.random(count) < expit(shift + slope * odds)
    return expit(odds), faults


def checked_from_the_top(initial, faults, count):
    verdicts = np.full(len(initial), -1, np.int8)
    top = np.argsort(-initial, kind="stable")[:count]
    verdicts[top] = faults[top]
    return verdicts


@pytest.mark.parametrize("checked", [0, 1, 2, 50, 3999, 4000])
def test_the_numbers_are_in_order_and_finite(checked):
    initial, faults = scored()
    initial[:2] = 0.0, 1.0
    verdicts = checked_from_the_top(initial, faults, checked)
    found = estimate_faults(initial, verdicts)
    assert found.found == (verdicts == 1).sum()
    assert found.found <= found.low <= found.count <= found.high
    assert found.high <= found.found + (verdicts < 0).sum()
    assert found.left == pytest.approx(found.count - found.found)


def test_when_all_is_checked_the_count_is_that_of_the_faulty():
    initial, faults = scored(count=300)
    found = estimate_faults(initial, faults.astype(np.int8))
    assert (found.count, found.left) == (faults.sum(), 0)
    assert (found.low, found.high) == (faults.sum(), faults.sum())
    assert found.next_batch(50) == 0


@pytest.mark.parametrize(("shift", "slope"), [(0, 1), (-1, 1.5), (1, 0.8), (-2, 1)])
def test_verdicts_narrow_the_interval_around_the_truth(shift, slope):
    initial, faults = scored(shift, slope)
    nothing = np.full(len(initial), -1, np.int8)
    before = estimate_faults(initial, nothing)
    after = estimate_faults(initial, checked_from_the_top(initial, faults, 400))
    assert after.low <= faults.sum() <= after.high
    assert after.high - after.low < before.high - before.low


@pytest.mark.parametrize(("shift", "slope"), [(0, 1), (-1, 1.5), (-2, 1)])
def test_before_any_verdict_the_interval_is_wide_and_holds_the_truth(shift, slope):
    initial, faults = scored(shift, slope)
    before = estimate_faults(initial, np.full(len(initial), -1, np.int8))
    assert before.low <= faults.sum() <= before.high
    assert before.high > 5 * before.low


def test_correct_verdicts_at_the_top_lower_the_estimate():
    initial, _ = scored()
    faulty = checked_from_the_top(initial, np.ones(len(initial)), 50)
    correct = checked_from_the_top(initial, np.zeros(len(initial)), 50)
    assert (
        estimate_faults(initial, correct).left < estimate_faults(initial, faulty).left
    )


def test_the_next_batch_adds_up_and_is_richest_at_the_top():
    initial, faults = scored()
    found = estimate_faults(initial, checked_from_the_top(initial, faults, 100))
    steps = np.diff([found.next_batch(size) for size in range(200)])
    assert found.next_batch(0) == 0
    assert np.all(np.diff(steps) <= 1e-12)
    assert np.all((steps >= 0) & (steps <= 1))
    assert found.next_batch(10**6) == found.next_batch(len(initial) - 100)


def test_the_next_batch_is_of_the_unchecked_that_are_shown_first():
    initial, faults = scored()
    verdicts = checked_from_the_top(initial, faults, 100)
    found = estimate_faults(initial, verdicts)
    open_ = np.flatnonzero(verdicts == -1)
    shown = open_[np.argsort(-initial[open_], kind="stable")]
    for size in (1, 50, 10**6):
        expected = found.chances[shown[:size]].sum()
        assert found.next_batch(size) == pytest.approx(expected, rel=1e-12)


def test_the_next_batch_predicts_what_is_found_in_it():
    initial, faults = scored()
    verdicts = checked_from_the_top(initial, faults, 400)
    following = np.argsort(-initial, kind="stable")[400:600]
    found = estimate_faults(initial, verdicts).next_batch(200)
    assert found == pytest.approx(faults[following].sum(), rel=0.2)


def test_estimates_follow_what_was_learned_of_a_suggestion():
    rng = np.random.default_rng(0)
    suggestions = rng.integers(0, 5, 2000)
    initial, faults = np.linspace(0.99, 0.9, 2000), suggestions == 3
    verdicts = checked_from_the_top(initial, faults, 200)
    with_them = estimate_faults(initial, verdicts, suggestions)
    assert with_them.next_batch(50) > estimate_faults(initial, verdicts).next_batch(50)


def test_the_same_verdicts_give_the_same_estimate():
    initial, faults = scored()
    verdicts = checked_from_the_top(initial, faults, 100)
    one, two = (estimate_faults(initial, verdicts) for _ in range(2))
    assert (one.count, one.low, one.high) == (two.count, two.low, two.high)


def test_a_quantile_of_one_normal_distribution_is_its_own():
    low = estimate._quantile(
        np.array([50.0]), np.array([10.0]), np.array([1.0]), 0.05, 100
    )
    assert low == pytest.approx(50 - 1.6449 * 10, abs=1e-3)
