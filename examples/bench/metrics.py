"""How good a ranking is: n samples, m of them faults, the i-th at rank 0 first.

All are 1 at best but APFD, whose best is 1 - (m - 2) / 2n.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score


def evaluate(scores: np.ndarray, faults: np.ndarray) -> dict[str, float]:
    """All metrics of a ranking.

    Args:
        scores: float (N,), higher is more suspicious; finite.
        faults: bool (N,), some True and some False.

    Returns:
        ``AP``, ``ROC-AUC``, ``APFD``, ``RAUC``, ``POBL 5%`` and ``POBL 10%``.
    """
    order = np.argsort(-scores, kind="stable")
    found = faults[order]
    return {
        "AP": float(average_precision_score(faults, scores)),
        "ROC-AUC": float(roc_auc_score(faults, scores)),
        "APFD": apfd(found),
        "RAUC": rauc(found),
        "POBL 5%": pobl(found, 0.05),
        "POBL 10%": pobl(found, 0.10),
    }


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
    """Area under POBL at 0, 1, ..., 100 %, by that of the ideal order."""
    ideal = np.sort(found)[::-1]
    areas = []
    for each in (found, ideal):
        curve = np.array([pobl(each, percent / 100) for percent in range(101)])
        areas.append(np.mean(curve[1:] + curve[:-1]) / 2)
    return float(areas[0] / areas[1])
