"""How far a disagreement can be trusted: learned from how often there is one.

A detector and the labels agree about an object, or they do not. With features x of the
object, such as the prediction's confidence and the size,

    P(agree | x) = (1 - e) r(x)

where r(x) is how likely the detector is right, a logistic curve, and e is how often the
label is wrong, the same everywhere. Where the detector is at its best, r is 1, and what
disagreement is left is the labels'. So e is the curve's distance from 1 at its upper
end. By Bayes' rule, a disagreement is the label's fault with the probability

    e / (1 - (1 - e) r(x)),

and the detector is right at that with e r(x) / (1 - (1 - e) r(x)).

The curve is fitted by likelihood. Where the data do not tell its upper end, half of all
disagreement is put on the labels: a weak prior. It is that of learning from positive
and unlabelled examples: Elkan and Noto, "Learning Classifiers from Only Positive and
Unlabeled Data", KDD 2008.

The slopes have a prior too, and it must be a weak one: a curve that is held flat stays
below 1 at its upper end, and puts on the detector what is the labels'. Their standard
deviation is the usual 2.5 (Gelman et al., "A Weakly Informative Default Prior
Distribution for Logistic and Other Regression Models", 2008). How often the detector
agrees on a class is given as log-odds, whose slope is about 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

FOLDS = 5
LEAST, MOST = 1e-4, 0.5
"""The share of labels that are wrong is taken to lie between these."""

_SPREAD, _SPREAD_OF_CLASS = 2.5, 1.0  # of slopes, before the data are seen


@dataclass(frozen=True)
class Trust:
    """How far the detector can be trusted on N objects.

    Attributes:
        right: float64 (N,), in (0, 1): how likely the detector is right about each, by
            curves that were not fitted on the object's image.
        faulty: float64 (N,), the estimated share of labels that are wrong, one for all.
    """

    right: np.ndarray
    faulty: np.ndarray

    def blame(self) -> np.ndarray:
        """Float64 (N,), in (0, 1): where there is a disagreement, P(label is wrong)."""
        return self.faulty / (1 - (1 - self.faulty) * self.right)

    def credit(self) -> np.ndarray:
        """Float64 (N,), in (0, 1): likewise, P(label is wrong and detector right)."""
        return self.right * self.blame()


def learn_trust(
    agree: np.ndarray,
    features: np.ndarray,
    classes: np.ndarray,
    images: np.ndarray,
    seed: int,
    *,
    worth: np.ndarray | None = None,
    faulty: float | None = None,
) -> Trust:
    """Fits curves on some images, and applies each to the others.

    Args:
        agree: float (N,), in [0, 1]; how far the detector agrees with each label.
        features: float (N, D), finite.
        classes: int64 (N,), at least 0; how often the detector agrees on a class is one
            more feature.
        images: int64 (N,), the image that each is in.
        seed: deals the images over the folds.
        worth: float (N,), in [0, 1], how much each counts; None is 1.
        faulty: the share of labels that are wrong, if it is known.
    """
    count = len(agree)
    worth = np.ones(count) if worth is None else worth
    right, shares = np.full(count, 0.5), np.full(count, LEAST)
    known, at = np.unique(images, return_inverse=True)
    folds = np.random.default_rng(seed).permutation(len(known))[at] % FOLDS
    for fold in range(FOLDS):
        held = folds == fold
        rest = ~held if not held.all() else held  # one image alone vouches for itself
        if not held.any():
            continue
        by_class = _agreement(
            agree[rest], classes[rest], int(classes.max()) + 1, worth[rest]
        )
        every = np.column_stack([features, by_class[classes]])
        mean, spread = every[rest].mean(0), every[rest].std(0)
        spread[-1] = 1.0  # it is log-odds, and small where classes hardly differ
        every = (every - mean) / np.where(spread > 1e-9, spread, 1.0)
        weights, share = _fit(agree[rest], worth[rest], every[rest], faulty)
        right[held] = expit(weights[0] + every[held] @ weights[1:])
        shares[held] = share
    # one share for all, or the images of one fold would come before those of another
    least = 1e-6
    return Trust(np.clip(right, least, 1 - least), np.full(count, shares.mean()))


def _agreement(
    agree: np.ndarray, classes: np.ndarray, count: int, worth: np.ndarray | None = None
) -> np.ndarray:
    """Log-odds (count,) of agreement by class, drawn to that of all.

    By how much follows from how much more the classes differ than they would by chance.
    """
    worth = np.ones(len(agree)) if worth is None else worth
    total = np.bincount(classes, weights=worth, minlength=count)
    found = np.bincount(classes, weights=agree * worth, minlength=count)
    overall = (found.sum() + 0.5) / (total.sum() + 1)
    by_chance = overall * (1 - overall)
    squares = (found - total * overall) ** 2
    seen = max(int((total > 0).sum()) - 1, 1)
    # Of the mean square over sizes, what chance does not explain: it is by_chance on
    # average, and its standard error is the root.
    by_chance_at_most = by_chance * (1 + 2 * np.sqrt(2 / seen))
    excess = (squares[total > 0] / total[total > 0]).sum() / seen - by_chance_at_most
    between = max(excess / max(total.sum() / (seen + 1), 1.0), 1e-9)
    pull = by_chance / between
    share = (found + pull * overall) / (total + pull)
    return logit(np.clip(share, 1e-6, 1 - 1e-6))


def _fit(
    agree: np.ndarray, worth: np.ndarray, features: np.ndarray, known: float | None
) -> tuple[np.ndarray, float]:
    """The curve: intercept and slopes (D + 1,), the last of the class, and share e."""
    overall = float((worth * agree).sum() / max(worth.sum(), 1e-9))
    overall = float(np.clip(overall, LEAST, 1 - LEAST))
    usual = float(logit(np.clip((1 - overall) / 2, 2 * LEAST, MOST - LEAST) / MOST))
    design = np.column_stack([np.ones(len(agree)), features])
    slopes, tight = np.zeros(features.shape[1]), np.full(features.shape[1], _SPREAD)
    slopes[-1], tight[-1] = 1.0, _SPREAD_OF_CLASS

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        weights, free = at[:-1], at[-1]
        share = MOST * expit(free)
        right = expit(design @ weights)
        chance = np.clip((1 - share) * right, 1e-12, 1 - 1e-12)
        each = agree * np.log(chance) + (1 - agree) * np.log1p(-chance)
        value = -(worth * each).sum()
        slope = worth * ((1 - agree) / (1 - chance) - agree / chance)
        down = design.T @ (slope * (1 - share) * right * (1 - right))
        apart = (weights[1:] - slopes) / tight
        down[1:] += apart / tight
        inner = -(slope * right).sum() * share * (1 - expit(free)) + (free - usual)
        value += 0.5 * float(apart @ apart) + 0.5 * (free - usual) ** 2
        return float(value), np.append(down, inner if known is None else 0.0)

    if known is not None:
        usual = float(logit(np.clip(known, 2 * LEAST, MOST - LEAST) / MOST))
    start = np.zeros(design.shape[1] + 1)
    start[0] = logit(np.clip(overall / (1 - MOST * expit(usual)), LEAST, 1 - LEAST))
    start[-1] = usual
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    share = float(np.clip(MOST * expit(found[-1]), LEAST, MOST))
    return found[:-1], share
