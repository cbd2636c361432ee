"""The classes as a whole: how many labels are wrong, and which may be one class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.results.texts import count_pairs
from fiftyone_dfaulo.adapter.review.state.items import ReviewState
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
    results: ComparedResults, state: ReviewState, chances: np.ndarray
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
    found = list(_reports(results.texts.suggestions, state, faulty))
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


def alike_classes(results: ComparedResults, state: ReviewState) -> list[AlikeClasses]:
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
    open_ = state.present & (state.labels >= 0) & (state.verdicts == -1)
    rows, names = np.flatnonzero(open_), state.names
    labels, looks = state.labels[rows], results.texts.suggestions[rows]
    given_to_some = np.bincount(labels, minlength=len(names)) > 0
    known = given_to_some[looks]
    pairs = count_pairs(labels[known], looks[known], len(names))
    cells = Counter({(a, b): n for a, b, n in zip(*(part.tolist() for part in pairs))})
    most: dict[int, int] = {}
    for (given, look), count in cells.items():
        if given != look:
            most[given] = max(count, most.get(given, 0))
    found = []
    for (a, b), count in cells.items():
        back = cells[b, a]
        if names[a] < names[b] and back and (count, back) == (most[a], most[b]):
            first, second = (cells[a, a], count), (cells[b, b], back)
            if one_class_odds(first, second) > 0:
                counts = sum(first), sum(second)
                both = names[a], names[b]
                found.append(AlikeClasses(both, (count, back), counts))
    return sorted(found, key=lambda one: (-sum(one.swapped), one.names))


def _reports(
    looks: np.ndarray, state: ReviewState, faulty: np.ndarray
) -> Iterator[ClassReport]:
    rows, names = np.flatnonzero(state.counted & (state.labels >= 0)), state.names
    labels, size = state.labels[rows], len(names)
    scored = np.bincount(labels, minlength=size)
    hits = np.bincount(labels, state.verdicts[rows] == 1, size)
    expected = np.bincount(labels, faulty[rows], size)
    others: dict[int, tuple[float, str]] = {}
    pairs = count_pairs(labels, looks[rows], size, faulty[rows])
    for given, look, weight in zip(*(part.tolist() for part in pairs)):
        best = others.get(given, (0.0, ""))
        if given != look and (-weight, names[look]) < (-best[0], best[1]):
            others[given] = weight, names[look]
    for n in np.flatnonzero(scored):
        _, other = others.get(int(n), (0.0, None))
        found = int(hits[n])
        yield ClassReport(names[n], int(scored[n]), found, float(expected[n]), other)
