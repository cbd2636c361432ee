"""Faults are planned as their kind says, and images painted as asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_dfaulo.engine.injection.painting import read_shapes, write_images
from fiftyone_dfaulo.engine.injection.plans import (
    BLACK,
    COPY,
    FOREIGN,
    GREY,
    KINDS,
    LABEL,
    NOISE,
    PAINTED,
    TAKEN,
    WHITE,
    Plan,
    nearest_pairs,
    paint,
    plan_faults,
    rank_pairs,
)
from fiftyone_dfaulo.errors import InputError

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
    told = [planned.what(n) for n in range(len(LABELS))]
    assert told.count(None) == (~planned.faults).sum()
    assert {told.count(LABEL), told.count(FOREIGN)} == {8, 9}
    told = [plan("corrupt").what(n) for n in range(len(LABELS))]
    assert [told.count(what) for what in (BLACK, GREY, WHITE, NOISE)] == [5, 4, 4, 4]


def test_a_duplicate_shows_another_class_that_is_itself_no_fault() -> None:
    planned = plan("duplicates")
    assert len(planned.sources) == planned.faults.sum()
    for position, source in planned.sources.items():
        assert LABELS[position] != LABELS[source]
        assert not planned.faults[source]


def test_classes_are_ranked_by_the_share_that_is_taken_for_one_other() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 3])
    seen = np.array([1, 1, 2, 0, 0, 1, 2, 0])
    # 0: half of it for 1; 1: half for 0; 2 for none; 3: all of it for 0
    assert rank_pairs(labels, seen, 4) == [(3, 0), (0, 1), (1, 0), (2, 3)]
    assert rank_pairs(labels, labels, 4) == [(0, 1), (1, 2), (2, 3), (3, 0)]


def test_the_class_nearest_to_another_ones_mean_comes_first() -> None:
    # means at 0, 10 and 12 of a line; the samples of class 1 lie nearest to another
    embeddings = np.array([[-1.0, 5], [1, 5], [10, 5], [10, 5], [11, 5], [13, 5]])
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert nearest_pairs(embeddings, labels) == [(1, 2), (2, 1), (0, 1)]


@pytest.mark.parametrize("shape", [(8, 8), (8, 9, 3), (700, 30, 3), (500, 900), (1, 1)])
def test_painted_images_have_the_shape_asked_for(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for what in (FOREIGN, BLACK, GREY, WHITE, NOISE):
        image = paint(what, shape, rng)
        assert image.shape == shape
        assert image.dtype == np.uint8
    tones = [paint(what, shape, rng) for what in (BLACK, GREY, WHITE)]
    assert [set(tone.ravel().tolist()) for tone in tones] == [{0}, {128}, {255}]


def test_a_copy_is_its_source_with_a_little_noise() -> None:
    source = np.full((40, 40), 100, np.uint8)
    copy = paint(COPY, (40, 40), np.random.default_rng(0), source).astype(int)
    assert 0 < np.abs(copy - 100).mean() < 10


def test_foreign_images_differ_from_one_another() -> None:
    rng = np.random.default_rng(0)
    crops = {paint(FOREIGN, (12, 12, 3), rng).tobytes() for _ in range(20)}
    assert len(crops) == 20


@pytest.mark.parametrize(
    ("mode", "shape"),
    [("L", (6, 9)), ("RGB", (6, 9, 3)), ("I;16", (6, 9)), ("P", None)],
)
def test_a_new_image_is_like_the_one_it_replaces(
    tmp_path: Path, mode: str, shape: tuple[int, ...] | None
) -> None:
    old, other = tmp_path / "old.png", tmp_path / "other.png"
    Image.new(mode, (9, 6)).save(old)
    Image.new("RGB", (30, 20), "red").save(other)
    paths, what = [str(old), str(other)], {0: COPY}
    planned = Plan(np.array([0, 1]), np.array([True, False]), what, {0: 1})
    shapes = read_shapes(paths, planned)
    assert shapes == {0: shape or (6, 9, 3)}
    rng = np.random.default_rng(0)
    write_images(paths, planned, shapes, rng, {0: tmp_path / "new.png"})
    with Image.open(tmp_path / "new.png") as new:
        assert new.size == (9, 6)
        assert new.mode == ("L" if len(shapes[0]) == 2 else "RGB")
        red = np.asarray(new.convert("RGB")).mean((0, 1))
    assert (red > [50, 0, 0]).all()


def test_an_image_on_its_side_is_replaced_by_one_that_stands_upright(
    tmp_path: Path,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "side.jpg"
    Image.new("RGB", (9, 6)).save(path, exif=exif)
    planned = Plan(np.array([0]), np.array([True]), {0: NOISE})
    assert read_shapes([str(path)], planned) == {0: (9, 6, 3)}


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"no image")
    planned = Plan(np.array([0]), np.array([True]), {0: NOISE})
    with pytest.raises(InputError, match="torn.png cannot be read .not an image"):
        read_shapes([str(tmp_path / "torn.png")], planned)
