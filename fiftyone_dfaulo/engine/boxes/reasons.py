"""Why an object is suspicious, and what is to be done about it."""

from __future__ import annotations

import numpy as np

REASONS = (
    "looks like another class",
    "box misplaced",
    "no such object",
    "counted twice",
    "missing object",
)
"""In the order of the columns of the signals; the last one is of what has no box."""

CLASS, PLACE, SPURIOUS, DOUBLE, MISSING = range(5)

ANOTHER_CLASS, ANOTHER_BOX, NO_OBJECT, MISSING_OBJECT = range(4)
"""What is to be done about an object, by the likeliest of its kinds of fault."""

DEEDS = np.array(
    [ANOTHER_CLASS, ANOTHER_BOX, NO_OBJECT, NO_OBJECT, MISSING_OBJECT], np.int64
)
"""Kind of fault to what is to be done."""

LIKELY, LEAST = 0.5, 0.2
"""A reason is named from :data:`LIKELY` on; the likeliest one from :data:`LEAST` on."""


def find_reasons(kinds: np.ndarray, suspiciousness: np.ndarray) -> np.ndarray:
    """Bool (N, R): which of R kinds of fault are named as a reason.

    Args:
        kinds: float (N, R), in [0, 1], how likely each is.
        suspiciousness: float (N,), in [0, 1].
    """
    likeliest = kinds == kinds.max(1, keepdims=True)
    enough = (suspiciousness >= LEAST)[:, None]
    return enough & ((kinds >= LIKELY) | (likeliest & (kinds > 0)))
