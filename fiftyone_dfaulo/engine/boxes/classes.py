"""Whether the detector sees another class, and what its classes are called here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment


def name_alike(
    labels: Sequence[str], partners: Sequence[str], known: Sequence[str]
) -> dict[str, str]:
    """What the detector's classes are called in the labels, where the names differ.

    A name that no label has is taken for a class that no prediction has, if more than
    half of its matches are with that class.

    Args:
        labels: the label of each of P matched boxes.
        partners: the class of the prediction that each is matched with.
        known: the classes that labels, or predictions, have elsewhere too.
    """
    foreign = sorted(set(partners) - set(labels) - set(known))
    free = sorted(set(labels) - set(partners))
    if not foreign or not free:
        return {}
    table = np.zeros((len(foreign), len(free)))
    total = np.zeros(len(foreign))
    rows, columns = ({n: k for k, n in enumerate(names)} for names in (foreign, free))
    for label, partner in zip(labels, partners):
        if partner in rows:
            total[rows[partner]] += 1
            if label in columns:
                table[rows[partner], columns[label]] += 1
    return {
        foreign[row]: free[column]
        for row, column in zip(*linear_sum_assignment(table, maximize=True))
        if table[row, column] > total[row] / 2
    }
