"""Learning from verdicts: what moves, what must not, and that it helps."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo.engine.feedback.learning import (
    EFFECT_SCALE,
    FADING,
    INTERCEPT_SCALE,
    WRONG,
    _fit,
    adjust,
    highest,
    learn,
    log_odds,
)

COUNT, CLASSES = 3000, 10


def scored(systematic, seed=0):
    """Initial score, suggestion and faults; systematic faults all look like class 3.

    Correct samples with a high score are as common as faults.
    """
    rng = np.random.default_rng(seed)
    suggestions = rng.integers(0, CLASSES, COUNT)
    hard = rng.random(COUNT) < 0.2
    odds = rng.normal(np.where(hard, 3.0, -3.0), 1.0)
    faults = hard & (suggestions == 3 if systematic else rng.random(COUNT) < 0.5)
    return expit(odds), suggestions, faults


def checked_from_the_top(initial, faults, count):
    verdicts = np.full(len(initial), -1, np.int8)
    top = np.argsort(-initial, kind="stable")[:count]
    verdicts[top] = faults[top]
    return verdicts


def test_without_verdicts_the_initial_score_is_returned_bit_by_bit():
    initial = np.array([0.0, 0.1, 1.0, 1e-300, np.nextafter(1.0, 0.0)])
    learned = learn(initial, np.full(5, -1, np.int8), np.arange(5))
    assert learned.tobytes() == initial.tobytes()
    assert learned is not initial


def test_undoing_all_verdicts_brings_the_initial_score_back():
    initial, suggestions, faults = scored(systematic=True)
    verdicts = checked_from_the_top(initial, faults, 150)
    assert (learn(initial, verdicts, suggestions) != initial).any()
    verdicts[:] = -1
    assert learn(initial, verdicts, suggestions).tobytes() == initial.tobytes()


def test_checked_samples_are_at_the_ends_and_all_others_strictly_between():
    initial = np.array([1.0, 0.0, 0.5, 0.9, 0.2])
    verdicts = np.array([-1, -1, -1, 0, 1], np.int8)
    learned = learn(initial, verdicts, np.zeros(5, int))
    assert learned[3] == 0
    assert learned[4] == 1
    assert np.all((learned[:3] > 0) & (learned[:3] < 1))
    assert list(np.argsort(learned[:3])) == [1, 2, 0]


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("count", [1, 2, 20])
def test_few_verdicts_of_one_kind_leave_the_order_of_the_unchecked(kind, count):
    initial, suggestions, _ = scored(systematic=False)
    verdicts = checked_from_the_top(initial, np.full(COUNT, kind), count)
    rest = verdicts < 0
    learned = learn(initial, verdicts, suggestions)
    np.testing.assert_array_equal(learned[rest], initial[rest])


def test_contradictory_verdicts_on_twins_change_nothing_else():
    initial = np.array([0.9, 0.9, 0.8, 0.7])
    learned = learn(initial, np.array([1, 0, -1, -1], np.int8), np.zeros(4, int))
    np.testing.assert_array_equal(learned, [1, 0, 0.8, 0.7])


def test_without_suggestions_the_order_stays_whatever_the_verdicts():
    initial, _, faults = scored(systematic=True)
    verdicts = checked_from_the_top(initial, faults, 300)
    rest = verdicts < 0
    np.testing.assert_array_equal(learn(initial, verdicts)[rest], initial[rest])


def test_faults_that_look_like_one_class_are_found_sooner():
    initial, suggestions, faults = scored(systematic=True)
    verdicts = checked_from_the_top(initial, faults, 150)
    rest = verdicts < 0
    learned = learn(initial, verdicts, suggestions)
    before = average_precision_score(faults[rest], initial[rest])
    after = average_precision_score(faults[rest], learned[rest])
    assert after > before + 0.2


@pytest.mark.parametrize("seed", range(5))
def test_faults_without_a_common_look_are_not_ranked_worse(seed):
    initial, suggestions, faults = scored(systematic=False, seed=seed)
    verdicts = checked_from_the_top(initial, faults, 150)
    rest = verdicts < 0
    learned = learn(initial, verdicts, suggestions)
    before = average_precision_score(faults[rest], initial[rest])
    after = average_precision_score(faults[rest], learned[rest])
    assert after >= before - 0.002


def test_a_suggestion_that_nobody_has_checked_keeps_its_score():
    initial, suggestions, faults = scored(systematic=True)
    verdicts = checked_from_the_top(initial, faults, 150)
    suggestions[verdicts < 0] %= 12
    fresh = np.flatnonzero(verdicts < 0)[:5]
    suggestions[fresh] = 11
    learned = learn(initial, verdicts, suggestions)
    np.testing.assert_array_equal(learned[fresh], initial[fresh])
    assert (learned[verdicts < 0] != initial[verdicts < 0]).any()


def test_a_suggestion_shifts_the_log_odds_by_one_amount_that_fades_below_verdicts():
    initial, suggestions, faults = scored(systematic=True)
    verdicts = checked_from_the_top(initial, faults, 150)
    odds = log_odds(initial)
    shift = log_odds(adjust(initial, verdicts, suggestions)) - odds
    for k in range(CLASSES):
        group = suggestions == k
        lowest = odds[group & (verdicts >= 0)].min()
        below = np.maximum(lowest - odds[group], 0)
        assert np.ptp(shift[group] * np.exp(below / FADING)) < 1e-4
    assert shift[(suggestions == 3) & (verdicts >= 0)].min() > 0.5


def test_faults_of_one_label_with_one_look_are_told_from_others_with_that_look():
    initial, suggestions, _ = scored(systematic=True)
    labels = np.random.default_rng(1).integers(4, 6, COUNT)
    faults = (initial > 0.5) & (suggestions == 3) & (labels == 5)
    verdicts = checked_from_the_top(initial, faults, 200)
    rest = verdicts < 0
    by_both = learn(initial, verdicts, suggestions, labels)
    by_look = learn(initial, verdicts, suggestions)
    with_labels, without = (
        average_precision_score(faults[rest], learned[rest])
        for learned in (by_both, by_look)
    )
    assert with_labels > without + 0.1


@pytest.mark.parametrize("checked", [1, 2, 7, COUNT - 1, COUNT])
def test_any_number_of_verdicts_gives_finite_scores_and_the_same_ones_again(checked):
    initial, suggestions, faults = scored(systematic=True)
    initial[:2] = 0.0, 1.0
    verdicts = checked_from_the_top(initial, faults, checked)
    learned = learn(initial, verdicts, suggestions)
    assert np.isfinite(learned).all()
    assert learned.dtype == np.float64
    assert learned.min() >= 0
    assert learned.max() <= 1
    again = learn(initial, verdicts, suggestions)
    assert learned.tobytes() == again.tobytes()


def test_verdicts_against_extreme_scores_stay_finite():
    initial = np.array([0.0] * 50 + [1.0] * 50)
    verdicts = np.array([1] * 49 + [-1] + [0] * 49 + [-1], np.int8)
    learned = learn(initial, verdicts, np.arange(100) % 2)
    assert np.isfinite(learned).all()


def test_the_fit_is_the_maximum_that_a_general_optimiser_finds():
    from scipy.optimize import minimize

    rng = np.random.default_rng(1)
    offset, faulty = rng.normal(size=60), rng.random(60) < 0.4
    groups = rng.permutation(np.arange(60) % 4)

    def misfit(values):
        odds = offset + values[0] + values[1:][groups]
        reported = WRONG + (1 - 2 * WRONG) / (1 + np.exp(-odds))
        likelihood = np.sum(np.log(np.where(faulty, reported, 1 - reported)))
        squares = (values[0] / INTERCEPT_SCALE) ** 2
        return squares / 2 + np.sum((values[1:] / EFFECT_SCALE) ** 2) / 2 - likelihood

    expected = minimize(misfit, np.zeros(5), tol=1e-10).x
    np.testing.assert_allclose(
        _fit(offset, faulty, groups, EFFECT_SCALE)[0], expected[1:], atol=1e-4
    )


def test_the_marginal_likelihood_is_near_the_integral_over_effects():
    offset, faulty = np.full(40, 0.3), np.arange(40) < 25
    grid = np.linspace(-6, 6, 601)
    intercept, effect = np.meshgrid(2 * grid, grid)
    odds = 0.3 + intercept + effect
    reported = WRONG + (1 - 2 * WRONG) / (1 + np.exp(-odds))
    log_joint = (
        25 * np.log(reported)
        + 15 * np.log(1 - reported)
        - (intercept / INTERCEPT_SCALE) ** 2 / 2
        - (effect / EFFECT_SCALE) ** 2 / 2
        - np.log(2 * np.pi * INTERCEPT_SCALE * EFFECT_SCALE)
    )
    step = (grid[1] - grid[0]) ** 2 * 2
    integral = np.log(np.exp(log_joint).sum() * step)
    found = _fit(offset, faulty, np.zeros(40, int), EFFECT_SCALE)[1]
    assert found == pytest.approx(integral, abs=0.05)


@pytest.mark.parametrize("count", [1, 7, 299, 300, 1000])
def test_the_highest_are_those_of_a_whole_sort_also_where_many_are_equal(count):
    scores = np.random.default_rng(0).integers(0, 20, 300) / 20
    expected = sorted(range(300), key=lambda n: (-scores[n], n))[:count]
    assert highest(scores, count).tolist() == expected
