"""Cross-fitted heads: folds, subsets that are left out, out-of-sample outputs."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from fiftyone_dfaulo.engine.method import regression
from fiftyone_dfaulo.engine.method.heads import (
    FOLDS,
    INVERSE_REGULARIZATION,
    assign_folds,
    leave_out,
    out_of_sample,
    standardise,
)


def blobs(counts, seed=0, dim=4):
    """Gaussian classes, ``counts[k]`` samples of class k."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    centres = 3 * rng.normal(size=(len(counts), dim))
    features = centres[labels] + rng.normal(size=(len(labels), dim))
    order = rng.permutation(len(labels))
    return features[order].astype(np.float32), labels[order]


def test_standardised_features_have_mean_0_and_variance_1():
    result = standardise(np.array([[1.0, 5.0], [3.0, 5.0]]))
    np.testing.assert_allclose(result, [[-1, 0], [1, 0]])
    assert result.dtype == np.float32


@pytest.mark.parametrize("scale", [1e-7, 1e20, 1e30])
def test_the_scale_of_the_embeddings_does_not_matter(scale):
    values = np.array([[1.0, 5.0], [3.0, 5.0]], np.float32)
    with np.errstate(over="raise"):
        np.testing.assert_allclose(
            standardise(values * np.float32(scale)), [[-1, 0], [1, 0]], atol=1e-6
        )


@pytest.mark.parametrize("counts", [[1, 2, 7, 23], [5, 5], [100, 1]])
def test_every_class_is_dealt_evenly_over_the_folds(counts):
    labels = blobs(counts)[1]
    folds = assign_folds(labels, np.random.default_rng(3))
    for k in range(len(counts)):
        per_fold = np.bincount(folds[labels == k], minlength=FOLDS)
        assert len(per_fold) == FOLDS
        assert per_fold.max() - per_fold.min() <= 1


def test_folds_depend_on_the_generator_alone():
    labels = blobs([20, 30])[1]
    first = assign_folds(labels, np.random.default_rng(1))
    again = assign_folds(labels, np.random.default_rng(1))
    other = assign_folds(labels, np.random.default_rng(2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_highest_scores_are_left_out():
    labels = np.repeat([0, 1], 20)
    scores = np.arange(40.0)
    out = leave_out(scores, labels, 3)
    np.testing.assert_array_equal(np.flatnonzero(out), [37, 38, 39])


def test_at_most_half_of_a_class_is_left_out():
    labels = np.repeat([0, 1], [10, 30])
    scores = np.where(labels == 0, 10.0, 0.0) + np.arange(40) / 100
    out = leave_out(scores, labels, 12)
    np.testing.assert_array_equal(np.flatnonzero(out), [5, 6, 7, 8, 9, 38, 39])


def test_a_tiny_class_loses_no_sample():
    labels = np.repeat([0, 1], [2 * FOLDS - 1, 30])
    out = leave_out(np.where(labels == 0, 1.0, 0.0), labels, 20)
    assert not out[labels == 0].any()


def test_nothing_is_left_out_for_a_count_of_0():
    assert not leave_out(np.ones(20), np.zeros(20, int), 0).any()


def test_a_sample_never_vouches_for_itself():
    """Its own label changes nothing about its own log-probabilities."""
    features, labels = blobs([20, 20, 20])
    folds = assign_folds(labels, np.random.default_rng(0))
    before = out_of_sample(features, labels, folds)[:]
    changed = labels.copy()
    changed[7] = (changed[7] + 1) % 3
    after = out_of_sample(features, changed, folds)[:]
    np.testing.assert_array_equal(before[7], after[7])
    assert (before[folds != folds[7]] != after[folds != folds[7]]).any()


@pytest.mark.parametrize("counts", [[20, 30], [12, 2, 1, 25]])
def test_heads_agree_with_a_sample_by_sample_computation(counts, monkeypatch):
    monkeypatch.setattr(regression, "TOLERANCE", 1e-9)
    features, labels = blobs(counts)
    folds = assign_folds(labels, np.random.default_rng(0))
    left_out = np.zeros(len(labels), bool)
    left_out[np.flatnonzero(labels == 0)[:4]] = True
    result = out_of_sample(features, labels, folds, left_out)[:]
    for i in range(len(labels)):
        others = [
            j
            for j in range(len(labels))
            if (folds[j] != folds[i] and not left_out[j])
            or (labels == labels[j]).sum() == 1
        ]
        head = LogisticRegression(
            C=INVERSE_REGULARIZATION / len(others), tol=1e-7, max_iter=999
        )
        head.fit(features[others], labels[others])
        expected = np.log(head.predict_proba(features[i : i + 1])[0])
        np.testing.assert_allclose(result[i], expected, rtol=5e-3, atol=5e-3)


def test_the_only_sample_of_a_class_still_counts_to_it():
    features, labels = blobs([30, 30, 1])
    features[labels == 2] += 20
    folds = assign_folds(labels, np.random.default_rng(0))
    result = out_of_sample(features, labels, folds)[:]
    assert np.isfinite(result).all()
    assert result[labels == 2].argmax(1) == 2


def test_heads_report_up_to_the_end():
    features, labels = blobs([10, 10])
    fractions: list[float] = []
    folds = assign_folds(labels, np.random.default_rng(0))
    out_of_sample(features, labels, folds, report=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_heads_are_the_same_to_the_bit_whatever_the_number_of_threads():
    features, labels = blobs([700] * 4, dim=256)
    folds = assign_folds(labels, np.random.default_rng(0))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(out_of_sample(features, labels, folds)[:])
    np.testing.assert_array_equal(*found)


def test_mutants_start_from_heads_that_have_not_seen_their_samples_either():
    """Embeddings that tell every sample apart: what has seen a label, knows it."""
    rng = np.random.default_rng(0)
    features = standardise(rng.normal(size=(60, 200)))
    labels = rng.permutation(np.arange(60) % 2)
    folds = assign_folds(labels, rng)
    first = out_of_sample(features, labels, folds, inverse=3e4)
    mutant = out_of_sample(features, labels, folds, inverse=3e4, start=first.weights)
    seen = np.stack(
        [
            regression.log_probabilities(features, mutant.weights[(fold + 1) % FOLDS])
            for fold in range(FOLDS)
        ]
    )[folds, np.arange(60)]
    assert (seen.argmax(1) == labels).all()
    assert abs((mutant[:].argmax(1) == labels).mean() - 0.5) < 0.2
