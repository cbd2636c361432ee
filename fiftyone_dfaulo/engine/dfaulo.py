"""``method="dfaulo"``: how sure are heads that were not taught a sample's label of it?

1. Linear heads are cross-fitted on the penultimate embeddings: the log-probabilities
   of a sample always come from a head that never saw it.
2. Mutants are such heads fitted without a suspicious subset: without the highest
   losses, without the labels that a mutant contradicts, without the highest losses
   under a mutant. Faults can no longer vouch for each other.
3. Suspiciousness is one minus the geometric mean of the heads' probabilities of the
   label; in other words it grows with the mean of their losses.
4. The class whose geometric mean is highest is the suggestion. Reasons, and the
   estimated number of faults, follow from the same vote.

The idea, training without suspicious subsets, is that of Yin et al., "Dynamic Data
Fault Localization for Deep Neural Networks", ESEC/FSE 2023; the paper's own procedure
is :mod:`fiftyone_dfaulo.engine.paper`.
"""

from __future__ import annotations

import numpy as np

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import reasons, signals
from fiftyone_dfaulo.engine.heads import (
    assign_folds,
    leave_out,
    out_of_sample,
    standardise,
)
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.result import Scores

HIGH_LOSS = 0.10  # share of the samples left out for a high loss
HIGH_MUTANT_LOSS = 0.05  # share left out for a high loss under the first mutant
HEADS = ("all", "without_high_loss", "without_contradicted", "without_high_mutant_loss")


def score(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    logits: np.ndarray | None = None,
    settings: Settings,
    report: StageReport = silent_stage,
) -> Scores:
    """Scores samples by their embeddings and labels.

    Args:
        embeddings: float (N, D), finite; penultimate activations of a network.
        labels: int64 (N,); each of 0..K-1 occurs, K at least 2.
        logits: float (N, K) of the original model, if there is one; they add a signal
            and a reason, and do not change the suspiciousness.
        settings: only the seed is used.
        report: told the fraction of heads fitted.
    """
    mutants = mutant_log_probabilities(embeddings, labels, settings.seed, report)
    mean = sum(mutants[1:], mutants[0]) / len(mutants)  # np.mean would copy them all
    vote = signals.log_softmax(mean)
    original = None if logits is None else signals.log_softmax(logits)
    columns = _signals(mutants, vote, original, labels)
    confident = confident_class(np.exp(vote), labels)
    return Scores(
        suspiciousness=-np.expm1(-signals.loss(mean, labels).astype(np.float64)),
        suggestion=vote.argmax(1),
        confidence=np.exp(vote.max(1)).astype(np.float32),
        reasons=reasons.find(vote, labels, confident, original),
        signals=np.column_stack(list(columns.values())).astype(np.float32),
        signal_names=tuple(columns),
        estimated_faults=int(((confident >= 0) & (confident != labels)).sum()),
        notes=_notes(vote, labels),
    )


def mutant_log_probabilities(
    embeddings: np.ndarray,
    labels: np.ndarray,
    seed: int,
    report: StageReport = silent_stage,
) -> list[np.ndarray]:
    """Out-of-sample log-probabilities, float32 (N, K) each, in the order of HEADS."""
    features = standardise(embeddings)
    folds = assign_folds(labels, np.random.default_rng(seed))
    count = len(labels)

    def fit(position: int, left_out: np.ndarray | None) -> np.ndarray:
        def part(fraction: float) -> None:
            report((position + fraction) / len(HEADS))

        return out_of_sample(features, labels, folds, left_out, part)

    everything = fit(0, None)
    loss = signals.loss(everything, labels)
    trusted = fit(1, leave_out(loss, labels, int(count * HIGH_LOSS)))
    margin = signals.margin(trusted, labels)
    agreed = fit(2, leave_out(margin, labels, int((margin > 0).sum())))
    loss = signals.loss(trusted, labels)
    cleaned = fit(3, leave_out(loss, labels, int(count * HIGH_MUTANT_LOSS)))
    return [everything, trusted, agreed, cleaned]


def confident_class(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The class a sample is confidently counted to, or -1.

    A class is confident for a sample whose probability of it is at least the mean that
    the class reaches on the samples labelled so; of several the likeliest is taken.
    Source: Northcutt et al., "Confident Learning", JAIR 2021, section 3.1.

    Args:
        probabilities: float (N, K), out-of-sample.
        labels: int64 (N,); each of 0..K-1 occurs.

    Returns:
        int64 (N,), in -1..K-1.
    """
    own = probabilities[np.arange(len(labels)), labels]
    threshold = np.bincount(labels, own) / np.bincount(labels)
    candidates = np.where(probabilities >= threshold, probabilities, -1.0)
    return np.where(candidates.max(1) >= 0, candidates.argmax(1), -1)


def _signals(
    mutants: list[np.ndarray],
    vote: np.ndarray,
    original: np.ndarray | None,
    labels: np.ndarray,
) -> dict[str, np.ndarray]:
    columns = {}
    for name, mutant in zip(HEADS, mutants, strict=True):
        columns[f"loss_{name}"] = signals.loss(mutant, labels)
        columns[f"margin_{name}"] = signals.margin(mutant, labels)
    columns["doubt"] = signals.doubt(vote, labels)
    if original is not None:
        columns["loss_original"] = signals.loss(original, labels)
    return columns


def _notes(vote: np.ndarray, labels: np.ndarray) -> tuple[str, ...]:
    counts = np.bincount(labels)
    notes = []
    if alone := int((counts == 1).sum()):
        notes.append(
            f"Classes with only one sample: {alone}. No other sample can confirm or "
            "contradict such a label; read its score with care."
        )
    if (vote.argmax(1) == labels).sum() <= counts.max():
        notes.append(
            "The embeddings do not tell the classes apart: the mutants agree with no "
            "more labels than if they always said the largest class. The scores mean "
            "little; use other embeddings, or another way to score."
        )
    return tuple(notes)
