"""Two processes on one dataset: a few trials of each pair; see tools/two_at_once.py."""

from __future__ import annotations

import two_at_once

TRIALS = 2


def test_nothing_is_unsound_unreadable_or_locked_out() -> None:
    counts = two_at_once.measure(list(two_at_once.PAIRS), TRIALS, seed=51)
    assert {pair: dict(found) for pair, found in counts.items() if found} == {}
