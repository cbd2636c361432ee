"""``method="dfaulo"``: how likely is a label, by models that never learned from it?

1. Heads and mutants, linear models on the penultimate embeddings, score the samples
   that they were not fitted on. Images that look like none of the others are found, and
   so are near duplicates (:mod:`.ensemble`).
2. The *vote* is the mean of the log-probabilities of the last mutant and of the
   original model (of a network trained here: those while it learned). Where no original
   model may vote, the heads on all samples take its part. The vote on the true class,
   and which classes are mistaken for which (:mod:`.label_noise`), give the probability
   that a label is wrong. How many are wrong is estimated from the mutants alone. Near
   duplicates share a vote and a true class.
3. Suspiciousness is the probability that label or content is wrong. Its sum is the
   estimated number of faults; the likeliest class of the vote is the suggestion.

A *full mutant*, the network trained without the most suspicious samples, doubles the
vote: its heads and mutants vote as well.

The idea, training without suspicious subsets, is that of Yin et al., "Dynamic Data
Fault Localization for Deep Neural Networks", ESEC/FSE 2023. The procedure of the paper
itself is :mod:`.paper.method`. ``docs/benchmark.md`` lists what else was tried.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.method import label_noise, reasons
from fiftyone_dfaulo.engine.method.ensemble import (
    FOREIGN,
    HEADS,
    Ensemble,
    fit_ensemble,
)
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.scores import Scores

SHARPNESS = 1.65
"""Regularised heads are right more often than they are sure. So the log-probabilities
of the mutants, which count the faults, are multiplied by this. For the order, not the
vote is multiplied but the log-odds that come from it: otherwise samples that look like
no class would come last."""

PRIOR = 0.02
"""How much evidence it takes that one class is mistaken for another: see
:func:`.label_noise.transition_matrix`."""


def score(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    logits: np.ndarray | None = None,
    logits_vote: bool = True,
    appearance: np.ndarray | None = None,
    points: np.ndarray | None = None,
    settings: Settings,
    report: StageReport = silent_stage,
) -> Scores:
    """Scores samples by their embeddings and labels.

    Args:
        embeddings: float (N, D), finite; penultimate activations of a network.
        labels: int64 (N,); each of 0..K-1 occurs, K at least 2.
        logits: float (N, K) of the original model, if there is one. Of a network
            trained on these labels, ``learning`` of :class:`.training.Network` is best.
        logits_vote: whether the logits vote. They should not where the model may have
            learned the labels by heart; then they only add a signal and a reason.
        appearance: float (N, A), finite, what the images look like whatever they show,
            as from :meth:`.training.Network.appearance`. With None, foreign content is
            not looked for.
        points: float (N, P), finite, in which near duplicates lie close: thumbnails of
            the images, or embeddings (but a model that learned the labels may have
            moved near duplicates apart). With None, none are looked for.
        settings: only the seed is used.
        report: called with the fraction of heads fitted.
    """
    return score_labels(
        labels,
        fit_ensemble(
            embeddings,
            labels,
            logits=logits,
            logits_vote=logits_vote,
            appearance=appearance,
            points=points,
            settings=settings,
            report=report,
        ),
    )


def score_labels(
    labels: np.ndarray, *ensembles: Ensemble, equal_counts_prior: bool = False
) -> Scores:
    """Steps 2 and 3: the scores from the ensembles of one or more networks.

    Args:
        labels: int64 (N,).
        ensembles: of the original network, then of its full mutants.
        equal_counts_prior: as of :func:`.label_noise.transition_matrix`.
    """
    first = ensembles[0]
    vote = _mean([voter for each in ensembles for voter in each.voters])
    mutant_vote = _mean([mutant for each in ensembles for mutant in each.mutants])
    vote, mutant_vote = (
        _shared(vote, first.near_duplicate_of),
        _shared(mutant_vote, first.near_duplicate_of),
    )
    wrong = wrong_label(
        vote,
        mutant_vote,
        labels,
        first.foreign < FOREIGN,
        near_duplicate_labels=np.where(
            first.near_duplicate_of < 0, -1, labels[first.near_duplicate_of]
        ),
        equal_counts_prior=equal_counts_prior,
    )
    suspiciousness = 1 - (1 - first.foreign) * (1 - wrong)
    probabilities = signals.softmax(SHARPNESS * vote)
    columns = _signals(ensembles, vote, labels)
    return Scores(
        suspiciousness=suspiciousness,
        suggestion=vote.argmax(1),
        confidence=probabilities.max(1).astype(np.float32),
        reasons=reasons.find_reasons(
            probabilities,
            labels,
            suspiciousness,
            first.foreign >= FOREIGN,
            first.near_duplicate_of >= 0,
            first.original,
        ),
        signals=np.column_stack(list(columns.values())).astype(np.float32),
        signal_names=tuple(columns),
        near_duplicate_of=first.near_duplicate_of,
        estimated_faults=round(float(suspiciousness.sum())),
        notes=_notes(first.heads[HEADS[0]], labels),
    )


def _mean(log_probabilities: list[np.ndarray]) -> np.ndarray:
    """Log-probabilities of the geometric mean; np.mean would copy them all."""
    total = sum(log_probabilities[1:], log_probabilities[0])
    return signals.log_softmax(total / len(log_probabilities))


def _shared(log_probabilities: np.ndarray, near_duplicate_of: np.ndarray) -> np.ndarray:
    """Log-probabilities (N, K) where two near duplicates have the mean of both."""
    paired = np.flatnonzero(near_duplicate_of >= 0)
    if not len(paired):
        return log_probabilities
    shared = log_probabilities.copy()
    shared[paired] = _mean(
        [log_probabilities[paired], log_probabilities[near_duplicate_of[paired]]]
    )
    return shared


def wrong_label(
    vote: np.ndarray,
    mutant_vote: np.ndarray,
    labels: np.ndarray,
    trusted: np.ndarray,
    *,
    near_duplicate_labels: np.ndarray | None = None,
    equal_counts_prior: bool = False,
) -> np.ndarray:
    """Probabilities float64 (N,) that the labels are wrong.

    How many are wrong is estimated from the mutants alone. The order is that of the
    vote, given that share of mistakes. Its log-odds are shifted so that the
    probabilities add up to the estimated number.

    Args:
        vote: log-probabilities (N, K) of the classes.
        mutant_vote: those by the mutants alone.
        labels: int64 (N,).
        trusted: bool (N,), samples whose content is not foreign. Which class is
            mistaken for which is learned from these alone.
        near_duplicate_labels: as of :func:`.label_noise.log_odds_of_mistake`.
        equal_counts_prior: as of :func:`.label_noise.transition_matrix`.
    """

    def log_odds(logits: np.ndarray, mistakes: float | None) -> np.ndarray:
        return _log_odds(
            logits, labels, trusted, near_duplicate_labels, equal_counts_prior, mistakes
        )

    counted = expit(log_odds(SHARPNESS * mutant_vote, None))[trusted]
    order = SHARPNESS * log_odds(vote, float(counted.mean()))
    shift = _shift_to_sum(order[trusted], counted.sum())
    return expit(order + shift)


def _log_odds(
    logits: np.ndarray,
    labels: np.ndarray,
    trusted: np.ndarray,
    near_duplicate_labels: np.ndarray | None,
    equal_counts_prior: bool,
    mistakes: float | None,
) -> np.ndarray:
    """Log-odds (N,) of a wrong label, with the noise of the trusted samples.

    Args:
        logits: log-probabilities (N, K), up to a constant in each row.
        labels, trusted, near_duplicate_labels: as of :func:`wrong_label`.
        mistakes, equal_counts_prior: as of
            :func:`.label_noise.transition_matrix`.
    """
    least = np.finfo(np.float32).tiny
    probabilities = np.maximum(signals.softmax(logits), least).astype(np.float32)
    matrix = label_noise.transition_matrix(
        probabilities[trusted],
        labels[trusted],
        prior=PRIOR,
        mistakes=mistakes,
        equal_counts_prior=equal_counts_prior,
    )
    return label_noise.log_odds_of_mistake(
        probabilities, labels, matrix, near_duplicate_labels
    )


def _shift_to_sum(log_odds: np.ndarray, total: float) -> float:
    """What to add to log-odds so that their probabilities add up to a total."""
    total = float(np.clip(total, 1e-6, len(log_odds) - 1e-6))
    furthest = float(np.abs(log_odds).max()) + 50.0
    return float(
        brentq(lambda x: expit(log_odds + x).sum() - total, -furthest, furthest)
    )


def _signals(
    ensembles: tuple[Ensemble, ...], vote: np.ndarray, labels: np.ndarray
) -> dict[str, np.ndarray]:
    """Signal name to float (N,); those of full mutants begin with ``full_``."""
    columns = {}
    for number, each in enumerate(ensembles):
        prefix = "full_" * number
        for name, head in each.heads.items():
            columns[f"{prefix}loss_{name}"] = signals.loss(head, labels)
            columns[f"{prefix}margin_{name}"] = signals.margin(head, labels)
        if each.original is not None:
            columns[f"{prefix}loss_original"] = signals.loss(each.original, labels)
    columns["doubt"] = signals.doubt(vote, labels)
    columns["foreign_content"] = ensembles[0].foreign
    return columns


def _notes(full_head_log_probs: np.ndarray, labels: np.ndarray) -> tuple[str, ...]:
    counts = np.bincount(labels)
    notes = []
    if alone := int((counts == 1).sum()):
        notes.append(
            f"Classes with only one sample: {alone}. No other sample can confirm or "
            "contradict such a label; read its score with care."
        )
    largest = counts.max() / len(labels)
    spread = np.sqrt(len(labels) * largest * (1 - largest))
    if (full_head_log_probs.argmax(1) == labels).sum() <= counts.max() + 3 * spread:
        notes.append(
            "The embeddings do not tell the classes apart: heads agree with hardly "
            "more labels than if they always said the largest class. The scores mean "
            "little; use other embeddings, or another way to score."
        )
    return tuple(notes)
