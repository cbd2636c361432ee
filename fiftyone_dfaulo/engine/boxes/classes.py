"""Whether the detector sees another class, and what its classes are called here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from fiftyone_dfaulo.engine.boxes.trust import learn_trust


class ClassFaults(NamedTuple):
    """What is known of the classes of N boxes.

    Attributes:
        wrong: float64 (N,), in [0, 1]: how likely the label is wrong, if the box is of
            one object.
        seen: int64 (N,), the class that it looks like; the label's where nothing tells.
        right: float64 (N,), in [0, 1]: how likely that class is right.
    """

    wrong: np.ndarray
    seen: np.ndarray
    right: np.ndarray

    @classmethod
    def none(cls, labels: np.ndarray) -> ClassFaults:
        """Where nothing tells of the classes."""
        return cls(np.zeros(len(labels)), labels.copy(), np.ones(len(labels)))


def by_detector(
    labels: np.ndarray,
    classes: np.ndarray,
    partner: np.ndarray,
    features: np.ndarray,
    images: np.ndarray,
    seed: int,
) -> ClassFaults:
    """What the classes of predictions tell of N labels.

    Labels of classes that the detector lacks are not judged, nor by others.

    Args:
        labels: int64 (N,), at least 0.
        classes: int64 (M,), of the same numbers.
        partner: int64 (N,), the prediction that each box is matched with; -1 for none.
        features: float (P, D), of the P matches in the order of the boxes.
        images: int64 (N,), the image that each is in.
        seed: as of :func:`.trust.learn_trust`.
    """
    found = ClassFaults.none(labels)
    rows = np.flatnonzero(partner >= 0)
    given, seen = labels[rows], classes[partner[rows]]
    found.seen[rows] = seen
    shared = np.intersect1d(given, seen)
    if len(shared) < 2:
        return found
    known = np.isin(given, shared) & np.isin(seen, shared)
    rows, given, seen = rows[known], given[known], seen[known]
    agree = given == seen
    trust = learn_trust(agree.astype(float), features[known], seen, images[rows], seed)
    # both may be wrong in the same way, one of K - 1
    slip = trust.faulty * (1 - trust.right) / (len(shared) - 1)
    both = slip / (slip + (1 - trust.faulty) * trust.right)
    found.wrong[rows] = np.where(agree, both, trust.blame())
    found.right[rows] = np.where(agree, 1 - both, trust.credit())
    return found


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
