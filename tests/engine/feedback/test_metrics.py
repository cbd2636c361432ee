"""Metrics against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fiftyone_dfaulo.engine.feedback.metrics import (
    curves,
    evaluate,
    reviewed_for,
    with_unknown,
)

FOUND = np.array([True, False, True, False, False, False, False, False, False, False])
SCORES = np.arange(10, 0, -1.0)


def test_figures_of_faults_at_ranks_0_and_2_of_10() -> None:
    figures = evaluate(SCORES, FOUND)
    assert figures["AP"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert figures["ROC-AUC"] == pytest.approx(15 / 16)
    assert figures["APFD"] == pytest.approx(1 - (0 + 2) / (10 * 2) + 1 / 20)
    assert figures["POBL 5%"] == 0
    assert figures["POBL 10%"] == 0.5


def test_rauc_is_the_area_by_that_of_the_ideal_order() -> None:
    # POBL at 0..9 %, 10..19 %, ...: 0, .5, .5, 1, 1, ...; ideal 0, .5, 1, 1, ...
    ours = 10 * (0.5 + 0.5 + 7 * 1.0) + 0.5
    ideal = 10 * (0.5 + 8 * 1.0) + 0.5
    assert evaluate(SCORES, FOUND)["RAUC"] == pytest.approx(ours / ideal)


def test_the_ideal_order_is_best_and_the_reverse_worst() -> None:
    ideal, reverse = (evaluate(sign * FOUND, FOUND) for sign in (1.0, -1.0))
    assert ideal["AP"] == ideal["ROC-AUC"] == ideal["RAUC"] == 1
    assert all(reverse[name] < ideal[name] for name in ("AP", "ROC-AUC", "RAUC"))


def test_the_order_of_the_samples_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(10)
    assert evaluate(SCORES[order], FOUND[order]) == evaluate(SCORES, FOUND)


def test_precision_is_told_at_so_many_and_at_the_number_of_faults() -> None:
    figures = evaluate(SCORES, FOUND)
    assert figures["precision at 10"] == pytest.approx(0.2)
    assert figures["precision at faults"] == pytest.approx(0.5)
    assert "precision at 50" not in figures


def test_so_many_must_be_reviewed_to_find_a_share_of_the_faults() -> None:
    figures = evaluate(SCORES, FOUND)
    assert figures["reviewed for 50%"] == 1
    assert figures["reviewed for 90%"] == 3
    found = np.tile([False, True], 10)
    # the 5th of 10 faults is at rank 9, the 9th at rank 17
    assert [reviewed_for(found, share) for share in (0.5, 0.9, 1.0)] == [10, 18, 20]


def test_curves_go_from_the_first_to_the_last_sample() -> None:
    found = curves(FOUND)
    assert found["reviewed"] == list(range(1, 11))
    assert found["precision"][:4] == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4])
    assert found["recall"][:4] == pytest.approx([1 / 2, 1 / 2, 1, 1])
    found = curves(np.arange(10_000) < 50)
    assert (found["reviewed"][0], found["reviewed"][-1]) == (1, 10_000)
    assert 100 < len(found["reviewed"]) <= 200
    assert found["reviewed"] == sorted(set(found["reviewed"]))


def test_faults_that_nobody_knows_raise_the_precision() -> None:
    found = np.array([False, True, False, True])
    same = with_unknown(found, 0)
    assert same == {"AP": 0.5, "precision at faults": 0.5}
    # one more fault among three is half as much again; never above 1
    more = with_unknown(found, 1)
    assert more == {"AP": 0.75, "precision at faults": 0.75}
    assert with_unknown(found, 20)["AP"] == 1
