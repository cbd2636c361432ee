"""The classes as a whole: how many labels are wrong, and what those look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.review.state import ReviewState
from fiftyone_dfaulo.adapter.targets.labels import ClassLabels


class ClassReport(NamedTuple):
    """What a run and its verdicts say of a class.

    Attributes:
        name: the class.
        scored: how many items have its label now.
        found: how many of them are faulty, by the verdicts.
        expected: how many are, found ones included, about.
        looks_like: the class that those which are probably faulty look like the most;
            None if they look like none other.
    """

    name: str
    scored: int
    found: int
    expected: float
    looks_like: str | None

    @property
    def share(self) -> float:
        """The share of its labels that are wrong, about."""
        return self.expected / self.scored


def class_reports(
    results: DFauLoResults, state: ReviewState, chances: np.ndarray
) -> list[ClassReport]:
    """The classes of a run, those with the most faults first.

    Args:
        results: of the run.
        state: of its items.
        chances: float64 (N,), how likely each item is a fault by its score.

    Returns:
        none where an item has several labels.
    """
    if not issubclass(results.config.target.labels_type, ClassLabels):
        return []
    faulty = np.where(state.verdicts < 0, chances, state.verdicts == 1)
    found = list(_reports(results.suggestion_texts(), state, faulty))
    return sorted(found, key=lambda one: (-one.expected, one.name))


def _reports(
    looks: np.ndarray, state: ReviewState, faulty: np.ndarray
) -> Iterator[ClassReport]:
    labelled = state.present & np.array([k is not None for k in state.labels], bool)
    rows = np.flatnonzero(labelled)
    names, which = np.unique(state.labels[rows].astype(str), return_inverse=True)
    seen, looked = np.unique(looks[rows].astype(str), return_inverse=True)
    weight = np.zeros((len(names), len(seen)))
    np.add.at(weight, (which, looked), faulty[rows])
    scored = np.bincount(which, minlength=len(names))
    hits = np.bincount(which, state.verdicts[rows] == 1, len(names))
    expected = np.bincount(which, faulty[rows], len(names))
    others: dict[str, Any] = {name: n for n, name in enumerate(seen)}
    for n, name in enumerate(names):
        if name in others:
            weight[n, others[name]] = 0
        best = int(weight[n].argmax())
        other = str(seen[best]) if weight[n, best] > 0 else None
        yield ClassReport(
            str(name), int(scored[n]), int(hits[n]), float(expected[n]), other
        )
