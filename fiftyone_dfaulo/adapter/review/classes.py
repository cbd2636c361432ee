"""The classes as a whole: how many labels are wrong, and which may be one class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.review.state import ReviewState
from fiftyone_dfaulo.adapter.targets.class_labels import ClassLabels
from fiftyone_dfaulo.engine.feedback.one_class import one_class_odds


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


class AlikeClasses(NamedTuple):
    """Two classes that may be one: what an item looks like does not tell its label.

    Attributes:
        names: of the two.
        swapped: how many unchecked items of each look like the other.
        counts: how many of each look like one of the two.
    """

    names: tuple[str, str]
    swapped: tuple[int, int]
    counts: tuple[int, int]


def alike_classes(results: DFauLoResults, state: ReviewState) -> list[AlikeClasses]:
    """Pairs of classes that may be one, those with the most confused items first.

    Each is confused with the other, in both directions, and with no third class more
    often. And one class makes this likelier than two do: see :mod:`.one_class`.

    Args:
        results: of the run.
        state: of its items; only those without a verdict are counted.

    Returns:
        none where an item has several labels.
    """
    if not issubclass(results.config.target.labels_type, ClassLabels):
        return []
    labelled = np.array([k is not None for k in state.labels], bool)
    rows = np.flatnonzero(state.present & labelled & (state.verdicts == -1))
    looks = results.suggestion_texts()[rows].astype(str)
    names, number = np.unique(state.labels[rows].astype(str), return_inverse=True)
    place = np.minimum(np.searchsorted(names, looks), max(len(names) - 1, 0))
    known = names[place] == looks if len(names) else np.zeros(0, bool)
    cells = Counter(zip(number[known].tolist(), place[known].tolist()))
    most: dict[int, int] = {}
    for (given, look), count in cells.items():
        if given != look:
            most[given] = max(count, most.get(given, 0))
    found = []
    for (a, b), count in cells.items():
        back = cells[b, a]
        if a < b and back and (count, back) == (most[a], most[b]):
            first, second = (cells[a, a], count), (cells[b, b], back)
            if one_class_odds(first, second) > 0:
                both = str(names[a]), str(names[b])
                counts = sum(first), sum(second)
                found.append(AlikeClasses(both, (count, back), counts))
    return sorted(found, key=lambda one: (-sum(one.swapped), one.names))


def _reports(
    looks: np.ndarray, state: ReviewState, faulty: np.ndarray
) -> Iterator[ClassReport]:
    labelled = state.counted & np.array([k is not None for k in state.labels], bool)
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
