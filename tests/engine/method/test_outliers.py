"""Foreign content: it is found, and what merely differs is not."""

import numpy as np
import pytest

from fiftyone_dfaulo.engine.method import outliers
from fiftyone_dfaulo.engine.method.heads import assign_folds

N, K, A = 1000, 5, 12


def images(seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(N) % K
    return rng.normal(size=(N, A)), labels, assign_folds(labels, rng), rng


def find(appearance, labels, folds, contradicted=None):
    if contradicted is None:
        contradicted = np.zeros(N, bool)
    return outliers.foreign_content(appearance, labels, folds, contradicted)


def test_without_foreign_images_none_is_found():
    appearance, labels, folds, rng = images()
    contradicted = rng.random(N) < 0.1
    assert (find(appearance, labels, folds, contradicted) < 0.01).all()


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_images_far_from_all_others_are_found(share):
    appearance, labels, folds, rng = images()
    foreign = rng.random(N) < share
    appearance[foreign] += 40.0
    found = find(appearance, labels, folds, foreign)
    assert (found[foreign] > 0.99).all()
    assert (found[~foreign] < 0.01).all()


def test_foreign_images_of_one_class_are_found_though_heads_confirm_their_label():
    appearance, labels, folds, _ = images()
    foreign = (labels == 2) & (np.arange(N) < 50)
    appearance[foreign] += 40.0
    found = find(appearance, labels, folds)
    assert (found[foreign] > 0.99).all()
    assert (found[~foreign] < 0.01).all()


def test_a_class_that_looks_different_as_a_whole_is_not_foreign():
    appearance, labels, folds, _ = images()
    labels = np.where(np.arange(N) < 50, K, labels)
    appearance[labels == K] += 40.0
    assert (find(appearance, labels, folds) < 0.01).all()


def test_images_of_another_kind_whose_labels_heads_know_are_not_foreign():
    appearance, labels, folds, rng = images()
    appearance[rng.random(N) < 0.05] += 40.0  # taken at night, of every class
    assert (find(appearance, labels, folds) < 0.01).all()


def test_images_somewhat_apart_are_foreign_where_heads_contradict_their_labels():
    appearance, labels, folds, rng = images()
    odd = rng.random(N) < 0.1
    appearance[odd] += 2.2
    scores = outliers.outlier_score(appearance, labels, folds)
    assert 3 < np.median(scores[odd]) < outliers.OUTLIER_LIMIT - 2
    assert (find(appearance, labels, folds)[odd] < 0.2).all()
    found = find(appearance, labels, folds, odd | (rng.random(N) < 0.05))
    assert np.median(found[odd]) > 0.7
    assert np.median(found[~odd]) == pytest.approx(0.0, abs=0.01)


def test_the_outlier_score_agrees_with_a_plain_fit_where_nothing_is_far():
    appearance, labels, folds, _ = images()
    distance = (appearance**2).sum(1)  # the true mean is 0, the covariance 1
    scores = outliers.outlier_score(appearance, labels, folds)
    assert np.corrcoef(np.log(distance), scores)[0, 1] > 0.97


def test_constant_and_few_images_tell_nothing():
    _, labels, folds, _ = images()
    assert (find(np.ones((N, A)), labels, folds) < 1e-6).all()
    few = slice(0, outliers.LEAST_SAMPLES - 1)
    appearance = np.random.default_rng(0).normal(size=(N, A)) * 100
    found = outliers.foreign_content(
        appearance[few], labels[few], folds[few], np.ones(N, bool)[few]
    )
    assert (found == 0).all()
