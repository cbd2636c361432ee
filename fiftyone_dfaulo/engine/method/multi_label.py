"""Which tags of a sample are wrong, and which are missing: one class against the rest.

1. For each of K classes, whether a sample has the tag or not is a problem of two
   classes, with heads, mutants, vote and noise of its own:
   :func:`.single_label.score_labels` says of each sample how likely the answer
   that was given is wrong.
2. The mutants are fitted without the highest losses of each answer. Those of a rare
   tag are the highest of all, and half of its samples would be left out otherwise.
   For the same reason wrong tags and missing ones are held for equally many
   beforehand, not for equally likely: of a rare tag, none would be missing.
3. Of a tag that was given, this is the probability that it is wrong; of one that was
   not, that it is missing.
4. A sample is as suspicious as its most suspicious answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.method import ensemble, reasons, single_label
from fiftyone_dfaulo.engine.method.heads import (
    FOLDS,
    assign_folds,
    out_of_sample,
    standardise,
)
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage

REASONS = ("tag looks wrong", "tag looks missing", "hard to learn")
"""In the order of the columns of :meth:`TagScores.reasons`:

- *tag looks wrong*: a given tag is more likely wrong than not;
- *tag looks missing*: a tag that was not given is more likely missing than not;
- *hard to learn*: the original model has seen whether the tag was given, and still
  finds it unlikely.
"""

LIKELY = 0.5
"""Tags that are this suspicious, or more, look wrong or missing."""

_LEFT_OUT = (ensemble.HIGH_LOSS, ensemble.HIGH_MUTANT_LOSS, 0.0)
"""Share of each answer's samples that the mutant after each head is fitted without."""

_HARD = reasons.REASONS.index("hard to learn")


@dataclass(frozen=True)
class TagScores:
    """The scores of N samples and K classes of tags.

    Attributes:
        given: bool (N, K), whether a sample has the tag.
        tags: float64 (N, K), in [0, 1]; how likely ``given`` is wrong.
        hard: bool (N, K), whether the tag is hard to learn, see :data:`REASONS`.
        notes: plain sentences that a user should read with the result.
    """

    given: np.ndarray
    tags: np.ndarray
    hard: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def suspiciousness(self) -> np.ndarray:
        """Float64 (N,), in [0, 1]: of each sample, the maximum over its tags."""
        return self.tags.max(1)

    @property
    def suggestion(self) -> np.ndarray:
        """Int64 (N,): the likeliest change, k to remove tag k and K + k to add it."""
        worst = self.tags.argmax(1)
        rows = np.arange(len(worst))
        return np.where(self.given[rows, worst], worst, worst + self.tags.shape[1])

    @property
    def reasons(self) -> np.ndarray:
        """Bool (N, 3), which of :data:`REASONS` apply to a sample's tags."""
        likely = self.tags >= LIKELY
        parts = (likely & self.given, likely & ~self.given, self.hard)
        return np.column_stack([part.any(1) for part in parts])

    @property
    def estimated_faults(self) -> int:
        """How many of the N samples probably have a wrong or a missing tag."""
        return round(float(self.suspiciousness.sum()))


def changes(given: np.ndarray, tags: np.ndarray) -> np.ndarray:
    """Which tags should change: those that look wrong or missing.

    Where none does, it is the most suspicious one, if it is suspicious enough to need a
    reason (:data:`.reasons.LEAST`).

    Args:
        given: bool (N, K), as of :class:`TagScores`.
        tags: float (N, K), likewise.

    Returns:
        bool (N, K); a tag that was given should go, another one should come.
    """
    worst = np.zeros(given.shape, bool)
    worst[np.arange(len(tags)), tags.argmax(1)] = True
    return (tags >= LIKELY) | (worst & (tags >= reasons.LEAST))


def score(
    embeddings: np.ndarray,
    given: np.ndarray,
    *,
    logits: np.ndarray | None = None,
    settings: Settings,
    report: StageReport = silent_stage,
) -> TagScores:
    """Scores samples by their embeddings and tags.

    A tag that all samples have, or none, cannot be judged: its suspiciousness is 0.

    Args:
        embeddings: float (N, D), finite; penultimate activations of a network.
        given: bool (N, K), whether a sample has the tag.
        logits: float (N, K), of a network trained on these samples, if there is one:
            the log-odds of having each tag. They count as one vote.
        settings: only the seed is used.
        report: told the fraction of heads fitted.
    """
    tags, hard = np.zeros(given.shape), np.zeros(given.shape, bool)
    counts = given.sum(0)
    judged = np.flatnonzero((counts > 0) & (counts < len(given)))
    features = standardise(embeddings)
    for position, tag in enumerate(judged):
        original = None
        if logits is not None:
            both = np.column_stack([np.zeros(len(given)), logits[:, tag]])
            original = signals.log_softmax(both)
        answers = given[:, tag].astype(np.int64)
        part = _part(report, position, len(judged))
        heads = _fit_heads(features, answers, settings.seed, part)
        nothing, no_twins = np.zeros(len(given)), np.full(len(given), -1)
        asked = ensemble.Ensemble(heads, original, True, nothing, no_twins)
        scores = single_label.score_labels(answers, asked, equal_counts_prior=True)
        tags[:, tag] = scores.suspiciousness
        hard[:, tag] = scores.reasons[:, _HARD]
    return TagScores(given, tags, hard, _notes(given, tags))


def _fit_heads(
    features: np.ndarray, answers: np.ndarray, seed: int, report: StageReport
) -> dict[str, np.ndarray]:
    """As :class:`.ensemble.Ensemble` has them, of one tag."""
    folds = assign_folds(answers, np.random.default_rng(seed))
    heads: dict[str, np.ndarray] = {}
    left_out = None
    for position, (name, share) in enumerate(zip(ensemble.HEADS, _LEFT_OUT)):
        part = _part(report, position, len(ensemble.HEADS))
        heads[name] = out_of_sample(features, answers, folds, left_out, part)
        left_out = high_loss(heads[name], answers, share)
    return heads


def high_loss(
    log_probabilities: np.ndarray, answers: np.ndarray, share: float
) -> np.ndarray:
    """The subset that the next mutant is fitted without: the highest losses.

    Args:
        log_probabilities: float (N, 2), of the answers no and yes.
        answers: int64 (N,), 0 or 1.
        share: of the samples of each answer, rounded up; none is left out of fewer than
            ``2 * FOLDS``.

    Returns:
        bool (N,), True for samples left out.
    """
    totals = np.bincount(answers)
    most = np.where(totals >= 2 * FOLDS, np.ceil(share * totals), 0)
    losses = signals.loss(log_probabilities, answers)
    return signals.rank_in_class(losses, answers) < most[answers]


def _part(report: StageReport, position: int, count: int) -> StageReport:
    return lambda fraction: report((position + fraction) / count)


def _notes(given: np.ndarray, tags: np.ndarray) -> tuple[str, ...]:
    likely, counts = tags >= LIKELY, given.sum(0)
    wrong, missing = int((likely & given).sum()), int((likely & ~given).sum())
    notes = [f"Given tags that look wrong: {wrong}. Tags that look missing: {missing}."]
    if alone := int((counts == 1).sum()):
        notes.append(
            f"Tags that only one sample has: {alone}. No other sample can confirm or "
            "contradict such a tag; read its score with care."
        )
    if everywhere := int((counts == len(given)).sum()):
        notes.append(
            f"Tags that all samples have: {everywhere}. Nothing can be compared with "
            "them; they were not judged."
        )
    return tuple(notes)
