"""``method="dfaulo"``: how likely is a label, by models that never learned from it?

1. Heads and mutants, linear models on the penultimate embeddings, score the samples
   that they were not fitted on. Images that look like none of the others are found, and
   so are near duplicates (:mod:`.ensemble`).
2. The *vote* is the mean of the log-probabilities of the last mutant and of the
   original model (of a network trained here: those while it learned). Where no original
   model may vote, the heads on all samples take its part. The vote on the true class,
   and which classes are mistaken for which, give the probability that a label is wrong
   (:mod:`.wrong_label`). Near duplicates share a vote and a true class.
3. Suspiciousness is the probability that label or content is wrong. Its sum is the
   estimated number of faults; the likeliest class of the vote is the suggestion.

A *full mutant*, the network trained without the most suspicious samples, doubles the
vote: its heads and mutants vote as well.

The idea, training without suspicious subsets, is that of Yin et al., "Dynamic Data
Fault Localization for Deep Neural Networks", ESEC/FSE 2023. The procedure of the paper
itself is :mod:`.paper.method`. ``docs/benchmark.md`` lists what else was tried.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.method import reasons
from fiftyone_dfaulo.engine.method.ensemble import (
    FOREIGN,
    HEADS,
    Ensemble,
    fit_ensemble,
    shares,
)
from fiftyone_dfaulo.engine.method.wrong_label import SHARPNESS, wrong_label
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.scores import Scores


def score(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    logits: np.ndarray | None = None,
    logits_vote: bool = True,
    learned: bool = False,
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
        learned: whether the network of the embeddings has learned these labels.
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
            learned=learned,
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
    share = shares(ensembles, labels)
    vote = _mean([each.voters for each in ensembles], share)
    # a network that has learned the labels counts faults only where it is alone
    counting = share * [not each.learned for each in ensembles]
    learned = not counting.any()
    counting = np.where(counting.any(1, keepdims=True), counting, share)
    mutant_vote = _mean([each.mutants for each in ensembles], counting)
    vote, mutant_vote = (
        _shared(vote, first.near_duplicate_of),
        _shared(mutant_vote, first.near_duplicate_of),
    )
    wrong = wrong_label(
        vote,
        mutant_vote,
        labels,
        first.foreign < FOREIGN,
        learned=learned,
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


def _mean(
    groups: Sequence[Sequence[np.ndarray]], share: np.ndarray | None = None
) -> np.ndarray:
    """Log-probabilities of the geometric mean of groups; np.mean would copy them all.

    Args:
        groups: log-probabilities (N, K), some of each of S groups.
        share: float (N, S), how much each group counts, from 0 on; None is alike.
    """
    exact = np.result_type(*(each for group in groups for each in group))
    total = np.zeros(groups[0][0].shape, exact)
    if share is None:
        share = np.ones((len(total), len(groups)))
    share = share / share.sum(1, keepdims=True)
    for group, counts in zip(groups, share.T.astype(np.float32), strict=True):
        for each in group if counts.any() else ():
            total += (counts / len(group))[:, None] * each
    return signals.log_softmax(total)


def _shared(log_probabilities: np.ndarray, near_duplicate_of: np.ndarray) -> np.ndarray:
    """Log-probabilities (N, K) where two near duplicates have the mean of both."""
    paired = np.flatnonzero(near_duplicate_of >= 0)
    if not len(paired):
        return log_probabilities
    shared = log_probabilities.copy()
    pair = [log_probabilities[paired], log_probabilities[near_duplicate_of[paired]]]
    shared[paired] = _mean([pair])
    return shared


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
