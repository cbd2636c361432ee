"""Misplaced boxes, and those that were counted twice."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo.engine.boxes.classes import name_alike
from fiftyone_dfaulo.engine.boxes.doubles import around_one_thing, find_doubles
from fiftyone_dfaulo.engine.boxes.elsewhere import misplace
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes
from fiftyone_dfaulo.engine.boxes.places import find_displaced, find_misplaced
from fiftyone_dfaulo.engine.boxes.probes import CloserLook


def test_overlaps_that_fall_out_of_the_usual_are_misplaced() -> None:
    rng = np.random.default_rng(51)
    iou = expit(rng.normal(2.5, 0.4, 1000))
    iou[:60] = rng.uniform(0.1, 0.5, 60)
    away = find_misplaced(iou, np.zeros((1000, 1)))

    assert away[:60].min() > 0.9
    assert away.sum() == pytest.approx(60, abs=20)
    assert (away[iou > 0.95] == 0).all()


def test_what_is_usual_depends_on_the_features() -> None:
    rng = np.random.default_rng(51)
    hard = np.arange(1000) % 2
    iou = expit(rng.normal(3 - 2 * hard, 0.3))
    iou[0] = iou[1] = 0.72  # usual for the hard one alone
    away = find_misplaced(iou, hard[:, None].astype(float))

    assert away[0] > 0.5 > 0.1 > away[1]


def test_no_matches_at_all() -> None:
    assert find_misplaced(np.zeros(0), np.zeros((0, 2))).shape == (0,)


def look_at(
    truth: np.ndarray, rng: np.random.Generator, precision: float
) -> np.ndarray:
    """Where a look sees objects: about where they are."""
    sizes = np.tile(truth[:, 2:], 2)
    seen: np.ndarray = truth + rng.normal(size=truth.shape) * precision * sizes
    return seen


@pytest.mark.parametrize("detected", [0.0, 0.9])
def test_displaced_boxes_are_found_and_counted(detected: float) -> None:
    rng = np.random.default_rng(51)
    truth = np.column_stack([rng.random((2000, 2)) * 0.8, np.full((2000, 2), 0.1)])
    boxes = truth.copy()
    boxes[:100] = misplace(boxes[:100], rng, 0.3, 0.7)
    given = Boxes(rng.integers(0, 300, 2000), boxes)
    moved = misplace(boxes, rng, 0.3, 0.7)
    # a look at a box that was moved from a wrong place sees the object all the same
    closer = CloserLook(
        np.zeros(2000),
        look_at(truth, rng, 0.05),
        given,
        np.zeros(2000),
        moved,
        look_at(truth, rng, 0.05),
    )
    predicted = look_at(truth, rng, 0.03)
    predicted[rng.random(2000) >= detected] = np.nan
    wrong = find_displaced(given, closer, predicted, np.ones(2000), 51)

    assert wrong.min() >= 0
    assert wrong.max() < 1
    assert average_precision_score(np.arange(2000) < 100, wrong) > 0.9
    assert wrong.sum() == pytest.approx(100, rel=1 / 3)


def test_of_boxes_that_are_nothing_no_share_is_taken() -> None:
    """They look displaced as well, and say nothing of how many others are."""
    rng = np.random.default_rng(51)
    truth = np.column_stack([rng.random((1000, 2)) * 0.8, np.full((1000, 2), 0.1)])
    given = Boxes(rng.integers(0, 200, 1000), truth)
    seen = look_at(truth, rng, 0.05)
    seen[:200] = misplace(truth[:200], rng, 0.2, 0.6)
    moved = misplace(truth, rng, 0.3, 0.7)
    none, nowhere = np.zeros(1000), np.full((1000, 4), np.nan)
    displaced = look_at(truth, rng, 0.05)
    closer = CloserLook(none, seen, given, none, moved, displaced)
    single = np.append(np.zeros(200), np.ones(800))
    wrong, all_count = (
        find_displaced(given, closer, nowhere, worth, 51)
        for worth in (single, np.ones(1000))
    )

    assert wrong[200:].sum() < 20 < 100 < all_count[:200].sum()


def test_pairs_that_overlap_much_are_around_one_thing() -> None:
    rng = np.random.default_rng(51)
    iou = np.clip(rng.exponential(0.06, 500), 1e-3, 1)
    iou[:25] = rng.uniform(0.6, 0.95, 25)
    likely = around_one_thing(iou, np.ones(500))

    assert likely[:25].min() > 0.9
    assert likely.sum() == pytest.approx(25, rel=1 / 3)
    assert (np.diff(likely[np.argsort(iou)]) >= 0).all()


def test_the_detector_tells_how_many_pairs_are_around_one_thing() -> None:
    iou = np.random.default_rng(51).uniform(0.4, 0.95, 100)
    found_once, found_both = np.full(100, 20.0), np.full(100, 0.01)

    assert around_one_thing(iou, found_once).sum() > 95
    assert around_one_thing(iou, found_both).sum() < 5


def test_of_a_pair_the_box_with_less_support_is_one_too_many() -> None:
    boxes = np.array(
        [[0.1, 0.1, 0.2, 0.2], [0.11, 0.1, 0.2, 0.2], [0.7, 0.7, 0.1, 0.1]]
    )
    given = Boxes(np.zeros(3, int), boxes)
    labels = np.zeros(3, int)

    ones = np.ones(3)
    likely, first = find_doubles(given, labels, np.array([0.0, 0.9, 0.9]), ones)
    assert likely[0] > 0.5
    assert likely[1:].tolist() == [0, 0]
    assert first.tolist() == [1, -1, -1]

    likely, first = find_doubles(given, labels, np.zeros(3), ones)
    assert likely[1] > 0.5
    assert first.tolist() == [-1, 0, -1]


def test_names_are_matched_by_what_most_matches_are() -> None:
    labels = ["cat"] * 5 + ["dog"] * 5 + ["cow"] * 4
    partners = ["Katze"] * 4 + ["Hund"] * 6 + ["cow"] * 4

    assert name_alike(labels, partners, labels) == {"Hund": "dog", "Katze": "cat"}


def test_names_without_a_majority_stay() -> None:
    labels = ["cat", "dog", "cow", "cat"]

    assert name_alike(labels, ["thing"] * 4, labels) == {}
    assert name_alike(["cat"], ["cat"], ["cat"]) == {}
