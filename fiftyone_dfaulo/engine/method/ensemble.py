"""The ensemble around one network: models that score samples they never learned from.

1. Linear heads are cross-fitted on the penultimate embeddings: the log-probabilities of
   a sample always come from a head that was not fitted on it.
2. Mutants are such heads, fitted without a suspicious subset: the first without the
   highest losses, the second without the highest losses under the first, as many as are
   probably wrong. So faults can no longer confirm each other.
3. Images that look like none of the others have foreign content (:mod:`.outliers`),
   unless a near duplicate of theirs does look like others (:mod:`.near_duplicates`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.cache.digest import code_version
from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor
from fiftyone_dfaulo.engine.method import near_duplicates, outliers, regression
from fiftyone_dfaulo.engine.method.heads import (
    FOREIGN,
    Samples,
    assign_folds,
    mutant_subset,
    out_of_sample,
    standardise,
)
from fiftyone_dfaulo.engine.method.outputs import (
    Outputs,
    SpreadOutputs,
    in_memory,
    judge,
    likeliest,
)
from fiftyone_dfaulo.engine.method.sharpness import (
    evenly,
    fit_power,
    inverse_regularization,
)
from fiftyone_dfaulo.engine.method.wrong_label import count_wrong
from fiftyone_dfaulo.engine.progress import StageReport, report_part, silent_stage
from fiftyone_dfaulo.engine.threads import blas_kernels

HIGH_LOSS = 0.10  # share of the samples left out for a high loss
HIGH_MUTANT_LOSS = 0.05
"""Share left out for a high loss under the first mutant, at least. Where more labels
are probably wrong, it is as many as these."""

HEADS = ("all", "without_high_loss", "without_high_mutant_loss")


class Ensemble(NamedTuple):
    """What the models around one network say of N samples and K classes.

    Attributes:
        heads: name, of :data:`HEADS` and in their order, to out-of-sample
            log-probabilities (N, K): the first, the last, and maybe the one between.
        original: log-probabilities (N, K) of the network itself, or None.
        original_votes: whether these count in the vote.
        learned: whether the network has learned the labels, faulty ones too.
        foreign: float64 (N,), probabilities of foreign content.
        near_duplicate_of: int64 (N,), positions of near duplicates that have
            another label; -1 where there is none.
        known: bool (N,), the samples that it has seen. Of the others it says nothing:
            all classes are equally likely.
    """

    heads: dict[str, Outputs]
    original: Outputs | None
    original_votes: bool
    learned: bool
    foreign: np.ndarray
    near_duplicate_of: np.ndarray
    known: np.ndarray

    @property
    def mutants(self) -> list[Outputs]:
        """The mutants' log-probabilities; the last lacks the best-known subset."""
        return [*self.heads.values()][1:]

    @property
    def voters(self) -> list[Outputs]:
        """The log-probabilities whose mean is the vote.

        They are those of the mutants, and of a model of all samples: the network or,
        where it does not vote, the heads. Embeddings of a network that has learned the
        labels show faulty ones as correct to all mutants but the last.
        """
        mutants = self.mutants[-1:] if self.learned else self.mutants
        network = self.original if self.original_votes else None
        return [*mutants, self.heads[HEADS[0]] if network is None else network]


def fit_ensemble(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    logits: np.ndarray | None = None,
    logits_vote: bool = True,
    learned: bool = False,
    appearance: np.ndarray | None = None,
    foreign: np.ndarray | None = None,
    points: np.ndarray | None = None,
    settings: Settings,
    work: Work = UNKEPT,
    executor: Executor = HERE,
    report: StageReport = silent_stage,
) -> Ensemble:
    """Fits the models around one network.

    Args:
        embeddings, labels, logits, logits_vote, learned, appearance, points, settings,
            report: as of :func:`.single_label.score`.
        foreign: float64 (N,), probabilities of foreign content where they are already
            known; not together with an appearance.
        work: keeps the heads.
        executor: fits them, and looks for near duplicates.
    """
    features = standardise(embeddings)
    folds = assign_folds(labels, np.random.default_rng(settings.seed))
    along = regression.directions(features)
    if work.kept:
        how = who_fits(executor)
        work = work.as_kind("heads").of(features, labels, folds, how)
    inverse = _weakness(features, labels, folds, along, work)
    shared = executor.share(Samples(features, labels, folds, along))

    weights: list[np.ndarray] = []

    def fit(left_out: np.ndarray | None = None) -> Outputs:
        """Heads without a subset; mutants start from the heads of the same folds."""
        fitted = out_of_sample(
            features,
            labels,
            folds,
            left_out,
            report_part(report, len(weights), len(HEADS)),
            inverse,
            along,
            weights[-1] if weights else None,
            work,
            executor,
            shared,
        )
        weights.append(fitted.weights)
        return in_memory(fitted)

    full_heads = fit()
    loss, _, seen_as = judge(full_heads, labels)
    if foreign is None:
        foreign = np.zeros(len(labels))
    if appearance is not None:
        foreign = outliers.foreign_content(appearance, labels, folds, seen_as != labels)
    near_duplicate_of = np.full(len(labels), -1)
    if points is not None:
        near_duplicate_of = near_duplicates.conflicting(points, labels, loss, executor)
        # a copy may be noisier than all other images, but its content is known
        foreign = np.where(
            near_duplicate_of < 0,
            foreign,
            np.minimum(foreign, foreign[near_duplicate_of]),
        )
    first = fit(mutant_subset(loss, labels, foreign, HIGH_LOSS))
    loss = judge(first, labels).loss
    wrong = _wrong_share(first, labels, foreign, learned)
    last = fit(mutant_subset(loss, labels, foreign, max(HIGH_MUTANT_LOSS, wrong)))
    return Ensemble(
        heads=dict(zip(HEADS, [full_heads, first, last], strict=True)),
        original=None if logits is None else signals.log_softmax(logits),
        original_votes=logits_vote,
        learned=learned,
        foreign=foreign,
        near_duplicate_of=near_duplicate_of,
        known=np.ones(len(labels), bool),
    )


def who_fits(executor: Executor) -> tuple[object, ...]:
    """What else decides the bits of heads: code, and the kernels of all who fit them.

    It is part of a key, see :func:`.digest`.
    """
    found = executor.everywhere(_own_kernels, None).values()
    kernels = [list(one) for one in sorted({tuple(each) for each in found})]
    return code_version(), *kernels


def _own_kernels(_: None) -> list[str]:
    return blas_kernels()


def _weakness(
    features: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    along: regression.Directions,
    work: Work,
) -> float:
    """:func:`.sharpness.inverse_regularization`, if it is not kept."""
    own = work.of("inverse")
    kept = own.load()
    if kept is not None:
        return float(kept["inverse"])
    inverse = inverse_regularization(features, labels, folds, along)
    own.save(inverse=np.array(inverse))
    return inverse


def spread(
    ensemble: Ensemble, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> Ensemble:
    """An ensemble of some samples and classes as one of all.

    Args:
        ensemble: of M samples and the J classes that they have.
        rows: int64 (M,), ascending positions of the samples among N.
        columns: int64 (J,), ascending numbers of the classes among K.
        shape: N and K.

    Returns:
        it, where classes that it never saw have a probability of 1e-12.
    """
    count, _ = shape
    if len(rows) == count:
        return ensemble
    position = np.full(count, -1)
    position[rows] = np.arange(len(rows))

    def widen(outputs: Outputs) -> Outputs:
        return in_memory(SpreadOutputs(outputs, position, columns, shape))

    known = np.zeros(count, bool)
    known[rows] = True
    foreign, near_duplicate_of = np.zeros(count), np.full(count, -1)
    foreign[rows] = ensemble.foreign
    paired = ensemble.near_duplicate_of >= 0
    near_duplicate_of[rows[paired]] = rows[ensemble.near_duplicate_of[paired]]
    return ensemble._replace(
        heads={name: widen(head) for name, head in ensemble.heads.items()},
        original=None if ensemble.original is None else widen(ensemble.original),
        foreign=foreign,
        near_duplicate_of=near_duplicate_of,
        known=known,
    )


def shares(ensembles: Sequence[Ensemble], labels: np.ndarray) -> np.ndarray:
    """How much each of some ensembles, of different embeddings, counts in the vote.

    It is how much likelier its heads find labels that they never saw than the
    frequencies of the classes do, in nats: nothing for embeddings that tell nothing.
    The samples that an ensemble has not seen are judged by the others.

    Args:
        ensembles: S of them; each sample is known to one at least.
        labels: int64 (N,).

    Returns:
        float64 (N, S), from 0 on, with rows of the sum 1; equal if none tells anything.
    """
    known = np.column_stack([each.known for each in ensembles])
    if len(ensembles) == 1:
        return known.astype(np.float64)
    told = np.array([_told(each, labels) for each in ensembles])
    counts = np.where(known, told, 0.0)
    silent = ~counts.any(1)
    counts[silent] = known[silent]
    return np.asarray(counts / counts.sum(1, keepdims=True))


def _told(ensemble: Ensemble, labels: np.ndarray) -> float:
    """How many nats a label its heads tell of labels that they never saw."""
    given = labels[ensemble.known]
    frequencies = np.bincount(given) / len(given)
    chance = -float(np.log(frequencies[given]).mean())
    some = np.flatnonzero(ensemble.known)[evenly(given)]
    seen = likeliest(ensemble.heads[HEADS[0]][some], labels[some])
    return max(chance - fit_power(seen, labels[some])[1], 0.0)


def _wrong_share(
    mutant: Outputs, labels: np.ndarray, foreign: np.ndarray, learned: bool
) -> float:
    """The share of labels that are wrong by what one mutant says."""
    some = np.sort(evenly(labels))
    seen = likeliest(mutant[some], labels[some])
    trusted = foreign[some] < FOREIGN
    return count_wrong(seen, labels[some], trusted, learned=learned) / len(some)
