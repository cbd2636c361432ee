"""That faults are planted as their kind says, and nothing else is changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench.cases import KINDS, LEAK, Case, plant, read_digits, read_folder, read_npz
from PIL import Image

PAIRS = [(k, (k + 3) % 10) for k in range(10)]
IMAGES = {"random-data", "specific-data", "mixture", "corrupt", "duplicates"}


@pytest.fixture(scope="module")
def digits() -> Case:
    return read_digits()


def changed_images(one: Case, other: Case) -> np.ndarray:
    return (one.images != other.images).reshape(len(one.images), -1).any(1)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"imbalanced"}))
def test_faults_are_the_samples_that_were_changed_and_no_others(
    digits: Case, kind: str
) -> None:
    planted = plant(digits, kind, 0.1, 5, PAIRS)
    changed = (planted.labels != digits.labels) | changed_images(planted, digits)
    np.testing.assert_array_equal(changed, planted.faults)
    assert changed_images(planted, digits).any() == (kind in IMAGES)
    wrong = planted.labels != planted.truth
    np.testing.assert_array_equal(wrong, planted.faults)


@pytest.mark.parametrize("kind", ["random-label", "random-data", "corrupt"])
def test_a_tenth_of_every_class_is_changed(digits: Case, kind: str) -> None:
    planted = plant(digits, kind, 0.1, 5, PAIRS)
    for k in range(10):
        members = digits.labels == k
        assert planted.faults[members].sum() == round(0.1 * members.sum())


def test_a_third_of_the_classes_leak_into_their_pair(digits: Case) -> None:
    planted = plant(digits, "pair", 0.5, 5, PAIRS)
    for k in range(10):
        members = digits.labels == k
        moved = planted.labels[members & planted.faults]
        assert len(moved) == (round(LEAK * members.sum()) if k < 3 else 0)
        assert set(moved) <= {(k + 3) % 10}


def test_two_classes_exchange_labels(digits: Case) -> None:
    planted = plant(digits, "specific-label", 0.1, 5, PAIRS)
    moved = set(zip(digits.labels[planted.faults], planted.labels[planted.faults]))
    assert moved == {(0, 3), (3, 0)}


def test_imbalanced_classes_shrink_to_a_tenth(digits: Case) -> None:
    planted = plant(digits, "imbalanced", 0.1, 5, PAIRS)
    sizes = np.sort(np.bincount(planted.truth))
    assert sizes[-1] == np.bincount(digits.labels).max() or sizes[-1] > 170
    assert sizes[0] / sizes[-1] == pytest.approx(0.1, abs=0.02)
    np.testing.assert_array_equal(planted.labels != planted.truth, planted.faults)


def test_a_duplicate_shows_another_class_than_its_label(digits: Case) -> None:
    planted = plant(digits, "duplicates", 0.1, 5, PAIRS)
    for n in np.flatnonzero(planted.faults)[:20]:
        distance = np.abs(digits.images.astype(int) - planted.images[n]).mean((1, 2))
        assert digits.labels[distance.argmin()] == planted.truth[n]
        assert planted.truth[n] != planted.labels[n]


def test_a_seed_gives_the_same_faults_again_and_another_seed_others(
    digits: Case,
) -> None:
    one, again, other = (
        plant(digits, "mixture", 0.1, seed, PAIRS) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.faults, again.faults)
    np.testing.assert_array_equal(one.images, again.images)
    assert (one.faults != other.faults).any()


def test_an_npz_file_with_true_labels_has_its_own_faults(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    images = np.zeros((3, 8, 8), np.uint8)
    np.savez(path, images=images, given=[0, 1, 1], true=[0, 0, 1])
    case = read_npz(path, "given", "true")
    assert case.faults.tolist() == [False, True, False]
    assert case.name == "some-given"


def test_a_folder_of_classes_is_read_with_its_labels(tmp_path: Path) -> None:
    for name, tone in (("cat", 10), ("dog", 200), ("cat", 11)):
        (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.full((8, 8), tone, np.uint8))
        image.save(tmp_path / "set" / name / f"{tone}.png")
    case = read_folder(tmp_path / "set")
    assert case.labels.tolist() == [0, 0, 1]
    assert case.images[:, 0, 0, 0].tolist() == [10, 11, 200]
    assert not case.faults.any()
