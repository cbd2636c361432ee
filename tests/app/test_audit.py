"""A person audits a run in the App: how many faults are there, wherever they are?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.app_tools import App
from tests.app.review_tools import Review, rank_by_pixels


@pytest.fixture
def digits(digits: Any) -> Any:
    """The digits after a run, with their pixels as embeddings."""
    rank_by_pixels(digits)
    return digits


def test_an_audit_is_drawn_checked_and_told(app: App, digits: Any) -> None:
    review = Review(app)
    review.says("An audit narrows it")
    app.photograph("before an audit")

    review.press("Audit 60")
    review.says("The audit has 60 to check")
    review.shows(60)
    app.photograph("audit drawn")
    review.select(0)
    review.press("Mark selected, and the rest of 60 correct")

    review.says("goes by an audit of 60; 180 more would halve the interval")
    review.says("60 of 598 checked")
    app.photograph("audit done")
    digits.reload()
    assert digits.count_values("dfaulo_audit") == {True: 60, None: 540}
    assert digits.count_values("dfaulo_verdict")["faulty"] == 1
