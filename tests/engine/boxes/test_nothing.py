"""Boxes of nothing, told by boxes that are put anywhere."""

from __future__ import annotations

import numpy as np
import pytest

from fiftyone_dfaulo.engine.boxes.nothing import _claims, _evidence, find_empty
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes
from fiftyone_dfaulo.engine.boxes.probes import CloserLook


def one_image(*boxes: list[float]) -> Boxes:
    return Boxes(np.zeros(len(boxes), np.int64), np.array(boxes, float))


def test_whose_a_prediction_is() -> None:
    given = one_image([0.0, 0.0, 0.2, 0.1], [0.1, 0.0, 0.2, 0.1])
    predicted = one_image([0.0, 0.0, 0.2, 0.1], [0.8, 0.8, 0.1, 0.1])
    nearest, next_one, owner = _claims(given, predicted)
    # the second given box shares a half of each, of three halves
    assert nearest == pytest.approx([1, 0])
    assert next_one == pytest.approx([1 / 3, 0])
    assert owner.tolist() == [0, -2]


def test_what_there_is_to_see_at_a_box() -> None:
    given = one_image([0.0, 0.0, 0.2, 0.1], [0.1, 0.0, 0.2, 0.1])
    predicted = one_image([0.0, 0.0, 0.2, 0.1])
    says = _evidence(given, np.arange(2), given, predicted, np.array([0.6]))
    third, size = 1 / 3, np.log(0.02)
    # the prediction is free for the first box, and the first one's for the second
    first = [1, 0.6, 0.6, 0, 0, third, third**2, size]
    second = [0, 0, 0, third, 0.6, third, third**2, size]
    assert says == pytest.approx(np.array([first, second]))


def scattered(rng: np.random.Generator, count: int) -> Boxes:
    corners = rng.random((count, 2)) * 0.9
    boxes = np.column_stack([corners, np.full((count, 2), 0.1)])
    return Boxes(rng.integers(0, count // 4, count), boxes)


def test_boxes_of_nothing_are_found_and_counted() -> None:
    rng = np.random.default_rng(51)
    real, none = scattered(rng, 800), scattered(rng, 60)
    given = Boxes(*(np.concatenate(parts) for parts in zip(real, none)))
    seen = rng.random(800) < 0.98
    boxes = real.boxes[seen] + rng.normal(size=(seen.sum(), 4)) * 0.005
    predicted = Boxes(real.images[seen], boxes)
    empty = find_empty(given, predicted, rng.uniform(0.3, 1, seen.sum()), 51)
    # what is not seen at all is taken for nothing
    assert empty.share * 860 == pytest.approx(60 + (~seen).sum(), rel=0.25)
    assert empty.likely[800:].mean() > 0.8
    assert empty.likely[:800][seen].mean() < 0.02
    # they are nowhere else, and no smaller, than others
    assert empty.beside.mean() == pytest.approx(1, abs=0.1)


def test_one_box_that_is_seen() -> None:
    box = one_image([0.4, 0.4, 0.2, 0.2])
    empty = find_empty(box, box, np.array([0.9]), 51)
    assert 0 <= empty.likely[0] < 0.01
    assert 0 < empty.share < 0.01


def test_a_closer_look_finds_what_predictions_do_not() -> None:
    rng = np.random.default_rng(51)
    real, none, probes = (scattered(rng, count) for count in (800, 60, 860))
    given = Boxes(*(np.concatenate(parts) for parts in zip(real, none)))
    there = rng.normal(np.append(np.full(800, 3.0), np.full(60, -3.0)))
    closer = CloserLook(
        there, given.boxes, probes, rng.normal(size=860) - 3, given.boxes, given.boxes
    )
    nothing = Boxes(np.zeros(0, np.int64), np.zeros((0, 4)))
    empty = find_empty(given, nothing, np.zeros(0), 51, closer)

    assert empty.likely[800:].mean() > 0.8
    assert empty.likely[:800].mean() < 0.03
    assert empty.share * 860 == pytest.approx(60, rel=1 / 3)
    assert len(np.unique(empty.likely[800:])) == 60  # none is as likely as 1
