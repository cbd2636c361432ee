"""The nearest neighbours, beside what a plain search finds."""

from __future__ import annotations

import numpy as np
import pytest

from fiftyone_dfaulo.engine.features import Features
from fiftyone_dfaulo.engine.neighbours import MOST, NEAREST, find_neighbours


def source(vectors: np.ndarray, index: np.ndarray | None = None) -> Features:
    there = np.arange(len(vectors)) if index is None else index
    return Features(vectors.astype(np.float32), there, {})


def cosines(vectors: np.ndarray) -> np.ndarray:
    away = vectors - vectors.mean(0)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    return np.asarray(away @ away.T)


def test_on_a_ring_the_nearest_are_those_beside() -> None:
    """Twelve points on a circle; of class 1 are two, and one of these is suspicious."""
    angles = np.arange(12) * np.pi / 6 - np.linspace(0, 0.01, 12)  # no ties
    ring = np.column_stack([np.cos(angles), np.sin(angles)])
    labels = np.array([0] * 8 + [1] * 4)
    suggestions = np.where(np.arange(12) == 0, 1, labels)
    suspiciousness = np.zeros(12)
    suspiciousness[[0, 11]] = 0.9, 0.8

    found = find_neighbours([source(ring)], labels, suggestions, suspiciousness)

    first = found[0]
    assert first[0] == 0
    assert first[1:5].tolist() == [1, 11, 2, 10]
    own, other = first[11:21].tolist(), first[21:].tolist()
    assert own == [1, 2, 3, 4, 5, 7, 6, -1, -1, -1]
    assert other == [10, 9, 8, *[-1] * 7]  # 11 is probably wrong itself
    assert found[:, 0].tolist() == [0, 11, *range(1, 11)]


@pytest.mark.parametrize("several", [False, True])
def test_as_a_plain_search_finds_them(several: bool) -> None:
    rng = np.random.default_rng(5)
    count = MOST + 50
    one, two = rng.normal(3, 1, (2, count, 6))
    seen = np.flatnonzero(rng.random(count) < 0.7)
    labels = rng.integers(0, 3, count)
    suggestions = (labels + rng.integers(0, 2, count)) % 3
    suspiciousness = rng.random(count)
    sources, near = [source(one)], cosines(one)
    if several:
        sources.append(source(two[seen], seen))
        near[np.ix_(seen, seen)] += cosines(two[seen])
    np.fill_diagonal(near, -np.inf)

    found = find_neighbours(sources, labels, suggestions, suspiciousness)

    assert len(found) == MOST
    sure = suspiciousness < 0.5
    for row in found[::97]:
        order = np.argsort(-near[row[0]])[:-1]
        alike = order[sure[order] & (labels[order] == labels[row[0]])]
        other = order[sure[order] & (labels[order] == suggestions[row[0]])]
        expected = [*order[:NEAREST], *alike[:NEAREST], *other[:NEAREST]]
        assert row[1:].tolist() == expected


def test_of_a_label_that_no_item_has_there_are_none() -> None:
    points = np.array([[3, 0], [3, 1], [-3, 0], [-3, 1]])
    labels = np.array([0, 0, 1, 1])
    found = find_neighbours(
        [source(points)], labels, np.array([-1, 0, 1, 1]), np.array([0.9, 0, 0, 0])
    )
    assert found[0, :4].tolist() == [0, 1, 2, 3]
    assert found[0, 11:].tolist() == [1, *[-1] * 19]


def test_huge_equal_and_few_embeddings_do_no_harm() -> None:
    huge = np.array([[3e38, 0], [3e38, 1], [-3e38, 0], [0, 0]])  # 2, 3: the other way
    found = find_neighbours(
        [source(huge)], np.array([0, 0, 1, 1]), np.array([1, 0, 1, 0]), np.zeros(4)
    )
    assert found[0, 1:5].tolist() == [1, 2, 3, -1]
