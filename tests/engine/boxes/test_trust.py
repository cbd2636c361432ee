"""How far a disagreement can be trusted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from fiftyone_dfaulo.engine.boxes import trust
from fiftyone_dfaulo.engine.boxes.trust import Trust, learn_trust


def test_blame_by_bayes_rule() -> None:
    found = Trust(np.array([1 - 1e-9, 0.5, 1e-9]), np.full(3, 0.1))

    # surely right: the label's fault; never right: as any label; else .1 / (1 - .45)
    assert found.blame() == pytest.approx([1, 0.1 / 0.55, 0.1], abs=1e-6)
    assert found.credit() == pytest.approx([1, 0.05 / 0.55, 0], abs=1e-6)


def simulated(faulty: float, seed: int = 51) -> tuple[np.ndarray, ...]:
    """Disagreements of a detector that is right by a known curve."""
    rng = np.random.default_rng(seed)
    feature = rng.normal(size=(4000, 1))
    right = expit(2 + 2.5 * feature[:, 0])
    wrong = rng.random(4000) < faulty
    agree = (rng.random(4000) < right) & ~wrong
    return agree.astype(float), feature, right, wrong, rng.integers(0, 400, 4000)


@pytest.mark.parametrize("faulty", [0.03, 0.1, 0.2])
def test_the_share_of_wrong_labels_and_the_curve_are_found(faulty: float) -> None:
    agree, feature, right, wrong, images = simulated(faulty)
    found = learn_trust(agree, feature, np.zeros(4000, int), images, 51)

    assert found.faulty[0] == pytest.approx(faulty, abs=0.25 * faulty + 0.005)
    assert np.abs(found.right - right).mean() < 0.03
    against = agree == 0
    assert found.blame()[against].sum() == pytest.approx(wrong.sum(), rel=0.3)


def test_a_class_on_which_the_detector_is_bad_is_blamed_less() -> None:
    rng = np.random.default_rng(51)
    classes = np.repeat([0, 1], 2000)
    agree = (rng.random(4000) < np.where(classes == 0, 0.95, 0.5)).astype(float)
    found = learn_trust(agree, np.zeros((4000, 1)), classes, np.arange(4000), 51)
    blame = found.blame()

    assert blame[:2000].mean() > 5 * blame[2000:].mean()


def test_no_image_vouches_for_itself() -> None:
    agree, feature, _, _, images = simulated(0.1)
    before = learn_trust(agree, feature, np.zeros(4000, int), images, 51)
    changed = np.where(images == 7, 1 - agree, agree)
    after = learn_trust(changed, feature, np.zeros(4000, int), images, 51)

    assert np.array_equal(before.right[images == 7], after.right[images == 7])
    assert not np.array_equal(before.right, after.right)


def test_one_image_everything_agrees_and_nothing_does() -> None:
    for agree in (np.ones(20), np.zeros(20)):
        none = np.zeros(20, int)
        found = learn_trust(agree, np.zeros((20, 2)), none, none, 51)

        assert ((found.blame() > 0) & (found.blame() < 1)).all()


def test_classes_that_differ_by_chance_alone_are_held_equal() -> None:
    rng = np.random.default_rng(51)
    agree = (rng.random(2000) < 0.9).astype(float)
    odds = trust._agreement(agree, rng.integers(0, 10, 2000), 10)

    assert np.ptp(odds) < 0.01
