"""Which boxes are of the same object."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from fiftyone_dfaulo.engine.boxes import matching
from fiftyone_dfaulo.engine.boxes.matching import assign, match
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, Pairs


def best_sum(table: np.ndarray) -> float:
    """The largest sum of an assignment, by trying all of them."""
    wide = np.hstack([table, np.zeros((len(table), len(table)))])
    rows = range(len(table))
    columns = permutations(range(wide.shape[1]), len(table))
    return max(sum(wide[r, c] for r, c in zip(rows, some)) for some in columns)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_assignment_is_the_best_of_all(
    seed: int, sparse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "_DENSE", 1 if sparse else 256)
    rng = np.random.default_rng(seed)
    table = rng.random((4, 4)) * (rng.random((4, 4)) < 0.7)
    rows, columns = np.nonzero(table)
    value = table[rows, columns]
    chosen = assign(Pairs(rows, columns, value), value, (4, 4))

    assert len(set(rows[chosen])) == len(chosen) == len(set(columns[chosen]))
    assert value[chosen].sum() == pytest.approx(best_sum(table))


def test_greedy_would_be_worse() -> None:
    pairs = Pairs(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.9, 0.8, 0.7]))

    assert assign(pairs, pairs.iou, (2, 2)).tolist() == [1, 2]


def test_pairs_of_no_value_are_not_matched() -> None:
    pairs = Pairs(np.array([0, 1]), np.array([0, 1]), np.array([0.5, 0.5]))

    assert assign(pairs, np.array([0.0, -1.0]), (2, 2)).tolist() == []


def grid(count: int = 200) -> Boxes:
    """Four boxes an image, one in each quarter."""
    rng = np.random.default_rng(51)
    at = np.arange(count)
    corner = np.column_stack([at % 2, at // 2 % 2]) / 2 + rng.uniform(
        0, 0.2, (count, 2)
    )
    return Boxes(at // 4, np.column_stack([corner, np.full((count, 2), 0.25)]))


def test_boxes_that_moved_a_little_find_their_own() -> None:
    given = grid()
    labels = np.arange(200) % 3
    moved = Boxes(given.images, given.boxes + np.array([0.01, 0.01, 0, 0]))
    order = np.random.default_rng(1).permutation(200)
    found = match(given, moved.take(order), labels, labels[order])

    assert order[found.partner].tolist() == list(range(200))
    assert found.given[found.partner].tolist() == list(range(200))
    assert found.iou == pytest.approx(np.full(200, (0.24**2) / (2 * 0.0625 - 0.24**2)))


def test_of_two_predictions_in_one_place_the_one_of_the_class_is_taken() -> None:
    given = grid()
    labels = np.arange(200) % 3
    twice = Boxes(np.tile(given.images, 2), np.tile(given.boxes, (2, 1)))
    classes = np.concatenate([(labels + 1) % 3, labels])
    found = match(given, twice, labels, classes)

    assert found.partner.tolist() == list(range(200, 400))
    assert (found.given[:200] == -1).all()


def test_boxes_of_other_images_are_never_matched() -> None:
    given = grid(8)
    elsewhere = Boxes(given.images + 10, given.boxes)
    found = match(given, elsewhere, np.zeros(8, int), np.zeros(8, int))

    assert (found.partner == -1).all()
    assert len(found.pairs.iou) == 0


def test_many_boxes_in_one_image() -> None:
    rng = np.random.default_rng(3)
    corner = rng.random((1500, 2)) * 0.95
    given = Boxes(
        np.zeros(1500, int), np.column_stack([corner, np.full((1500, 2), 0.05)])
    )
    none = np.zeros(1500, int)
    found = match(given, Boxes(given.images, given.boxes + 1e-4), none, none)

    assert (found.partner == np.arange(1500)).mean() > 0.99
