"""What labels are scored from: the numbers that one source gives of the items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Features:
    """What one source says of those of N labelled items, M, that it could read.

    Attributes:
        embeddings: float (M, D), finite; penultimate activations of a network, or what
            serves as such.
        index: int64 (M,), ascending positions of these items among the N.
        unreadable: position of each of the others to a one-line reason.
        logits: float (M, K) of the original model, in the order of the classes that
            occur among these items; None if it has none that fit.
        logits_vote: whether the logits count; they should not where the model may have
            learned these labels by heart.
        learned: whether the network of the embeddings has learned these labels.
        appearance: float (M, A), finite, what the images look like whatever they show;
            None if foreign content is not to be looked for.
        points: float (M, P), finite, in which near duplicates lie close; None if near
            duplicates are not to be looked for.
        notes: plain sentences on what was assumed.
    """

    embeddings: np.ndarray
    index: np.ndarray
    unreadable: Mapping[int, str]
    logits: np.ndarray | None = None
    logits_vote: bool = True
    learned: bool = False
    appearance: np.ndarray | None = None
    points: np.ndarray | None = None
    notes: tuple[str, ...] = ()
