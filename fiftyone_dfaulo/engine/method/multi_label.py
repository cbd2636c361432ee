"""Wrong and missing labels of multi-label samples: each class against the rest.

1. For each of K classes, whether a sample has it is a problem of two classes, *no* and
   *yes*, with heads, mutants, vote and noise of its own.
   :func:`.single_label.score_labels` gives the probability that a *no* or *yes* is
   wrong.
2. The mutants are fitted without the highest losses of each of the two. The *yes* of a
   rare class have the highest losses of all: taken together, half of them would be
   left out. For the same reason the prior holds wrong and missing labels for equally
   many, not for equally likely: otherwise no rare class would be found missing. The
   first mutant chooses what the last one does without, and has no vote.
3. Where the sample has the class, this is the probability that its label is wrong;
   elsewhere, that a label is missing.
4. A sample is as suspicious as its most suspicious class.

How strongly heads are regularised is what makes labels likeliest that they never saw,
of some classes together (:func:`.sharpness.likeliest_regularization`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor
from fiftyone_dfaulo.engine.method import (
    ensemble,
    reasons,
    regression,
    single_label,
)
from fiftyone_dfaulo.engine.method.ensemble import HEADS
from fiftyone_dfaulo.engine.method.heads import (
    FOLDS,
    assign_folds,
    out_of_sample,
    standardise,
)
from fiftyone_dfaulo.engine.method.outputs import Outputs, in_memory, judge, likeliest
from fiftyone_dfaulo.engine.method.sharpness import likeliest_regularization
from fiftyone_dfaulo.engine.method.wrong_label import count_wrong
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage

REASONS = ("tag looks wrong", "tag looks missing", "hard to learn")
"""In the order of the columns of :meth:`MultiLabelScores.reasons`:

- *tag looks wrong*: a given label is more likely wrong than not;
- *tag looks missing*: a label that was not given is more likely missing than not;
- *hard to learn*: the original model has seen whether the label was given, and still
  finds it unlikely.
"""

LIKELY = 0.5
"""Labels that are this suspicious, or more, look wrong or missing."""

ASKED = 10
"""So many classes at most tell how strongly heads are regularised: it takes time."""

_MOST_LEFT_OUT = 0.5  # of either: most labels of a class are right

_HARD = reasons.REASONS.index("hard to learn")


@dataclass(frozen=True)
class MultiLabelScores:
    """The scores of N samples that have any number of K classes each.

    Attributes:
        given: bool (N, K), whether a sample has the class.
        class_suspiciousness: float64 (N, K), in [0, 1]; how likely ``given`` is wrong.
        hard: bool (N, K), whether ``given`` is hard to learn, see :data:`REASONS`.
        notes: plain sentences that a user should read with the result.
    """

    given: np.ndarray
    class_suspiciousness: np.ndarray
    hard: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def suspiciousness(self) -> np.ndarray:
        """Float64 (N,), in [0, 1]: of each sample, the maximum over the classes."""
        return self.class_suspiciousness.max(1)

    @property
    def suggestion(self) -> np.ndarray:
        """Int64 (N,): the likeliest change; k removes class k, and K + k adds it."""
        worst = self.class_suspiciousness.argmax(1)
        rows = np.arange(len(worst))
        added = worst + self.given.shape[1]
        return np.where(self.given[rows, worst], worst, added)

    @property
    def reasons(self) -> np.ndarray:
        """Bool (N, 3), which of :data:`REASONS` apply to a sample."""
        likely = self.class_suspiciousness >= LIKELY
        parts = (likely & self.given, likely & ~self.given, self.hard)
        return np.column_stack([part.any(1) for part in parts])

    @property
    def estimated_faults(self) -> int:
        """How many of the N samples probably have a wrong or a missing label."""
        return round(float(self.suspiciousness.sum()))


def changes(given: np.ndarray, class_suspiciousness: np.ndarray) -> np.ndarray:
    """Which labels should change: those that look wrong or missing.

    Where none does, it is the most suspicious one, if it is suspicious enough to need a
    reason (:data:`.reasons.LEAST`).

    Args:
        given: bool (N, K), as of :class:`MultiLabelScores`.
        class_suspiciousness: float (N, K), likewise.

    Returns:
        bool (N, K); a class that was given should go, another one should come.
    """
    worst = np.zeros(given.shape, bool)
    worst[np.arange(len(given)), class_suspiciousness.argmax(1)] = True
    enough = class_suspiciousness >= reasons.LEAST
    return (class_suspiciousness >= LIKELY) | (worst & enough)


def score(
    embeddings: np.ndarray,
    given: np.ndarray,
    *,
    logits: np.ndarray | None = None,
    settings: Settings,
    work: Work = UNKEPT,
    executor: Executor = HERE,
    report: StageReport = silent_stage,
) -> MultiLabelScores:
    """Scores samples by their embeddings and classes.

    A class that all samples have, or none, cannot be scored: its suspiciousness is 0.

    Args:
        embeddings: float (N, D), finite; penultimate activations of a network.
        given: bool (N, K), whether a sample has the class.
        logits: float (N, K), of a network trained on these samples, if there is one:
            the log-odds of having each class. They count as one vote.
        settings: only the seed is used.
        work: keeps what is found of each class.
        executor: scores the classes.
        report: called with the fraction of classes scored.
    """
    suspiciousness, hard = np.zeros(given.shape), np.zeros(given.shape, bool)
    counts = given.sum(0)
    scored = np.flatnonzero((counts > 0) & (counts < len(given)))
    features = standardise(embeddings)
    if work.kept:
        how = ensemble.who_fits(executor)
        work = work.as_kind("tags").of(features, settings.seed, how)
    along = regression.directions(features)
    inverse = _inverse(features, along, given[:, scored], settings.seed)
    samples = _Samples(features, along, given, logits, settings.seed, inverse)
    places, missing = _places(samples, scored, work), []
    for k, place in places.items():
        kept = place.load()
        if kept is None:
            missing.append(k)
        else:
            suspiciousness[:, k], hard[:, k] = kept["suspiciousness"], kept["hard"]
    done = len(places) - len(missing)
    if done:
        work.tell(f"Tags scored by earlier runs: {done} of {len(places)}.")
    found = executor.each(_score, executor.share(samples), missing)
    with closing(found):
        for n, (one, k) in enumerate(zip(found, missing)):  # so they come to their end
            suspiciousness[:, k], hard[:, k] = one
            places[k].save(suspiciousness=one[0], hard=one[1])
            report((done + n + 1) / len(places))
    notes = _notes(given, suspiciousness)
    return MultiLabelScores(given, suspiciousness, hard, notes)


class _Samples(NamedTuple):
    """What is scored: standardised features, and the rest as of :func:`score`."""

    features: np.ndarray
    along: regression.Directions
    given: np.ndarray
    logits: np.ndarray | None
    seed: int
    inverse: float


def _inverse(
    features: np.ndarray, along: regression.Directions, given: np.ndarray, seed: int
) -> float:
    """How weakly heads are regularised, by some of the classes."""
    count = given.shape[1]
    some = np.unique(np.arange(ASKED) * count // ASKED)[:count]
    problems = [
        (labels, assign_folds(labels, np.random.default_rng(seed)))
        for labels in given[:, some].T.astype(np.int64)
    ]
    return likeliest_regularization(features, problems, along)


def _places(samples: _Samples, classes: np.ndarray, work: Work) -> dict[int, Work]:
    """Where what is found of each class is kept."""
    given, logits = samples.given, samples.logits

    def own(k: int) -> Work:
        seen = None if logits is None else logits[:, k]
        return work.of(given[:, k], seen, samples.inverse) if work.kept else work

    return {int(k): own(int(k)) for k in classes}


def _score(
    samples: _Samples, classes: Iterable[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Suspiciousness, float64 (N,), and *hard to learn*, bool (N,), of classes."""
    given, logits = samples.given, samples.logits
    foreign, no_duplicates = np.zeros(len(given)), np.full(len(given), -1)
    known = np.ones(len(given), bool)
    for k in classes:
        original = None
        if logits is not None:
            both = np.column_stack([np.zeros(len(given)), logits[:, k]])
            original = signals.log_softmax(both)
        labels = given[:, k].astype(np.int64)
        models = ensemble.Ensemble(
            heads=_fit_heads(samples, labels),
            original=original,
            original_votes=True,
            learned=original is not None,
            foreign=foreign,
            near_duplicate_of=no_duplicates,
            known=known,
        )
        scores = single_label.score_labels(labels, models, equal_counts_prior=True)
        yield scores.suspiciousness, scores.reasons[:, _HARD]


def _fit_heads(samples: _Samples, labels: np.ndarray) -> dict[str, Outputs]:
    """The heads of an :class:`.ensemble.Ensemble`, for one class against the rest."""
    folds = assign_folds(labels, np.random.default_rng(samples.seed))
    features, along, inverse = samples.features, samples.along, samples.inverse
    fit = partial(out_of_sample, features, labels, folds, inverse=inverse, along=along)
    every = fit()
    shares = np.full(2, ensemble.HIGH_LOSS)
    first = fit(high_loss(in_memory(every), labels, shares), start=every.weights)
    seen, known = in_memory(first), np.ones(len(labels), bool)
    # by the usual sharpness, as this one has no vote
    wrong = count_wrong(likeliest(seen, labels), labels, known, learned=True)
    shares = wrong / 2 / np.maximum(np.bincount(labels, minlength=2), 1)
    shares = np.clip(shares, ensemble.HIGH_MUTANT_LOSS, _MOST_LEFT_OUT)
    last = fit(high_loss(seen, labels, shares), start=first.weights)
    return {HEADS[0]: in_memory(every), HEADS[-1]: in_memory(last)}


def high_loss(outputs: Outputs, labels: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The subset that the next mutant is fitted without: the highest losses.

    Args:
        outputs: log-probabilities (N, 2), of *no* and *yes*.
        labels: int64 (N,), 0 for *no* or 1 for *yes*.
        shares: (2,), of the samples of each of the two, rounded up; none is left out
            of fewer than ``2 * FOLDS``.

    Returns:
        bool (N,), True for samples left out.
    """
    totals = np.bincount(labels, minlength=2)
    most = np.where(totals >= 2 * FOLDS, np.ceil(shares * totals), 0)
    return signals.rank_in_class(judge(outputs, labels).loss, labels) < most[labels]


def _notes(given: np.ndarray, class_suspiciousness: np.ndarray) -> tuple[str, ...]:
    likely, counts = class_suspiciousness >= LIKELY, given.sum(0)
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
            "them; they were not scored."
        )
    return tuple(notes)
