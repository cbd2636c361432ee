"""Near duplicates with different labels: found where they are, and only there."""

import numpy as np
import pytest

from fiftyone_dfaulo.engine.method import near_duplicates

NONE = -1


def scattered(count=600, dimension=12, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, dimension)).astype(np.float32)
    return points, rng.integers(0, 5, count), rng


def with_twins(pairs, distance=0.01, **kwargs):
    """Points of which each second of a pair lies beside the first."""
    points, labels, rng = scattered(**kwargs)
    for first, second in pairs:
        points[second] = points[first] + distance * rng.normal(size=points.shape[1])
        labels[second] = (labels[first] + 1) % 5
    return points, labels


def find(points, labels):
    return near_duplicates.conflicting(points, labels, np.ones(len(labels)))


def test_of_each_pair_both_are_found_and_nothing_else() -> None:
    points, labels = with_twins([(3, 100), (500, 7)])
    near_duplicate_of = find(points, labels)
    expected = np.full(len(labels), NONE)
    expected[[3, 100, 500, 7]] = [100, 3, 7, 500]
    assert near_duplicate_of.dtype == np.int64
    assert near_duplicate_of.tolist() == expected.tolist()


@pytest.mark.parametrize("distance", [0.0, 0.01])
def test_all_are_found_where_every_sample_has_a_copy(distance: float) -> None:
    points, labels = with_twins([(n, 300 + n) for n in range(300)], distance)
    assert find(points, labels).tolist() == [*range(300, 600), *range(300)]


def test_three_copies_of_every_sample_are_found() -> None:
    points, labels = with_twins(
        [(n, k + n) for k in (150, 300, 450) for n in range(150)]
    )
    near_duplicate_of = find(points, labels)
    assert (near_duplicate_of % 150 == np.arange(600) % 150).all()


def test_near_duplicates_with_the_same_label_are_no_conflict() -> None:
    points, labels = with_twins([(3, 100)])
    labels[100] = labels[3]
    assert set(find(points, labels)) == {NONE}


def test_the_nearest_one_with_another_label_is_meant() -> None:
    points, labels = with_twins([(3, 100), (3, 200)])
    points[200] = points[3] + 0.05
    points[300], labels[300] = points[3], labels[3]
    near_duplicate_of = find(points, labels)
    assert [near_duplicate_of[3], near_duplicate_of[300]] == [100, 100]
    assert {near_duplicate_of[100], near_duplicate_of[200]} <= {3, 300}


def test_it_agrees_with_plain_loops() -> None:
    couples = [(n, 300 + n) for n in range(40)]
    triples = [(n, 400 + n) for n in range(0, 40, 3)]
    points, labels = with_twins(couples + triples, 0.05, dimension=6)
    loss = np.random.default_rng(1).exponential(size=len(labels))
    apart = np.linalg.norm(points[:, None].astype(float) - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    near = np.sort(apart, 1)[:, :10]
    logs = [np.sum([np.log(row[9] / d) for d in row[3:9]]) for row in near]
    mean = sum(1 / n for j in range(4, 10) for n in range(j, 10))
    share = min((1e-4 / 9) ** (np.median(logs) / mean), 0.3)
    usual = np.median(near[:, 9])
    expected = []
    for i in range(len(labels)):
        found = [
            (apart[i, j], j)
            for j in range(len(labels))
            if labels[j] != labels[i]
            and apart[i, j] < share * min(near[i, 9], near[j, 9], usual)
            and not (loss[i] < np.log(2) and loss[j] < np.log(2))
        ]
        expected.append(min(found)[1] if found else NONE)
    assert 20 < sum(j != NONE for j in expected) < 80  # some are too far apart
    assert near_duplicates.conflicting(points, labels, loss).tolist() == expected


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spread", [1.5, 3, 6])
def test_the_samples_of_small_classes_are_no_near_duplicates(
    spread: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(30), [150] * 10 + [6] * 20)
    points = rng.normal(size=(len(truth), 64))
    points += spread * rng.normal(size=(30, 64))[truth]
    labels = truth.copy()
    wrong = rng.choice(np.flatnonzero(truth >= 10), 12, replace=False)
    labels[wrong] = rng.integers(0, 30, 12)
    assert set(find(points, labels)) == {NONE}


@pytest.mark.parametrize("dimension", [1, 2, 3, 6, 20])
def test_chance_makes_next_to_none_in_any_dimension(dimension: int) -> None:
    points, labels, _ = scattered(4000, dimension)
    assert (find(points, labels) != NONE).sum() <= 4  # expected: below 1e-4 * 4000


def test_scale_and_place_do_not_matter() -> None:
    points, labels = with_twins([(3, 100)])
    moved = 1000 * points.astype(np.float64) + 5000
    assert find(moved, labels).tolist() == find(points, labels).tolist()


@pytest.mark.parametrize("count", [2, 9, 10, 11, 12])
def test_few_samples_are_no_error(count: int) -> None:
    points, labels, _ = scattered(count)
    assert set(find(points, labels)) == {NONE}


def test_many_samples_at_one_place_are_not_near_duplicates() -> None:
    points, labels, _ = scattered()
    points[:50] = points[0]
    assert set(find(points, labels)) == {NONE}
    assert set(find(np.zeros_like(points), labels)) == {NONE}


def test_two_that_models_tell_apart_are_two_things() -> None:
    points, labels = with_twins([(3, 100), (4, 101), (5, 102)])
    loss = np.full(len(labels), -np.log(0.51))
    loss[[101, 5, 102]] = -np.log(0.49)
    near_duplicate_of = near_duplicates.conflicting(points, labels, loss)
    assert np.flatnonzero(near_duplicate_of != NONE).tolist() == [4, 5, 101, 102]


def test_one_of_two_needs_to_have_a_high_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "SEARCHED", 300)
    points, labels = with_twins([(3, 500), (4, 501)])
    loss = np.arange(len(labels), dtype=float)
    loss[501] = 2.0  # neither 4 nor 501 is among the 300 with the highest
    near_duplicate_of = near_duplicates.conflicting(points, labels, loss)
    assert np.flatnonzero(near_duplicate_of != NONE).tolist() == [3, 500]


def test_thumbnails_are_the_mean_colours_of_fields() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 16, 16, 3), np.uint8)
    found = near_duplicates.thumbnails(pixels)
    assert (found.shape, found.dtype) == ((300, 192), np.float32)
    fields = pixels.reshape(300, 8, 2, 8, 2, 3).mean((2, 4))  # row, column, colour
    np.testing.assert_allclose(found, fields.reshape(300, 192), rtol=1e-6)


def test_fields_differ_by_one_pixel_where_the_size_is_no_multiple() -> None:
    row = np.arange(13, dtype=np.uint8)
    pixels = np.broadcast_to(row[None, None, :, None], (1, 13, 13, 3))
    found = near_duplicates.thumbnails(pixels).reshape(8, 8, 3)
    # columns begin at 0 1 3 4 6 8 9 11
    expected = [0, 1.5, 3, 4.5, 6.5, 8, 9.5, 11.5]
    assert (found == np.array(expected)[None, :, None]).all()


@pytest.mark.parametrize("size", [8, 13, 64])
def test_noise_leaves_an_image_a_near_duplicate(size: int) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (200, size, size, 3), np.uint8)
    pixels[7] = np.clip(pixels[120] + rng.normal(scale=8, size=pixels[7].shape), 0, 255)
    labels = np.arange(200) % 4
    labels[120] = labels[7] + 1
    near_duplicate_of = find(near_duplicates.thumbnails(pixels), labels)
    assert np.flatnonzero(near_duplicate_of != NONE).tolist() == [7, 120]


def test_many_are_searched_along_few_directions_with_the_same_result(
    monkeypatch,
) -> None:
    points, labels = with_twins([(3, 100), (500, 7), (550, 551)], 0.3, dimension=160)
    points *= np.linspace(1, 3, 160, dtype=np.float32)
    exact = find(points, labels)
    monkeypatch.setattr(near_duplicates, "MANY", 300)
    assert find(points, labels).tolist() == exact.tolist()
    assert (exact >= 0).sum() == 6


@pytest.mark.parametrize("crowded", [False, True], ids=["even", "drawn ones crowded"])
def test_candidates_are_the_nearest_of_all(crowded: bool) -> None:
    points, _, _ = scattered(5_000, 8)
    if crowded:  # those that are drawn say that candidates are nearer than they are
        points[:: near_duplicates.DRAWN] *= 1e-3
    samples = np.arange(0, 5_000, 50)
    found = near_duplicates._Candidates(points).of(samples)
    apart = ((points[samples, None] - points[None]) ** 2).sum(2)
    nearest = np.argsort(apart, 1)[:, : near_duplicates.CANDIDATES]
    assert np.sort(found, 1).tolist() == np.sort(nearest, 1).tolist()
