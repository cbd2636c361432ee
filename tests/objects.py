"""Real digits pasted on canvases: a dataset of objects, some with a wrong label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from bench.canvases import paste
from bench.cases import Case, read_digits


def paste_digits(
    folder: Path, count: int = 1797, *, rate: float = 0.05, name: str | None = None
) -> Any:
    """A dataset of canvases with scikit-learn's digits in the field ``boxes``.

    Args:
        folder: where to write the canvases; it must not exist.
        count: how many digits.
        rate: the share of them that get a random other label; they have the tag
            ``"wrong"``.
        name: the dataset's name.
    """
    clean, rng = read_digits(), np.random.default_rng(51)
    truth = clean.labels[:count]
    wrong = np.isin(
        np.arange(count), rng.choice(count, round(rate * count), replace=False)
    )
    other = (truth + rng.integers(1, 10, count)) % 10
    labels = np.where(wrong, other, truth)
    case = Case("digits", clean.images[:count], labels, wrong, truth)
    return paste(case, folder, name)
