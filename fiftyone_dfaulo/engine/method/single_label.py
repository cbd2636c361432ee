"""``method="dfaulo"``: how likely is a label, by models that never learned from it?

1. Heads and mutants, linear models on the penultimate embeddings, score the samples
   that they were not fitted on. Images that look like none of the others are found, and
   so are near duplicates (:mod:`.ensemble`).
2. The *vote* is the mean of the log-probabilities of the mutants (of a network that has
   learned the labels: the last one) and of the original model (of a network trained
   here: those while it learned). Where no original model may vote, the heads on all
   samples take its part. The vote on the true class, and which classes are mistaken for
   which, give the probability that a label is wrong (:mod:`.wrong_label`). Near
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

from functools import partial

import numpy as np

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.method import reasons
from fiftyone_dfaulo.engine.method.ensemble import Ensemble, fit_ensemble, shares
from fiftyone_dfaulo.engine.method.heads import FOREIGN
from fiftyone_dfaulo.engine.method.outputs import Vote, judge, likeliest
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
            trained on these labels, ``learning`` of :class:`.trained.Network` is best.
        logits_vote: whether the logits vote. They should not where the model may have
            learned the labels by heart; then they only add a signal and a reason.
        learned: whether the network of the embeddings has learned these labels.
        appearance: float (N, A), finite, what the images look like whatever they show,
            as from :meth:`.trained.Network.appearance`. With None, foreign content is
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
    labels: np.ndarray,
    *ensembles: Ensemble,
    equal_counts_prior: bool = False,
    before: np.ndarray | None = None,
) -> Scores:
    """Steps 2 and 3: the scores from the ensembles of one or more networks.

    Args:
        labels: int64 (N,).
        ensembles: of the original network, then of its full mutants.
        equal_counts_prior: as of :func:`.label_noise.fit_noise`.
        before: int64 (N,), the labels before some were corrected; None if none was. How
            many are wrong, and which class is mistaken for which, is learned from
            these: among labels whose plain mistakes are corrected, the rest would pass
            for hard samples. Those that were corrected are judged among the others.
    """
    if before is not None and (before != labels).any():
        score = partial(score_labels, equal_counts_prior=equal_counts_prior)
        then, now = score(before, *ensembles), score(labels, *ensembles)
        return then.with_rows(before != labels, now)
    first = ensembles[0]
    share = shares(ensembles, labels)
    # a network that has learned the labels counts faults only where it is alone
    counting = share * [not each.learned for each in ensembles]
    learned = not counting.any()
    counting = np.where(counting.any(1, keepdims=True), counting, share)
    partner = first.near_duplicate_of
    vote = likeliest(Vote([each.voters for each in ensembles], share, partner), labels)
    mutants = [each.mutants for each in ensembles]
    mutant_vote = likeliest(Vote(mutants, counting, partner), labels)
    wrong = wrong_label(
        vote,
        mutant_vote,
        labels,
        first.foreign < FOREIGN,
        learned=learned,
        near_duplicate_labels=np.where(partner < 0, -1, labels[partner]),
        equal_counts_prior=equal_counts_prior,
    )
    suspiciousness = 1 - (1 - first.foreign) * (1 - wrong)
    suggestion, confidence = vote.best(), vote.sharpened(SHARPNESS).values.max(1)
    columns, agreeing = _signals(ensembles, labels)
    columns["doubt"] = signals.doubt(vote.values, labels)
    columns["foreign_content"] = first.foreign
    return Scores(
        suspiciousness=suspiciousness,
        suggestion=suggestion,
        confidence=confidence,
        reasons=reasons.find_reasons(
            suggestion,
            confidence,
            labels,
            suspiciousness,
            first.foreign >= FOREIGN,
            partner >= 0,
            columns.get("loss_original"),
        ),
        signals=np.column_stack(list(columns.values())).astype(np.float32),
        signal_names=tuple(columns),
        near_duplicate_of=partner,
        estimated_faults=round(float(suspiciousness.sum())),
        notes=_notes(agreeing, labels),
    )


def _signals(
    ensembles: tuple[Ensemble, ...], labels: np.ndarray
) -> tuple[dict[str, np.ndarray], int]:
    """What each model says of the labels.

    Returns:
        signal name to float (N,), those of full mutants beginning with ``full_``; and
        how many labels the first heads hold for the likeliest class.
    """
    columns, agreeing = {}, -1
    for number, each in enumerate(ensembles):
        prefix = "full_" * number
        for name, head in each.heads.items():
            judged = judge(head, labels)
            columns[f"{prefix}loss_{name}"] = judged.loss
            columns[f"{prefix}margin_{name}"] = judged.margin
            if agreeing < 0:
                agreeing = int((judged.likeliest == labels).sum())
        if each.original is not None:
            columns[f"{prefix}loss_original"] = judge(each.original, labels).loss
    return columns, agreeing


def _notes(agreeing: int, labels: np.ndarray) -> tuple[str, ...]:
    counts = np.bincount(labels)
    notes = []
    if alone := int((counts == 1).sum()):
        notes.append(
            f"Classes with only one sample: {alone}. No other sample can confirm or "
            "contradict such a label; read its score with care."
        )
    largest = counts.max() / len(labels)
    spread = np.sqrt(len(labels) * largest * (1 - largest))
    if agreeing <= counts.max() + 3 * spread:
        notes.append(
            "The embeddings do not tell the classes apart: heads agree with hardly "
            "more labels than if they always said the largest class. The scores mean "
            "little; use other embeddings, or another way to score."
        )
    return tuple(notes)
