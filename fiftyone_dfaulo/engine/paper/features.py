"""The features of each sample, from the original model and its three mutants.

Step 4 of :mod:`.method`. K is the number of classes, N of samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.paper.subsets import double_softmax_loss

MUTANTS = ("input", "activation", "loss")
"""The three subsets and the mutants trained without them, in the order of columns."""


def sample_features(
    logits: Sequence[np.ndarray], labels: np.ndarray, flags: np.ndarray
) -> np.ndarray:
    """The 5K + 7 features of each sample.

    Args:
        logits: four float (N, K): of the original, the input-, the activation- and
            the loss-mutant.
        labels: int64 (N,), in [0, K).
        flags: bool (N, 3); which subsets a sample is in, in the order of the mutants.

    Returns:
        float32 (N, 5K + 7), in the order of :func:`feature_names`.
    """
    original, *mutants = (signals.softmax(each) for each in logits)
    losses = [double_softmax_loss(each, labels) for each in logits]
    one_hot = np.eye(original.shape[1], dtype=np.float32)[labels]
    columns = [original, one_hot, *mutants, flags, np.stack(losses, axis=1)]
    return np.concatenate(columns, axis=1, dtype=np.float32)


def feature_names(num_classes: int) -> tuple[str, ...]:
    """The names of the 5K + 7 features, in the order of their columns."""
    blocks = ("softmax", "label", *(f"{name}_softmax" for name in MUTANTS))
    return (
        *(f"{block}[{k}]" for block in blocks for k in range(num_classes)),
        *(f"{name}_flag" for name in MUTANTS),
        "loss",
        *(f"{name}_loss" for name in MUTANTS),
    )


def noise_features(logits: Sequence[np.ndarray], num_classes: int) -> np.ndarray:
    """The features (K, 5K + 7) of one image, labelled as each class in turn.

    All its flags are set.

    Args:
        logits: four float (1, K), as of :func:`sample_features`.
        num_classes: K.
    """
    return sample_features(
        [np.repeat(each, num_classes, axis=0) for each in logits],
        np.arange(num_classes),
        np.ones((num_classes, len(MUTANTS)), dtype=bool),
    )
