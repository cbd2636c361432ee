"""Puts the scores of two models together.

What comes out is a probability again, whose sum is the estimated number of faults.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import expit, logit

from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.dfaulo import shift_to_sum
from fiftyone_dfaulo.engine.result import Scores

_LEAST = 1e-12  # probability of a label, so that its logarithm is finite


def average(first: Scores, second: Scores, prefix: str) -> Scores:
    """The mean loss of two scorings of the same samples.

    Suspiciousness is one minus the geometric mean of both probabilities of the label.
    Suggestion and reasons are the second's.

    Args:
        first: scores of N samples.
        second: scores of the same samples from a better model.
        prefix: put before the names of the second's signals.
    """
    loss = (_loss(first.suspiciousness) + _loss(second.suspiciousness)) / 2
    suspiciousness = -np.expm1(-loss)
    return replace(
        second,
        suspiciousness=suspiciousness,
        estimated_faults=round(float(suspiciousness.sum())),
        signals=np.column_stack([first.signals, second.signals]),
        signal_names=(
            *first.signal_names,
            *(f"{prefix}{name}" for name in second.signal_names),
        ),
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
    )


def with_own_loss(scores: Scores, logits: np.ndarray, labels: np.ndarray) -> Scores:
    """Averages the loss of a model that never saw the labels into the score.

    The order is that of the mean loss. As such a model may be more or less sure than it
    is right, the mean is shifted, in log-odds, so that the number of faults stays the
    one that the heads expect.

    Args:
        scores: scores of N samples by the heads, without that model.
        logits: float (N, K) of the model, or log-probabilities.
        labels: int64 (N,).
    """
    own = signals.loss(signals.log_softmax(logits), labels)
    loss = (_loss(scores.suspiciousness) + np.minimum(own, -np.log(_LEAST))) / 2
    odds = logit(np.clip(-np.expm1(-loss), _LEAST, 1 - _LEAST))
    suspiciousness = expit(odds + shift_to_sum(odds, scores.suspiciousness.sum()))
    return replace(
        scores,
        suspiciousness=suspiciousness,
        estimated_faults=round(float(suspiciousness.sum())),
        signals=np.column_stack([scores.signals, own.astype(np.float32)]),
        signal_names=(*scores.signal_names, "loss_original"),
    )


def _loss(suspiciousness: np.ndarray) -> np.ndarray:
    return -np.log(np.maximum(1.0 - suspiciousness, _LEAST))
