"""Which class is mistaken for which: the label noise of a dataset, from its labels.

1. Models that never saw the label of a sample give class j the probability p_j of being
   its true class. By Bayes' rule, the true class of a sample with label i is j with a
   probability proportional to p_j T[j, i]: T[j, i] is the chance that a sample of class
   j is given the label i. If a near duplicate has another label i', the two share one
   true class: then it is proportional to p_j T[j, i] T[j, i'].
2. Summed over all samples, these probabilities tell how often each class is mistaken,
   and for what; from that follows T, and so on (expectation-maximisation).
3. No sample is its own witness: T is, for each sample, that of all others. Otherwise a
   lone contradiction in a small class would explain itself.
4. T[j, i] is the *rate* at which class j is mistaken, times the share of the *kind* i
   among its mistakes. Rates are drawn towards one for all classes, as strongly as makes
   the labels likeliest. A class is mistaken for some others more than for the rest, or
   for all alike: each by how much likelier it makes the labels. A prior holds both
   back: in any dataset, models contradict some correct labels of classes that look
   alike.

Where one class leaks into another, T shows it, and a sample of the second that looks
like the first becomes more suspicious than one that looks like any third class. Where
a class is mistaken for all alike, a kind that was never seen is as likely as any.

The model is that of Patrini et al., "Making Deep Neural Networks Robust to Label
Noise", CVPR 2017, fitted as Dawid and Skene fit theirs, Applied Statistics 28, 1979.
Leaving each sample's own part out is collapsed variational inference (Asuncion et al.,
"On Smoothing and Inference for Topic Models", UAI 2009), and the strengths follow the
leave-one-out likelihood of Minka, "Estimating a Dirichlet distribution", 2000.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from fiftyone_dfaulo.engine.method.outputs import Likeliest, by_blocks, in_blocks
from fiftyone_dfaulo.engine.method.regression import BLOCK
from fiftyone_dfaulo.engine.threads import one_blas_thread

FIRST_MISTAKES = 0.05  # share of mislabelled samples to start from
LEAST_MISTAKES, MOST_MISTAKES = 0.001, 0.6
STEPS = 40
AGAINST = 1.5
"""In nats, against a class being choosy, beside how many others are: models that are
wrong of classes that look alike pass for a pattern. Chosen on half of the cases of
``bench.counts``, the letters and data without faults; from 1 to 2 all is much alike."""

SETTLED = 1e-2
"""The noise is known once no step moves this share of any number of samples or of 1."""

_NOTHING = np.zeros((1, 1), np.float32)


class Noise(NamedTuple):
    """The label noise of N samples and K classes.

    Attributes:
        expected: float64 (K, K), samples by true class and label.
        mistakes: share of the labels that are wrong, in [.001, .6].
        usual: float64 (K,), the rate at which each class is usually mistaken.
        alike: as if of each class so many samples were mistaken at that rate.
        choosy: float64 (K,), how probably a class is mistaken for some above others.
        kinds: as if of a choosy class so many mistakes were for all others alike.
        own: float32 (N, T), each sample's part in ``expected``, of its kept classes.
        fit: log-likelihood of the labels, of each by all others.
    """

    expected: np.ndarray
    mistakes: float
    usual: np.ndarray
    alike: float
    choosy: np.ndarray
    kinds: float
    own: np.ndarray
    fit: float

    @property
    def transitions(self) -> np.ndarray:
        """T, float64 (K, K), true class by given label; rows add up to 1."""
        kept, total = self.expected.diagonal(), self.expected.sum(1)
        rate = (total - kept + self.alike * self.usual) / (total + self.alike)
        any_kind = 1 / (len(total) - 1)
        found = self.expected + self.kinds * any_kind
        found *= (self.choosy / (total - kept + self.kinds))[:, None]
        found += ((1 - self.choosy) * any_kind)[:, None]
        found *= rate[:, None]
        np.fill_diagonal(found, 1 - rate)
        return found


@one_blas_thread
def fit_noise(
    seen: Likeliest,
    labels: np.ndarray,
    *,
    prior: float,
    mistakes: float | None = None,
    like: Noise | None = None,
    equal_counts_prior: bool = False,
    start: Noise | None = None,
    steps: int = STEPS,
) -> Noise:
    """The label noise that makes the labels likeliest.

    Args:
        seen: probabilities (N, K) of the classes, each above 0, out-of-sample.
        labels: int64 (N,), in 0..K-1, K at least 2.
        prior: above 0, how strong: as mistakes in this share of an average class.
        mistakes: the share of labels that are wrong; None estimates it as well.
        like: noise of which ``alike`` and ``choosy`` are taken; None estimates them.
        equal_counts_prior: whether every kind of mistake is usually as frequent, rather
            than as likely for each sample. Where one class is far larger, equally
            likely mistakes would all be among its samples.
        start: noise of the same samples to start from; None is the usual mistakes.
        steps: of expectation-maximisation, at most; at least 2.
    """
    count = seen.values.shape[1] + seen.others
    kinds = prior * len(labels) / count

    def with_prior(noise: Noise) -> Noise:
        share = noise.mistakes if mistakes is None else mistakes
        share = float(np.clip(share, LEAST_MISTAKES, MOST_MISTAKES))
        return noise._replace(
            mistakes=share,
            usual=_usual(noise.expected.sum(1), share, equal_counts_prior),
            alike=max(noise.alike, kinds / share) if like is None else like.alike,
            choosy=noise.choosy if like is None else like.choosy,
            kinds=kinds,
        )

    noise = start or Noise(
        expected=np.zeros((count, count)),
        mistakes=FIRST_MISTAKES,
        usual=np.zeros(count),
        alike=0.0,
        choosy=np.ones(count),
        kinds=kinds,
        own=np.zeros(seen.values.shape, np.float32),
        fit=-np.inf,
    )
    noise = with_prior(noise)
    # what classes are mistaken for must show before it is judged which are choosy
    for judging in (False, True) if like is None else (True,):
        for _ in range(steps // 2):
            before = noise if judging else noise._replace(choosy=np.ones(count))
            noise = with_prior(_step(before, seen, labels))
            moved = np.abs(noise.expected - before.expected)
            if (moved < SETTLED * (1 + before.expected)).all():
                break
    return noise


def _usual(sizes: np.ndarray, mistakes: float, equal_counts: bool) -> np.ndarray:
    """The usual rates (K,); a class keeps at least what it loses to one other."""
    lost = mistakes * sizes.sum() / len(sizes)
    if not equal_counts or not lost:
        return np.full(len(sizes), mistakes)
    kept = np.maximum(sizes - lost, lost / (len(sizes) - 1))
    return np.asarray(lost / (lost + kept))


def _step(noise: Noise, seen: Likeliest, labels: np.ndarray) -> Noise:
    """One step of expectation-maximisation."""
    count = len(noise.expected)
    others = _Others(noise, seen.others, np.float32)  # half the work, many times
    own = np.empty_like(noise.own)

    def look(rows: slice) -> tuple[np.ndarray, ...]:
        some, given = seen.take(rows), labels[rows]
        said = others.say(some, given, noise.own[rows])
        total = said.joint.sum(1) + said.rest
        truth = said.joint / total[:, None]
        own[rows] = truth
        cells = some.classes * np.int64(count) + given[:, None]
        expected = np.bincount(cells.ravel(), truth.ravel(), count * count)
        of_rest = np.bincount(given, said.rest / total, count)
        fit = np.log(total).sum(dtype=float)
        return expected, of_rest, fit, *said.learn(truth, count)

    sums: list[np.ndarray] = []
    size = max(BLOCK, count * count // own.shape[1])
    for found in by_blocks(len(labels), look, size):
        sums = [a + b for a, b in zip(sums, found)] if sums else list(found)
    expected, of_rest, fit, usual, of, for_choosy = sums
    expected = expected.reshape(count, count)
    spread = of_rest / (count - 1)
    expected += spread - np.diag(spread)
    choosy = logit((noise.choosy.sum() + 1) / (count + 2)) - AGAINST
    return noise._replace(
        expected=expected,
        mistakes=1 - np.trace(expected) / len(labels),
        alike=float(usual / of),
        choosy=expit(choosy + for_choosy),
        own=own,
        fit=float(fit),
    )


class _Said(NamedTuple):
    """What the others say of n samples, for T classes of each."""

    joint: np.ndarray  # (n, T), probability of the class and the label
    rest: np.ndarray  # (n,), the same of all classes that are not kept
    classes: np.ndarray  # (n, T)
    right: tuple[np.ndarray, np.ndarray]  # the places of the labels
    usual: np.ndarray  # (n, T), how much of the rate is the usual one
    samples: np.ndarray  # (n, T), what the rate is a share of
    choosy: np.ndarray  # (n, T), how much likelier a choosy class makes the kind
    mixed: np.ndarray  # (n, T), the same, as choosy as the class probably is

    def learn(self, truth: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
        """Sums: what makes ``alike``, and evidence (K,) that classes are choosy."""
        not_this = self.mixed * (1 - truth)
        evidence = np.log((not_this + truth * self.choosy) / (not_this + truth))
        return (
            (truth * self.usual).sum(dtype=float),
            (truth / self.samples).sum(dtype=float),
            np.bincount(self.classes.ravel(), evidence.ravel(), count),
        )


class _Others:
    """What all samples but the one in question say of it."""

    def __init__(self, noise: Noise, unkept: int, kind: type[np.floating]) -> None:
        self.matrix, self.others = noise.transitions, len(noise.expected) - 1
        # classes that are not kept are taken for one that is mistaken as the mean
        wrong = self.matrix.sum(0) - self.matrix.diagonal()
        kept, total = noise.expected.diagonal(), noise.expected.sum(1)
        exact = [wrong * (unkept / self.others), kept, total, total - kept]
        exact += [noise.expected, noise.usual, noise.choosy]
        as_kind = [array.astype(kind) for array in exact]
        self.by_rest, self.kept, self.total, self.lost = as_kind[:4]
        self.expected, self.usual, self.choosy = as_kind[4:]
        self.alike, self.kinds = float(noise.alike), float(noise.kinds)

    def say(self, some: Likeliest, given: np.ndarray, own: np.ndarray) -> _Said:
        """Of samples with the labels ``given``, without their ``own`` parts."""
        classes = some.classes
        right = np.arange(len(given)), some.of_label(given)
        cells = classes * np.int64(self.others + 1) + given[:, None]
        usual = self.alike * self.usual.take(classes)
        usual[right] = self.alike - usual[right]
        so = self.lost.take(classes)
        so[right] = self.kept[given]
        so = np.maximum(so - own, 0.0)
        samples = np.maximum(self.total.take(classes) - own, 0.0) + self.alike
        kind = np.maximum(self.expected.take(cells) - own, 0.0)
        choosy = (self.others * kind + self.kinds) / (so + self.kinds)
        choosy[right] = 1.0
        mixed = 1 + self.choosy.take(classes) * (choosy - 1)
        of_kind = mixed / self.others
        of_kind[right] = 1.0
        return _Said(
            joint=some.values * ((so + usual) / samples) * of_kind,
            rest=some.rest * self.by_rest[given],
            classes=classes,
            right=right,
            usual=usual / (so + usual),
            samples=samples,
            choosy=choosy,
            mixed=mixed,
        )


def log_odds_of_mistake(
    seen: Likeliest,
    labels: np.ndarray,
    noise: Noise,
    own: np.ndarray | None = None,
    near_duplicate_labels: np.ndarray | None = None,
) -> np.ndarray:
    """Log-odds float64 (N,) that the true class is not the label.

    Args:
        seen, labels, noise: as of :func:`fit_noise`, and from it.
        own: float32 (N, T), the samples' own parts in it; None if it is of others.
        near_duplicate_labels: int64 (N,), the other label, of a near duplicate; -1
            where there is none.
    """
    found = np.empty(len(labels))
    others = _Others(noise, seen.others, np.float64)

    def compare(rows: slice) -> None:
        some, given = seen.take(rows), labels[rows]
        said = others.say(some, given, _NOTHING if own is None else own[rows])
        joint, rest = said.joint, said.rest
        if near_duplicate_labels is not None:
            paired = np.flatnonzero(near_duplicate_labels[rows] >= 0)
            other = near_duplicate_labels[rows][paired]
            joint[paired] *= others.matrix[some.classes[paired], other[:, None]]
            rest[paired] *= others.by_rest[other] / max(seen.others, 1)
        right = joint[said.right]
        joint[said.right] = 0.0
        found[rows] = np.log(joint.sum(1) + rest) - np.log(right)

    in_blocks(len(labels), compare)
    return found
