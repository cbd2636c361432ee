"""How good a ranking of n samples is, m of them faults; ranks count from 0.

All shares are 1 at best, except two: the best APFD is 1 - (m - 2) / 2n, and the best
precision at k, where k is more than m, is m / k.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

CUTS = (10, 50, 100, 500)
"""Numbers of samples reviewed to report the precision at, where there are as many."""

SHARES = (0.5, 0.9)
"""Shares of the faults. How many samples must be reviewed to find them is reported."""

AT_FAULTS = "precision at faults"
"""Name of the precision at m, the share of the faults found by reviewing m samples."""


def evaluate(scores: np.ndarray, faults: np.ndarray) -> dict[str, float]:
    """All metrics of a ranking.

    Args:
        scores: float (N,), higher is more suspicious; finite.
        faults: bool (N,), some True and some False.

    Returns:
        ``AP``, ``ROC-AUC``, ``APFD``, ``RAUC``, ``POBL 5%`` and ``POBL 10%``;
        ``precision at 10``, ``50``, ``100``, ``500`` and ``faults`` (the share of
        faults among the first so many); ``reviewed for 50%`` and ``90%`` (how many
        must be reviewed, from the top, to find that share of the faults). Of equal
        scores the one that comes first in the arrays ranks first; AP and ROC-AUC
        count them as one.
    """
    found = faults[order(scores)]
    return {
        "AP": float(average_precision_score(faults, scores)),
        "ROC-AUC": float(roc_auc_score(faults, scores)),
        "APFD": apfd(found),
        "RAUC": rauc(found),
        "POBL 5%": pobl(found, 0.05),
        "POBL 10%": pobl(found, 0.10),
        **{f"precision at {k}": precision(found, k) for k in CUTS if k <= len(found)},
        AT_FAULTS: precision(found, int(found.sum())),
        **{f"reviewed for {s:.0%}": reviewed_for(found, s) for s in SHARES},
    }


def with_unknown(found: np.ndarray, unknown: float) -> dict[str, float]:
    """The metrics that change if there are faults that nobody knows.

    They are taken to be found like the known ones: then precision is greater by the
    ratio of all faults to the known ones (Elkan and Noto, *Learning classifiers from
    only positive and unlabeled data*, 2008), and at most 1.

    Args:
        found: bool (N,), whether the sample at each rank is a known fault; some are.
        unknown: how many other faults there are, at least 0.

    Returns:
        ``AP`` and the precisions of :func:`evaluate`; ``AP`` is the mean precision at
        the known faults.
    """
    ratio = 1 + unknown / found.sum()
    at_rank = np.minimum(1, ratio * np.cumsum(found) / np.arange(1, len(found) + 1))
    cuts = {f"precision at {k}": k for k in CUTS if k <= len(found)}
    cuts[AT_FAULTS] = int(found.sum())
    return {
        "AP": float(at_rank[found].mean()),
        **{name: float(at_rank[k - 1]) for name, k in cuts.items()},
    }


def order(scores: np.ndarray) -> np.ndarray:
    """Positions, the most suspicious first."""
    return np.argsort(-scores, kind="stable")


def apfd(found: np.ndarray) -> float:
    """Average percentage of faults detected, with ranks from 0 as in the reference.

    The form with ranks from 1 is 1 / N lower.
    """
    count, ranks = len(found), np.flatnonzero(found)
    return float(1 - ranks.sum() / (count * len(ranks)) + 1 / (2 * count))


def pobl(found: np.ndarray, share: float) -> float:
    """Share of the faults that lie in the first part of the ranking."""
    return float(found[: int(share * len(found))].sum() / found.sum())


def rauc(found: np.ndarray) -> float:
    """Area under POBL at 0, 1, ..., 100 %, divided by that of the ideal order."""
    ideal = np.sort(found)[::-1]
    areas = []
    for each in (found, ideal):
        curve = np.array([pobl(each, percent / 100) for percent in range(101)])
        areas.append(np.mean(curve[1:] + curve[:-1]) / 2)
    return float(areas[0] / areas[1])


def precision(found: np.ndarray, count: int) -> float:
    """Share of faults among the first so many of the ranking."""
    return float(found[:count].mean())


def reviewed_for(found: np.ndarray, share: float) -> int:
    """How many samples from the top hold at least that share of the faults."""
    needed = int(np.ceil(share * found.sum() - 1e-9))
    return int(np.flatnonzero(found)[needed - 1]) + 1


def curves(found: np.ndarray, points: int = 200) -> dict[str, list[float]]:
    """Precision and recall against the number reviewed.

    Args:
        found: bool (N,), whether the sample at each rank is a fault; some are.
        points: the most points of a curve.

    Returns:
        ``reviewed`` (ascending, from 1 to N), ``precision`` and ``recall``, of equal
        length.
    """
    half, last = points // 2, len(found)  # the top of the list matters most
    spread = np.concatenate([np.geomspace(1, last, half), np.linspace(1, last, half)])
    numbers = np.unique(np.round(spread).astype(int))
    hits = np.cumsum(found)[numbers - 1]
    return {
        "reviewed": numbers.tolist(),
        "precision": (hits / numbers).tolist(),
        "recall": (hits / found.sum()).tolist(),
    }
