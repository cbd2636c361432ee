"""Probes: boxes that are known to be wrong, as they were put where they are.

What wrong boxes look like is learned from probes; which of the given boxes are wrong is
then told by how alike they are. A logistic curve on what is seen of a box tells how
much likelier a probe looks so than a given box,

    r(x) = P(x | probe) / P(x | given),

and if a share e of the given boxes are wrong in that way, each is with probability
e r(x), at most 1. No right box looks more wrong than the median probe, as far as can be
told, and half of the wrong ones do: so e is at most twice the share of given boxes that
do.

It is learning from positive and unlabelled examples, of which the positive are made.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from fiftyone_dfaulo.engine.boxes.elsewhere import place_anywhere
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes
from fiftyone_dfaulo.engine.boxes.trust import FOLDS

LEAST_PROBES = 1_000
"""So many boxes of nothing at least, where few are given: they cost nothing."""


class CloserLook(NamedTuple):
    """What is seen at N given boxes, and at probes, by a network that looks at each.

    It has learned from other images.

    Attributes:
        there: float64 (N,), log-odds that an object is in each box.
        boxes: float64 (N, 4), where that object is: left, top, width and height.
        empty: P boxes that were put anywhere.
        empty_there: float64 (P,), log-odds that an object is in each of these.
        displaced: float64 (N, 4), the given boxes, moved away from where they were.
        displaced_boxes: float64 (N, 4), where the object looks to be then.
    """

    there: np.ndarray
    boxes: np.ndarray
    empty: Boxes
    empty_there: np.ndarray
    displaced: np.ndarray
    displaced_boxes: np.ndarray


def put_anywhere(given: Boxes, images: np.ndarray, rng: np.random.Generator) -> Boxes:
    """Boxes of the given sizes anywhere in the images, each size equally often."""
    times = -(-LEAST_PROBES // len(given.images))
    sizes = np.tile(given.boxes[:, 2:], (times, 1))
    boxes = place_anywhere(sizes, rng)
    return Boxes(rng.choice(images, len(sizes)), boxes)


def wrong_as_probes(
    odds: np.ndarray, of_probes: np.ndarray, worth: np.ndarray
) -> np.ndarray:
    """Float64 (N,): how likely given boxes are wrong as the probes are; e r(x).

    Args:
        odds: float64 (N,), r(x) of the given boxes.
        of_probes: float64 (P,), r(x) of the probes.
        worth: float64 (N,), in [0, 1], how much each given box counts for the share e.
    """
    above = worth[odds >= np.median(of_probes)].sum()
    return 2 * float(above / max(worth.sum(), 1e-9)) * odds


def below_one(likely: np.ndarray) -> np.ndarray:
    """What nears 1 from .9 on, and does not reach it, so that the order stays."""
    return np.where(likely < 0.9, likely, 1 - 0.01 / np.maximum(likely - 0.8, 0.1))


def odds_of_probes(
    says: np.ndarray,
    probe: np.ndarray,
    images: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Float64 (Q,), above 0: r(x) of boxes; no curve has seen the box's image.

    Args:
        says: float (Q, D), finite: what is seen of each.
        probe: bool (Q,), which are probes.
        images: int64 (Q,), the image that each is in.
        rng: deals the images over folds.
    """
    known, at = np.unique(images, return_inverse=True)
    folds = rng.permutation(len(known))[at] % FOLDS
    spread = says.std(0)
    says = (says - says.mean(0)) / np.where(spread > 1e-9, spread, 1.0)
    odds = np.ones(len(says))
    for fold in range(FOLDS):
        held = folds == fold
        rest = ~held
        if not (rest & ~probe).any():  # one image alone vouches for itself
            rest = np.ones(len(says), bool)
        if held.any():
            curve = LogisticRegression(max_iter=1_000).fit(says[rest], probe[rest])
            odds[held] = np.exp(curve.decision_function(says[held]))
    even = (~probe).sum() / probe.sum()
    return even * odds
