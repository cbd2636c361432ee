"""Whether two classes may be one, worked out by hand."""

from __future__ import annotations

import math

import pytest

from fiftyone_dfaulo.engine.feedback.one_class import one_class_odds


def test_odds_are_those_of_the_two_integrals() -> None:
    # one: the integral of q²(1-q)² from 0 to 1 is 1/30
    # two: twice that of q(1-q) from 0 to 1/2 is 1/6, for each of the two
    assert one_class_odds((1, 1), (1, 1)) == pytest.approx(math.log(36 / 30))
    # two: twice the integral of (1-q)² from 0 to 1/2 is 7/12
    assert one_class_odds((2, 0), (0, 2)) == pytest.approx(
        # the second class's two items look like the first: q² gives 1/12
        math.log(1 / 5 / (7 / 12 * 1 / 12))
    )
    assert one_class_odds((2, 0), (2, 0)) == pytest.approx(
        math.log(1 / 30 / (7 / 12) ** 2)
    )


def test_labels_that_say_nothing_are_of_one_class_those_that_say_a_little_are_not() -> (
    None
):
    assert one_class_odds((50, 50), (50, 50)) > 0
    assert one_class_odds((120, 80), (120, 80)) < 0
    assert one_class_odds((100, 0), (40, 0)) < 0


def test_a_rare_class_whose_items_all_look_like_the_other_is_one_with_it() -> None:
    assert one_class_odds((117, 1), (0, 41)) > 0
    assert one_class_odds((10_000, 3), (0, 2_000)) == math.inf
    assert one_class_odds((3, 2), (5, 4)) == one_class_odds((5, 4), (3, 2))
