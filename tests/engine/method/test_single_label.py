"""``method="dfaulo"`` as a whole: what it finds, against a slow re-computation."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.cache.folder import Folder, RunOf
from fiftyone_dfaulo.engine.cache.work import Keeper, Work
from fiftyone_dfaulo.engine.method import (
    ensemble,
    regression,
    sharpness,
    single_label,
)
from fiftyone_dfaulo.engine.method.ensemble import fit_ensemble
from fiftyone_dfaulo.engine.method.heads import (
    FOLDS,
    assign_folds,
    mutant_subset,
    standardise,
)
from fiftyone_dfaulo.engine.method.outputs import likeliest
from fiftyone_dfaulo.engine.method.reasons import REASONS
from fiftyone_dfaulo.engine.method.wrong_label import HARD
from tests.engine.method.noise_oracle import find
from tests.engine.method.test_heads import blobs


def faulty_blobs(counts, rate=0.05, seed=0, dim=8):
    """Gaussian classes of which ``rate`` of the labels were changed."""
    rng = np.random.default_rng(seed)
    features, truth = blobs(counts, seed, dim)
    faults = np.zeros(len(truth), bool)
    faults[rng.choice(len(truth), int(rate * len(truth)), replace=False)] = True
    moved = truth + rng.integers(1, len(counts), len(truth))
    return features, np.where(faults, moved % len(counts), truth), truth, faults


def oracle(embeddings, labels, seed):
    """Suspiciousness by plain loops; shares folds, features, strength and power."""
    features = standardise(embeddings)
    folds = assign_folds(labels, np.random.default_rng(seed))
    inverse = sharpness.inverse_regularization(features, labels, folds)
    n, k = len(labels), labels.max() + 1

    def heads(out):
        table = np.zeros((n, k))
        for fold in range(FOLDS):
            rows = [
                j
                for j in range(n)
                if (folds[j] != fold and j not in out)
                or (labels == labels[j]).sum() == 1
            ]
            head = LogisticRegression(
                C=inverse / len(rows), tol=1e-7, max_iter=999
            ).fit(features[rows], labels[rows])
            for i in range(n):
                if folds[i] == fold:
                    table[i] = np.log(head.predict_proba(features[i : i + 1])[0])
        return table

    def worst(score, count):
        out: set[int] = set()
        taken = [0] * k
        for i in sorted(range(n), key=lambda i: -score[i])[:count]:
            size = int((labels == labels[i]).sum())
            if size >= 2 * FOLDS and taken[labels[i]] < size // 2:
                out.add(i)
                taken[labels[i]] += 1
        return out

    def losses(table):
        return [-table[i, labels[i]] for i in range(n)]

    def odds(tables, power, known=None, like=None):
        """By expectation-maximisation, sample by sample and class by class."""
        vote = np.exp(sum(tables) / len(tables))
        seen = [[v**power / sum(row**power) for v in row] for row in vote]
        found = find(seen, list(labels), prior=0.02, mistakes=known, like=like)
        return np.array(found.odds), found

    def count(tables):
        vote = sum(tables) / len(tables)
        seen = likeliest(signals.log_softmax(vote), labels)
        power = sharpness.explain_labels(seen, labels, prior=0.02)
        wrong, noise = odds(tables, power)
        explained = (wrong / (1 + wrong)).sum()
        contradicted = sum(vote[i].argmax() != labels[i] for i in range(n))
        most = max(contradicted, explained)
        return np.exp((1 - HARD) * np.log(explained) + HARD * np.log(most)), noise

    first = heads(set())
    second = heads(worst(losses(first), int(n * 0.10)))
    left_out = max(int(n * 0.05), int(count([second])[0]))
    third = heads(worst(losses(second), left_out))
    total, noise = count([second, third])
    order = odds([first, second, third], 1.0, total / n, noise)[0] ** 1.65
    low, high = -60.0, 60.0
    for _ in range(200):
        middle = (low + high) / 2
        shifted = order * np.exp(middle)
        too_low = (shifted / (1 + shifted)).sum() < total
        low, high = (middle, high) if too_low else (low, middle)
    shifted = order * np.exp(low)
    return shifted / (1 + shifted)


def test_of_near_duplicates_with_different_labels_one_is_wrong():
    embeddings, labels, *_ = faulty_blobs([60] * 4, rate=0.0, dim=12)
    copies = [0, 70, 140]
    embeddings = np.vstack([embeddings, embeddings[copies]])
    labels = np.append(labels, (labels[copies] + 1) % 4)
    scores = single_label.score(
        embeddings, labels, points=embeddings, settings=Settings()
    )
    chances = scores.suspiciousness
    np.testing.assert_allclose(chances[-3:] + chances[copies], 1.0, atol=0.05)
    assert (chances[-3:] > 0.9).all()
    assert scores.suggestion[-3:].tolist() == labels[copies].tolist()
    reason = scores.reasons[:, REASONS.index("near duplicate has another label")]
    assert np.flatnonzero(reason).tolist() == [240, 241, 242]
    assert scores.estimated_faults == 3


@pytest.mark.parametrize(
    ("counts", "rate"),
    [([40, 40, 40], 0.05), ([60, 15, 2, 1], 0.05), ([50, 30], 0.05), ([40] * 3, 0.25)],
)
def test_suspiciousness_agrees_with_a_slow_recomputation(counts, rate, monkeypatch):
    monkeypatch.setattr(regression, "TOLERANCE", 1e-9)
    embeddings, labels, *_ = faulty_blobs(counts, rate)
    labels[-len(counts) :] = np.arange(len(counts))  # every class occurs
    scores = single_label.score(embeddings, labels, settings=Settings(seed=5))
    expected = oracle(embeddings, labels, 5)
    np.testing.assert_allclose(scores.suspiciousness, expected, rtol=1e-3, atol=1e-5)


def test_changed_labels_come_first_with_their_true_class_suggested():
    embeddings, labels, truth, faults = faulty_blobs([100] * 5)
    scores = single_label.score(embeddings, labels, settings=Settings())
    assert average_precision_score(faults, scores.suspiciousness) > 0.95
    assert (scores.suggestion[faults] == truth[faults]).mean() > 0.95
    assert 0.5 < scores.estimated_faults / faults.sum() < 1.5


def test_the_reason_for_a_changed_label_is_the_other_class():
    embeddings, labels, _, faults = faulty_blobs([100] * 5)
    scores = single_label.score(embeddings, labels, settings=Settings())
    reasons = dict(zip(REASONS, scores.reasons.T, strict=True))
    assert reasons["looks like another class"][faults].mean() > 0.8
    assert scores.reasons[~faults].any(1).mean() < 0.02


def test_scores_are_bit_identical_for_the_same_seed():
    embeddings, labels, *_ = faulty_blobs([30, 30, 30])
    first = single_label.score(embeddings, labels, settings=Settings(seed=1))
    again = single_label.score(embeddings, labels, settings=Settings(seed=1))
    other = single_label.score(embeddings, labels, settings=Settings(seed=2))
    np.testing.assert_array_equal(first.suspiciousness, again.suspiciousness)
    assert (first.suspiciousness != other.suspiciousness).any()


def test_a_row_per_sample_a_column_per_signal():
    embeddings, labels, *_ = faulty_blobs([30, 30, 30])
    logits = np.eye(3)[labels]
    plain = single_label.score(embeddings, labels, settings=Settings())
    scores = single_label.score(embeddings, labels, logits=logits, settings=Settings())
    assert scores.signals.shape == (90, len(scores.signal_names))
    assert set(scores.signal_names) - set(plain.signal_names) == {"loss_original"}
    assert (scores.suspiciousness != plain.suspiciousness).any()
    column = scores.signals[:, scores.signal_names.index("loss_original")]
    expected = signals.loss(signals.log_softmax(logits), labels)
    np.testing.assert_allclose(column, expected, rtol=1e-6)


def test_logits_that_may_know_the_labels_by_heart_do_not_vote():
    embeddings, labels, *_ = faulty_blobs([30, 30, 30])
    logits = 9.0 * np.eye(3)[labels]
    plain = single_label.score(embeddings, labels, settings=Settings())
    scores = single_label.score(
        embeddings, labels, logits=logits, logits_vote=False, settings=Settings()
    )
    np.testing.assert_array_equal(scores.suspiciousness, plain.suspiciousness)
    assert "loss_original" in scores.signal_names


def test_a_full_mutant_votes_beside_the_original():
    embeddings, labels, _, faults = faulty_blobs([100] * 3)
    noisy = embeddings + np.random.default_rng(1).normal(scale=4.0, size=(300, 8))
    first, second = (
        fit_ensemble(each, labels, settings=Settings()) for each in (noisy, embeddings)
    )
    alone, both = (
        single_label.score_labels(labels, first),
        single_label.score_labels(labels, first, second),
    )
    assert average_precision_score(
        faults, both.suspiciousness
    ) > average_precision_score(faults, alone.suspiciousness)
    assert {"loss_all", "full_loss_all"} <= set(both.signal_names)
    assert both.estimated_faults == round(both.suspiciousness.sum())
    once, twice = (
        single_label.score_labels(labels, first),
        single_label.score_labels(labels, first, first),
    )
    np.testing.assert_allclose(twice.suspiciousness, once.suspiciousness, rtol=1e-5)


@pytest.mark.parametrize(
    "counts", [[2, 2], [1, 1], [200, 2], [5] * 40, [1] * 30, [300, 1]]
)
def test_small_and_uneven_classes_give_finite_scores(counts):
    embeddings, labels = blobs(counts)
    scores = single_label.score(embeddings, labels, settings=Settings())
    assert np.isfinite(scores.signals).all()
    assert ((scores.suspiciousness >= 0) & (scores.suspiciousness <= 1)).all()
    assert ((scores.confidence >= 0) & (scores.confidence <= 1)).all()


@pytest.mark.parametrize(("size", "foreign"), [(10, 5), (12, 5), (20, 6), (20, 10)])
def test_half_of_a_class_stays_foreign_ones_go_first_then_high_losses(size, foreign):
    labels = blobs([100, 100, size])[1]
    unlike, small = np.zeros(len(labels)), np.flatnonzero(labels == 2)
    unlike[small[:foreign]] = 1.0
    loss = np.ones(len(labels))
    loss[small[foreign:]] = 2.0 + np.arange(size - foreign)
    left = mutant_subset(loss, labels, unlike, ensemble.HIGH_LOSS)
    highest = size // 2 - foreign
    expected = {*small[:foreign], *small[size - highest :]}
    assert set(np.flatnonzero(left & (labels == 2))) == expected


def test_constant_embeddings_give_finite_scores():
    labels = np.arange(40) % 2
    scores = single_label.score(np.zeros((40, 3)), labels, settings=Settings())
    assert np.isfinite(scores.suspiciousness).all()


def test_progress_moves_through_all_heads():
    embeddings, labels = blobs([20, 20])
    fractions: list[float] = []
    single_label.score(embeddings, labels, settings=Settings(), report=fractions.append)
    assert fractions == sorted(fractions)
    assert len(set(fractions)) == 3 * FOLDS
    assert fractions[-1] == 1.0


def test_classes_with_one_sample_are_said():
    embeddings, labels = blobs([30, 1, 1])
    note, *_ = single_label.score(embeddings, labels, settings=Settings()).notes
    assert "only one sample: 2" in note
    embeddings, labels = blobs([30, 2])
    notes = single_label.score(embeddings, labels, settings=Settings()).notes
    assert not any("only one sample" in note for note in notes)


def test_embeddings_that_say_nothing_are_said():
    embeddings, labels = blobs([30, 30])
    assert single_label.score(embeddings, labels, settings=Settings()).notes == ()
    noise = np.random.default_rng(0).normal(size=(90, 4))
    labels = np.repeat([0, 1], [60, 30])
    (note,) = single_label.score(noise, labels, settings=Settings()).notes
    assert "do not tell the classes apart" in note


@pytest.mark.parametrize(
    "counts", [[200] * 5, [300, 300], [5] * 200, [990, 10], [400, 100, 20, 5]]
)
def test_a_dataset_without_faults_raises_few_false_alarms(counts):
    embeddings, labels = blobs(counts, dim=32)
    scores = single_label.score(embeddings, labels, settings=Settings())
    assert np.isfinite(scores.suspiciousness).all()
    assert scores.estimated_faults <= 0.01 * len(labels)
    assert (scores.suspiciousness > 0.5).mean() <= 0.05


@pytest.mark.parametrize("counts", [[300, 300], [5] * 200, [990, 110]])
def test_faults_come_first_with_two_classes_many_small_ones_and_a_rare_one(counts):
    embeddings, labels, _, faults = faulty_blobs(counts, dim=32)
    scores = single_label.score(embeddings, labels, settings=Settings())
    assert np.isfinite(scores.signals).all()
    assert average_precision_score(faults, scores.suspiciousness) > 0.8


def test_random_labels_are_said_to_have_nothing_in_common_with_the_embeddings():
    embeddings, labels = blobs([100] * 5)
    labels = np.random.default_rng(0).permutation(labels)
    scores = single_label.score(embeddings, labels, settings=Settings())
    assert np.isfinite(scores.suspiciousness).all()
    assert any("do not tell the classes apart" in note for note in scores.notes)


@pytest.mark.filterwarnings("error")
def test_huge_and_tiny_numbers_give_the_same_scores() -> None:
    embeddings, labels, *_ = faulty_blobs([60] * 4, dim=12)
    found = [
        single_label.score(
            embeddings.astype(np.float32) * np.float32(scale),
            labels,
            points=embeddings.astype(np.float32) * np.float32(scale),
            settings=Settings(seed=5),
        ).suspiciousness
        for scale in (1.0, 2.0**96, 2.0**-60)
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-6)


class TestSourcesTogether:
    def fits(self, dims: tuple[int, ...]) -> tuple[list[Any], np.ndarray, np.ndarray]:
        """Ensembles of parts of the same embeddings, each of which tells a part."""
        embeddings, labels, _, faults = faulty_blobs([150] * 6, dim=8, seed=3)
        embeddings = embeddings + np.random.default_rng(4).normal(size=embeddings.shape)
        parts = np.split(embeddings, np.cumsum(dims)[:-1], axis=1)
        made = [fit_ensemble(p, labels, settings=Settings(seed=5)) for p in parts]
        return made, labels, faults

    def precision(self, labels: np.ndarray, faults: np.ndarray, *made: Any) -> float:
        found = single_label.score_labels(labels, *made).suspiciousness
        return float(average_precision_score(faults, found))

    def test_two_that_tell_different_things_find_more_than_each(self) -> None:
        (one, other), labels, faults = self.fits((4, 4))
        together = self.precision(labels, faults, one, other)
        alone = [self.precision(labels, faults, each) for each in (one, other)]
        assert together > max(alone) + 0.03

    def test_noise_as_a_source_costs_next_to_nothing(self) -> None:
        (one,), labels, faults = self.fits((8,))
        noise = np.random.default_rng(6).normal(size=(len(labels), 64))
        useless = fit_ensemble(noise, labels, settings=Settings(seed=5))
        alone = self.precision(labels, faults, one)
        for made in ((one, useless), (useless, one)):
            assert self.precision(labels, faults, *made) > alone - 0.005
        assert (ensemble.shares([one, useless], labels)[:, 1] < 0.02).all()

    def test_shares_go_by_the_likelihood_of_labels_that_heads_never_saw(self) -> None:
        (one, other), labels, _ = self.fits((6, 2))
        share = ensemble.shares([one, other, one], labels)
        assert share.shape == (len(labels), 3)
        assert share.sum(1) == pytest.approx(1)
        assert (share == share[0]).all()
        assert share[0, 0] == share[0, 2] > share[0, 1] > 0
        assert (ensemble.shares([one], labels) == 1).all()
        nothing = one._replace(heads={**one.heads, "all": 0 * one.heads["all"]})
        assert (ensemble.shares([nothing, nothing], labels) == 0.5).all()

    def test_a_sample_that_one_lacks_is_judged_by_the_others(self) -> None:
        (one, other), labels, faults = self.fits((6, 6))
        rows = np.arange(len(labels)) % 3 > 0  # two thirds
        known = np.flatnonzero(rows)
        classes = np.unique(labels)
        part = one._replace(
            heads={name: head[rows] for name, head in one.heads.items()},
            foreign=one.foreign[rows],
            near_duplicate_of=np.full(len(known), -1),
            known=np.ones(len(known), bool),
        )
        wide = ensemble.spread(part, known, classes, other.heads["all"].shape)
        share = ensemble.shares([wide, other], labels)
        assert (share[~rows] == [0, 1]).all()
        assert (share[rows] > 0).all()
        assert (wide.heads["all"][rows] == one.heads["all"][rows]).all()
        found = self.precision(labels, faults, wide, other)
        assert found > self.precision(labels, faults, other) + 0.01

    def test_classes_that_one_never_saw_are_no_label_of_its_samples(self) -> None:
        (one,), labels, _ = self.fits((4,))
        known, classes = np.array([0, 2, 5]), np.array([0, 2])
        heads = {
            name: np.log(np.array([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]))
            for name in one.heads
        }
        part = ensemble.Ensemble(
            heads, None, True, False, np.ones(3), np.array([1, 0, -1]), np.ones(3, bool)
        )
        wide = ensemble.spread(part, known, classes, (6, 3))
        assert np.exp(wide.heads["all"]) == pytest.approx(
            np.array(
                [
                    [0.5, 0, 0.5],
                    [1 / 3, 1 / 3, 1 / 3],
                    [0.9, 0, 0.1],
                    [1 / 3, 1 / 3, 1 / 3],
                    [1 / 3, 1 / 3, 1 / 3],
                    [0.2, 0, 0.8],
                ]
            ),
            abs=1e-6,
        )
        assert wide.known.tolist() == [True, False, True, False, False, True]
        assert wide.foreign.tolist() == [1, 0, 1, 0, 0, 1]
        assert wide.near_duplicate_of.tolist() == [2, -1, 0, -1, -1, -1]

    def test_a_network_that_learned_the_labels_orders_and_does_not_count(self) -> None:
        (one, other), labels, _ = self.fits((4, 4))
        learned = one._replace(learned=True)
        together = single_label.score_labels(labels, learned, other)
        alone = single_label.score_labels(labels, other)
        assert together.estimated_faults == pytest.approx(alone.estimated_faults, abs=1)
        assert (together.suspiciousness != alone.suspiciousness).any()


def test_heads_go_on_where_a_run_was_with_the_same_bits(tmp_path, monkeypatch):
    embeddings, labels, _, _ = faulty_blobs([40, 30, 30])
    settings = Settings(seed=3)
    usual = single_label.score(embeddings, labels, settings=settings)
    fits, fit = [], regression.fit

    def counting(*args, **how):
        fits.append(1)
        if len(fits) == least:
            raise KeyboardInterrupt
        return fit(*args, **how)

    monkeypatch.setattr(regression, "fit", counting)

    def score(embeddings=embeddings, labels=labels, settings=settings):
        fits.clear()
        work = Work(Keeper(Folder(tmp_path), RunOf("5f", "blobs", "dfaulo")))
        fitted = fit_ensemble(embeddings, labels, settings=settings, work=work)
        return single_label.score_labels(labels, fitted)

    least = 3 * FOLDS
    with pytest.raises(KeyboardInterrupt):  # some folds in the midst
        score()
    least = -1
    found = score()
    assert 0 < len(fits) <= 2 * FOLDS
    for name in ("suspiciousness", "confidence", "signals"):
        assert getattr(found, name).tobytes() == getattr(usual, name).tobytes()
    score()
    assert not fits
    changed = np.roll(labels, 1)
    score(labels=changed)
    assert fits
    score(settings=Settings(seed=4))
    assert fits
    score(embeddings + np.float32(1e-3))
    assert fits
