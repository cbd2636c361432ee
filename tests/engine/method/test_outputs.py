"""What models say, asked block by block: the same as from arrays of all."""

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.method import outputs, regression


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "BLOCK", 7)


def drawn(count: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (N, K), and labels."""
    rng = np.random.default_rng(seed)
    logits = 3 * rng.normal(size=(count, classes))
    return log_softmax(logits, axis=1), rng.integers(0, classes, count)


def test_each_sample_is_asked_of_the_head_of_its_fold() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20, 3)).astype(np.float32)
    folds = rng.integers(0, 5, 20)
    weights = rng.normal(size=(5, 4, 60)).astype(np.float32)
    heads = outputs.HeadOutputs(features, folds, weights)
    assert heads.shape == (20, 60)
    for rows in (slice(None), slice(3, 9), np.array([4, 17, 4])):
        expected = [
            regression.log_probabilities(features[n : n + 1], weights[folds[n]])[0]
            for n in np.arange(20)[rows]
        ]
        np.testing.assert_allclose(heads[rows], expected, rtol=1e-5)
    assert outputs.in_memory(heads) is heads
    few = outputs.HeadOutputs(features, folds, weights[:, :, :50])
    np.testing.assert_allclose(outputs.in_memory(few)[:], few[:], rtol=1e-5)
    assert isinstance(outputs.in_memory(few), np.ndarray)


def test_a_vote_is_the_mean_of_the_log_probabilities_by_share() -> None:
    tables = [drawn(20, 4, seed)[0] for seed in range(3)]
    share = np.array([[1.0, 3.0]] * 10 + [[2.0, 0.0]] * 10)
    partner = np.full(20, -1)
    partner[[2, 15]] = 15, 2
    vote = outputs.Vote([tables[:2], tables[2:]], share, partner)
    group = (tables[0] + tables[1]) / 2
    expected = log_softmax(group / 4 + 3 * tables[2] / 4, axis=1)
    expected[10:] = log_softmax(group[10:], axis=1)
    expected[[2, 15]] = log_softmax((expected[2] + expected[15]) / 2)
    for rows in (slice(None), slice(1, 5), np.array([15, 0])):
        np.testing.assert_allclose(vote[rows], expected[rows])
    assert vote.shape == (20, 4)


@pytest.mark.parametrize("classes", [3, 50, 51, 80])
def test_the_likeliest_classes_are_kept_and_the_label(classes: int) -> None:
    table, labels = drawn(30, classes)
    kept = outputs.likeliest(table, labels)
    count = min(classes, outputs.FEW)
    assert kept.values.shape == kept.classes.shape == (30, count)
    assert kept.others == classes - count
    assert (np.diff(kept.classes, axis=1) > 0).all()
    rows = np.arange(30)
    assert (kept.classes[rows, kept.of_label(labels)] == labels).all()
    np.testing.assert_allclose(
        kept.values, table[rows[:, None], kept.classes], rtol=1e-5
    )
    assert (kept.best() == table.argmax(1)).all()
    for n in rows:
        order = [k for k in np.argsort(-table[n]) if k != labels[n]]
        assert {*kept.classes[n]} == {labels[n], *order[: count - 1]}
    if kept.others:
        total = logsumexp(kept.values, axis=1, b=1.0)
        left = np.log(kept.others) + kept.rest
        np.testing.assert_allclose(np.logaddexp(total, left), 0, atol=1e-5)


def test_sharpened_by_hand() -> None:
    kept = outputs.Likeliest(
        np.array([[1, 4]]), np.log([[0.5, 0.2]]), np.log([0.1]), others=3
    )
    # squares .25, .04, three times .01
    sharp = kept.sharpened(2.0)
    np.testing.assert_allclose(sharp.values, [[0.25 / 0.32, 0.04 / 0.32]])
    np.testing.assert_allclose(sharp.rest, [0.01 / 0.32])
    assert sharp.take(np.array([0, 0])).rest.shape == (2,)


def test_labels_are_judged_as_by_the_signals() -> None:
    table, labels = drawn(30, 5)
    found = outputs.judge(table, labels)
    np.testing.assert_allclose(found.loss, signals.loss(table, labels), rtol=1e-5)
    np.testing.assert_allclose(found.margin, signals.margin(table, labels), rtol=1e-5)
    assert (found.likeliest == table.argmax(1)).all()


def test_more_classes_than_are_kept_give_the_same_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fiftyone_dfaulo.config import Settings
    from fiftyone_dfaulo.engine.method import single_label
    from tests.engine.method.test_single_label import faulty_blobs

    embeddings, labels, *_ = faulty_blobs([60] * 12, dim=6)
    whole = single_label.score(embeddings, labels, settings=Settings())
    monkeypatch.setattr(outputs, "FEW", 6)
    few = single_label.score(embeddings, labels, settings=Settings())
    assert few.estimated_faults == pytest.approx(whole.estimated_faults, rel=0.03)
    assert (few.suggestion == whole.suggestion).all()
    both = np.corrcoef(few.suspiciousness, whole.suspiciousness)
    assert both[0, 1] > 0.999
