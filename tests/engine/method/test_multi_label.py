"""One class against the rest: given and missing labels are scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench.tags import peer, plant
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import cross_val_predict

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cache.folder import Folder, RunOf
from fiftyone_dfaulo.engine.cache.work import Keeper, Work
from fiftyone_dfaulo.engine.method import multi_label, single_label
from fiftyone_dfaulo.engine.method.ensemble import fit_ensemble
from fiftyone_dfaulo.engine.method.multi_label import MultiLabelScores, changes
from fiftyone_dfaulo.engine.network import training
from tests.tagged import draw_pairs

SETTINGS = Settings()
HARD = [[False, False, False]] * 4
GIVEN = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
SUSPICIOUSNESS = np.array(
    [[0.9, 0.6, 0.1], [0.1, 0.0, 0.3], [0.2, 0.2, 0.1], [0.1, 0.1, 0.15]]
)


def test_a_sample_is_as_suspicious_as_its_most_suspicious_class() -> None:
    scores = MultiLabelScores(GIVEN, SUSPICIOUSNESS, np.array(HARD))
    assert scores.suspiciousness.tolist() == [0.9, 0.3, 0.2, 0.15]
    assert scores.estimated_faults == 2  # 1.55 rounded


def test_suggestions_are_to_remove_what_is_given_and_to_add_what_is_not() -> None:
    scores = MultiLabelScores(GIVEN, SUSPICIOUSNESS, np.array(HARD))
    assert scores.suggestion.tolist() == [0, 5, 0, 2]


def test_changes_are_all_likely_ones_or_else_the_likeliest() -> None:
    assert changes(GIVEN, SUSPICIOUSNESS).tolist() == [
        [True, True, False],  # both are likely
        [False, False, True],  # suspicious enough
        [True, False, False],  # the first of two equal ones
        [False, False, False],  # not suspicious enough
    ]


def test_reasons_tell_wrong_from_missing_labels() -> None:
    hard = np.array(HARD)
    hard[2, 1] = True
    reasons = MultiLabelScores(GIVEN, SUSPICIOUSNESS, hard).reasons
    assert reasons.tolist() == [
        [True, True, False],
        [False, False, False],
        [False, False, True],
        [False, False, False],
    ]


def test_a_class_is_scored_as_a_problem_of_two_classes() -> None:
    rng = np.random.default_rng(51)
    labels = np.arange(18) % 2  # of so few, no mutant is fitted without any
    embeddings = rng.normal(size=(18, 4)) + 3 * labels[:, None]
    labels[:2] = 1 - labels[:2]
    logits = rng.normal(size=(18, 2))
    given = np.column_stack([rng.random(18) < 0.5, labels == 1])
    scores = multi_label.score(embeddings, given, logits=logits, settings=SETTINGS)
    two = np.column_stack([-logits[:, 1] / 2, logits[:, 1] / 2])
    models = fit_ensemble(
        embeddings, labels, logits=two, learned=True, settings=SETTINGS
    )
    first, _, last = models.heads.items()
    models = models._replace(heads=dict([first, last]))  # the other one has no vote
    alone = single_label.score_labels(labels, models, equal_counts_prior=True)
    np.testing.assert_allclose(
        scores.class_suspiciousness[:, 1], alone.suspiciousness, atol=1e-9
    )
    assert (scores.hard[:, 1] == alone.reasons[:, 2]).all()


def test_the_highest_losses_of_no_and_of_yes_are_left_out() -> None:
    labels = np.array([0] * 20 + [1] * 10)
    likelihood = np.linspace(0.9, 0.1, 30)  # of the label: the last ones lose most
    pairs = np.column_stack([likelihood, 1 - likelihood])
    pairs[labels == 1] = pairs[labels == 1, ::-1]
    subset = multi_label.high_loss(np.log(pairs), labels, np.array([0.1, 0.1]))
    assert np.flatnonzero(subset).tolist() == [18, 19, 29]
    few = multi_label.high_loss(np.log(pairs[:29]), labels[:29], np.array([0.1, 0.5]))
    assert np.flatnonzero(few).tolist() == [18, 19]


def test_missing_labels_of_a_rare_class_are_found() -> None:
    rng = np.random.default_rng(51)
    truth = rng.random((2000, 4)) < 0.04
    embeddings = truth @ rng.normal(size=(4, 16)) * 2 + rng.normal(size=(2000, 16))
    missing = truth & (rng.random(truth.shape) < 0.2)
    scores = multi_label.score(embeddings, truth & ~missing, settings=SETTINGS)
    ranked = average_precision_score(
        missing.ravel(), scores.class_suspiciousness.ravel()
    )
    assert ranked >= 0.9  # .8 where mistakes are held for equally likely
    likely = scores.class_suspiciousness >= multi_label.LIKELY
    assert (likely & missing).sum() >= 0.1 * missing.sum()
    assert (likely & missing).sum() >= 0.9 * likely.sum()


def test_heads_are_regularised_as_the_tags_need_it() -> None:
    """Where classes are plain to see, a head may follow them: more faults are found."""
    rng = np.random.default_rng(7)
    pixels, digits = load_digits(return_X_y=True)
    truth = rng.random((1500, 10)) < 0.3
    sums = 1.6 * rng.normal(size=(1500, 64))
    for k, column in enumerate(truth.T):
        some = np.flatnonzero(digits == k)
        sums[column] += pixels[rng.choice(some, column.sum())]
    given = plant(truth, 0.05, rng)
    wrong = given != truth
    scores = multi_label.score(sums, given, settings=SETTINGS)
    ours = average_precision_score(wrong.ravel(), scores.class_suspiciousness.ravel())
    theirs = average_precision_score(wrong.ravel(), peer(sums, given).ravel())
    assert ours >= theirs - 0.03


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.2])
def test_as_many_labels_are_counted_as_are_wrong_few_ones_too(rate: float) -> None:
    rng = np.random.default_rng(7)
    truth = rng.random((1500, 6)) < 0.25
    embeddings = truth @ rng.normal(size=(6, 48)) + rng.normal(size=(1500, 48))
    given = plant(truth, rate, rng)
    wrong = given != truth
    scores = multi_label.score(embeddings, given, settings=SETTINGS)
    counted = scores.class_suspiciousness.sum() / wrong.sum()
    assert 0.8 <= counted <= 1.2


def test_a_mutant_does_without_as_many_as_are_wrong() -> None:
    rng = np.random.default_rng(7)
    truth = rng.random((1500, 6)) < 0.4
    embeddings = truth @ rng.normal(size=(6, 48)) + rng.normal(size=(1500, 48))
    given = plant(truth, 0.35, rng)
    wrong = given != truth
    scores = multi_label.score(embeddings, given, settings=SETTINGS)
    ranked = average_precision_score(wrong.ravel(), scores.class_suspiciousness.ravel())
    assert ranked >= 0.995  # .987 where one in twenty is left out


def test_labels_are_ranked_as_well_as_by_cross_validation() -> None:
    pixels, given, wrong = draw_pairs(400, 40)
    flat = pixels[..., 0].reshape(len(pixels), -1).astype(np.float32)
    scores = multi_label.score(flat, given, settings=SETTINGS)
    model = LogisticRegression(C=1e-4, max_iter=1000)
    chance = np.column_stack(
        [
            cross_val_predict(model, flat, column, method="predict_proba")[:, 1]
            for column in given.T
        ]
    )
    ours = average_precision_score(wrong.ravel(), scores.class_suspiciousness.ravel())
    theirs = average_precision_score(wrong.ravel(), np.abs(given - chance).ravel())
    assert ours >= theirs - 0.02


def test_classes_that_all_samples_have_are_not_scored_and_noted() -> None:
    rng = np.random.default_rng(51)
    given = np.column_stack([np.ones(30, bool), np.arange(30) < 15, np.arange(30) == 7])
    scores = multi_label.score(rng.normal(size=(30, 3)), given, settings=SETTINGS)
    assert (scores.class_suspiciousness[:, 0] == 0).all()
    assert (scores.class_suspiciousness[:, 1] > 0).any()
    assert len(scores.notes) == 3
    assert "only one sample has: 1" in scores.notes[1]
    assert "all samples have: 1" in scores.notes[2]


def test_a_note_counts_what_looks_wrong_and_missing() -> None:
    labels = np.arange(60) % 2
    embeddings = np.column_stack([labels, labels]) * 8.0
    embeddings += np.random.default_rng(51).normal(size=embeddings.shape)
    given = np.column_stack([labels == 0, labels == 1])
    given[[0, 2], 0] = False  # and given[1] gets a label too many
    given[1, 0] = True
    scores = multi_label.score(embeddings, given, settings=SETTINGS)
    note = "Given tags that look wrong: 1. Tags that look missing: 2."
    assert scores.notes == (note,)


def test_progress_goes_from_class_to_class() -> None:
    rng = np.random.default_rng(51)
    fractions: list[float] = []
    multi_label.score(
        rng.normal(size=(40, 3)),
        rng.random((40, 3)) < 0.5,
        settings=SETTINGS,
        report=fractions.append,
    )
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)


def test_a_network_learns_several_classes_at_once_and_finds_the_wrong_ones() -> None:
    pixels, given, wrong = draw_pairs(600, 60)
    network = training.train_network(pixels, given, 10, settings=SETTINGS)
    embeddings, logits = network.outputs(pixels, views=True)
    assert logits.shape == (600, 10)
    assert roc_auc_score(given ^ wrong, logits, average="macro") > 0.98
    assert ((logits > 0).sum(1) >= 2).mean() > 0.5  # each class by itself
    scores = multi_label.score(embeddings, given, logits=logits, settings=SETTINGS)
    assert (
        average_precision_score(wrong.ravel(), scores.class_suspiciousness.ravel())
        > 0.9
    )
    assert 30 <= scores.estimated_faults <= 90


def test_classes_are_scored_once_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(51)
    embeddings, given = rng.normal(size=(60, 4)), rng.random((60, 5)) < 0.4
    logits = rng.normal(size=given.shape)
    usual = multi_label.score(embeddings, given, logits=logits, settings=SETTINGS)
    fitted: list[int] = []
    fit = multi_label._fit_heads

    def counting(*args):
        fitted.append(1)
        return fit(*args)

    monkeypatch.setattr(multi_label, "_fit_heads", counting)

    def score(given=given, logits=logits, settings=SETTINGS, stop=2.0):
        def report(fraction: float) -> None:
            if fraction >= stop:
                raise KeyboardInterrupt

        fitted.clear()
        work = Work(Keeper(Folder(tmp_path), RunOf("5f", "pairs", "dfaulo")))
        scores = multi_label.score(
            embeddings,
            given,
            logits=logits,
            settings=settings,
            work=work,
            report=report,
        )
        return scores, work.notes

    with pytest.raises(KeyboardInterrupt):
        score(stop=0.6)  # after three of five
    found, notes = score()
    assert len(fitted) == 2
    assert notes == ("Tags scored by earlier runs: 3 of 5.",)
    for name in ("class_suspiciousness", "hard"):
        assert getattr(found, name).tobytes() == getattr(usual, name).tobytes()
    score()
    assert not fitted
    other = given.copy()
    other[:, 4] = ~other[:, 4]
    score(given=other)
    assert len(fitted) == 1
    score(logits=logits + 1)
    assert len(fitted) == 5
    score(settings=Settings(seed=4))
    assert len(fitted) == 5
