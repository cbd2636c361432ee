"""How fast a network learns, from its first step to its last."""

from __future__ import annotations

WARM_UP = 0.1
"""Share of the steps at a rising rate; it falls afterwards."""


def share_of_rate(done: float) -> float:
    """Share of the peak rate after a share of the steps."""
    return min(done / WARM_UP, (1 - done) / (1 - WARM_UP))
