"""Faults are planned as their kind says."""

from __future__ import annotations

import numpy as np
import pytest

from fiftyone_dfaulo.engine.injection.plans import (
    BLACK,
    FOREIGN,
    GREY,
    KINDS,
    LABEL,
    NOISE,
    PAINTED,
    TAKEN,
    WHITE,
    Plan,
    plan_faults,
)

LABELS = np.repeat(np.arange(6), [40, 40, 40, 20, 20, 10])
PAIRS = [(2, 0), (4, 1), (0, 3), (1, 5), (3, 4), (5, 2)]


def plan(kind: str, rate: float = 0.1, seed: int = 5) -> Plan:
    return plan_faults(LABELS, kind, rate, np.random.default_rng(seed), PAIRS)


def moves(planned: Plan) -> set[tuple[int, int]]:
    wrong = np.flatnonzero(planned.faults & (planned.labels != LABELS))
    return set(zip(LABELS[wrong].tolist(), planned.labels[wrong].tolist()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_has_another_label_or_another_image_and_nothing_else_changes(
    kind: str,
) -> None:
    planned = plan(kind)
    relabelled = (planned.labels != LABELS) & (planned.labels >= 0)
    repainted = np.isin(np.arange(len(LABELS)), list(planned.images))
    np.testing.assert_array_equal(relabelled | repainted, planned.faults)
    assert not (relabelled & repainted).any()
    assert repainted.any() == (kind in PAINTED)
    assert (planned.labels < 0).any() == (kind == "imbalanced")


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_plans_the_same_again_and_another_one_something_else(kind: str) -> None:
    one, again, other = plan(kind), plan(kind), plan(kind, seed=6)
    np.testing.assert_array_equal(one.labels, again.labels)
    assert one.images == again.images
    assert one.sources == again.sources
    assert (one.faults != other.faults).any()


@pytest.mark.parametrize(
    ("kind", "classes"),
    [
        ("random_label", {0: 4, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}),
        ("random_data", {0: 4, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}),
        ("corrupt", {0: 4, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}),
        ("specific_label", {0: 4, 2: 4}),
        ("specific_data", {2: 4}),
        ("pair", {2: 12, 4: 6}),
    ],
)
def test_so_many_of_each_class_become_faults(
    kind: str, classes: dict[int, int]
) -> None:
    counts = np.bincount(LABELS[plan(kind).faults], minlength=6)
    assert {k: int(n) for k, n in enumerate(counts) if n} == classes


def test_pairs_say_which_classes_are_taken_for_which() -> None:
    assert moves(plan("pair")) == {(2, 0), (4, 1)}
    assert moves(plan("specific_label")) == {(2, 0), (0, 2)}


def test_of_two_classes_one_leaks() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 20)
    planned = plan_faults(labels, "pair", 0.1, rng, [(0, 1), (1, 0)])
    assert planned.faults[:20].sum() == 6
    assert planned.faults[20:].sum() == 0


def test_imbalanced_classes_shrink_to_a_tenth_before_labels_go_wrong() -> None:
    labels = np.repeat(np.arange(5), 100)
    planned = plan_faults(labels, "imbalanced", 0.1, np.random.default_rng(1), [])
    kept = np.sort(np.bincount(labels[planned.labels >= 0]))
    assert kept.tolist() == [10, 18, 32, 56, 100]
    assert planned.faults.sum() == 1 + 2 + 3 + 6 + 10
    taken = int(np.flatnonzero(planned.labels < 0)[0])
    assert planned.what(taken) == TAKEN


def test_what_is_done_is_told_in_words() -> None:
    planned = plan("mixture")
    kinds = [planned.what(n) for n in range(len(LABELS))]
    assert kinds.count(None) == (~planned.faults).sum()
    assert {kinds.count(LABEL), kinds.count(FOREIGN)} == {8, 9}
    kinds = [plan("corrupt").what(n) for n in range(len(LABELS))]
    assert [kinds.count(what) for what in (BLACK, GREY, WHITE, NOISE)] == [5, 4, 4, 4]


def test_a_duplicate_shows_another_class_that_is_itself_no_fault() -> None:
    planned = plan("duplicates")
    assert len(planned.sources) == planned.faults.sum()
    for position, source in planned.sources.items():
        assert LABELS[position] != LABELS[source]
        assert not planned.faults[source]
