"""Predictions on a dataset that serve as the original model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import numpy as np

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading.prediction_fields import field_type, fields_of_type
from fiftyone_dfaulo.adapter.storage.documents import unpacked
from fiftyone_dfaulo.engine import signals
from fiftyone_dfaulo.engine.models.class_matching import (
    EMBEDDINGS_ONLY,
    Match,
    match_classes,
)
from fiftyone_dfaulo.errors import InputError

NO_PREDICTION = "no prediction"
"""Reason for leaving out a sample that has none."""

_VECTORS = ("logits", "probabilities", "probs")
"""Attributes of a prediction that hold one number a class, best first."""

_LEAST = 1e-12
_BATCH = 10_000


@dataclass(frozen=True)
class Predictions:
    """The predictions of those samples, M, that have one.

    Attributes:
        log_probabilities: float32 (M, C), finite.
        index: int64 (M,), ascending positions in the ids that were asked for.
        missing: position to reason of the others.
        match: which column belongs to which class of the dataset.
        note: how the predictions were read; None if as logits.
    """

    log_probabilities: np.ndarray
    index: np.ndarray
    missing: dict[int, str]
    match: Match
    note: str | None = None


def list_predictions(samples: Samples, label_field: str) -> dict[str, str]:
    """The Classification fields that can serve as the original model.

    Args:
        samples: a dataset or view.
        label_field: the field whose labels are scored, which is not one of them.

    Returns:
        name of the field to what its predictions hold: ``"logits"``,
        ``"probabilities"``, ``"probs"`` or ``"confidence"``.
    """
    names = fields_of_type(samples, label_field, fo.Classification)
    found = {name: _attribute(samples, name) for name in names}
    return {name: attribute for name, attribute in found.items() if attribute}


def check_predictions(samples: Samples, field: str, label_field: str) -> None:
    """Makes sure that a field holds predictions.

    Raises:
        InputError: if there is no such field, it is the label field, of another type,
            or no sample has logits, probabilities or a confidence in it.
    """
    kind = field_type(samples, field, label_field, "a model's", _choices)
    if not issubclass(kind, fo.Classification):
        raise InputError(
            f"predictions={field!r} is a {kind.__name__} field; expected a "
            f"Classification field. {_choices(samples, label_field)}"
        )
    if field not in list_predictions(samples, label_field):
        raise InputError(
            f"predictions={field!r} holds neither logits nor probabilities nor "
            "confidences; apply the model with store_logits=True. "
            f"{_choices(samples, label_field)}"
        )


def _choices(samples: Samples, label_field: str) -> str:
    names = ", ".join(list_predictions(samples, label_field))
    return f"Fields with predictions here: {names or 'none'}"


def _attribute(samples: Samples, field: str) -> str | None:
    """What the predictions in a field hold; None if nothing of use."""
    for attribute in (*_VECTORS, "confidence"):
        path = f"{field}.{attribute}"
        if len(samples.match(fo.ViewField(path).exists()).limit(1)):
            return attribute
    return None


def read_predictions(
    samples: Samples,
    field: str,
    ids: Sequence[str],
    classes: Sequence[str],
    *,
    given: Sequence[str] | None = None,
) -> Predictions:
    """Reads the predictions of some samples as log-probabilities.

    Logits without a negative number are taken for probabilities if most rows sum to 1.
    Probabilities are scaled so that each row sums to 1. If there is only a confidence,
    the other classes share what is left of 1.

    The predictions themselves say which column is which class: it is the label of those
    predictions where the column is the largest.

    Args:
        samples: a dataset or view.
        field: a field that :func:`check_predictions` accepts.
        ids: ids of the samples to read, all of them in ``samples``.
        classes: the K classes of the labels, sorted.
        given: the classes of the predictions, in the order of their logits. None takes
            the labels of the predictions. What these leave open is taken from the
            classes that the dataset states, or from ``classes`` if they are as many.

    Raises:
        InputError: if no sample has a prediction; if logits differ in their number or
            are not finite; if ``given`` does not fit.
    """
    attribute = _attribute(samples, field) or _VECTORS[0]
    labels, values = _read(samples, field, attribute, ids)
    index = np.array(
        [n for n, value in enumerate(values) if value is not None], np.int64
    )
    if not len(index):
        raise InputError(
            f"predictions={field!r} holds no {attribute} for any of the {len(ids)} "
            "labelled samples; apply the model first, or pass another field"
        )
    missing = dict.fromkeys(set(range(len(ids))) - set(index.tolist()), NO_PREDICTION)
    rows = [values[n] for n in index]
    if attribute == "confidence":
        names = [labels[n] for n in index]
        logs, order = _of_confidence(field, names, rows, classes)
        note = (
            "The predictions have no logits, only the confidence of one class: what is "
            "left of it was shared among the others."
        )
        match = match_classes(len(order), classes, stated=order)
        return Predictions(logs, index, missing, match, note)
    array = _as_array(field, attribute, rows, [ids[n] for n in index])
    dataset = samples._root_dataset
    stated = dataset.classes.get(field) or dataset.default_classes or None
    named = _named([labels[n] for n in index], array)
    match = _match(named, classes, given, stated)
    logs = _log_probabilities(array, attribute)
    return Predictions(logs, index, missing, match)


def _named(labels: Sequence[str | None], array: np.ndarray) -> list[str | None]:
    """The class of each column: the commonest label where the column is the largest.

    None where that is unknown. All are unknown if two columns have the same label: the
    labels are not the likeliest classes then.
    """
    named: list[str | None] = [None] * array.shape[1]
    counts = Counter(zip(array.argmax(1).tolist(), labels))
    for (column, label), _ in sorted(counts.items(), key=lambda one: one[1]):
        if label is not None:
            named[column] = label
    known = [name for name in named if name is not None]
    return named if len(set(known)) == len(known) else [None] * len(named)


def _match(
    named: Sequence[str | None],
    classes: Sequence[str],
    given: Sequence[str] | None,
    stated: Sequence[str] | None,
) -> Match:
    """Which column is which class; see :func:`read_predictions`."""
    outputs = len(named)
    if given is not None or not any(named):
        return match_classes(outputs, classes, given=given, stated=stated)
    whole = [name for name in named if name is not None]
    for order in (stated or (), classes, whole):
        fits = all(name in (None, said) for name, said in zip(named, order))
        if len(order) == outputs and fits:
            return match_classes(outputs, classes, stated=order)
    return Match(
        None,
        f"{outputs - len(whole)} of the {outputs} logits are never the largest, and "
        "the labels of the predictions contradict the order of the classes; "
        f"{EMBEDDINGS_ONLY} Pass classes= to say which logit is which.",
    )


def _read(
    samples: Samples, field: str, attribute: str, ids: Sequence[str]
) -> tuple[list[Any], list[Any]]:
    labels: list[Any] = []
    values: list[Any] = []
    unnamed = attribute == "confidence"  # which says nothing without the label
    for start in range(0, len(ids), _BATCH):
        part = ids[start : start + _BATCH]
        paths = ["id", f"{field}.label", f"{field}.{attribute}"]
        rows = {i: row for i, *row in zip(*samples.select(part).values(paths))}
        for sample_id in part:
            label, value = rows.get(sample_id, (None, None))
            labels.append(label)
            values.append(None if label is None and unnamed else value)
    return labels, values


def _as_array(
    field: str, attribute: str, rows: list[Any], ids: Sequence[str]
) -> np.ndarray:
    try:
        vectors = [np.asarray(unpacked(row), np.float64).reshape(-1) for row in rows]
    except (TypeError, ValueError) as error:
        raise InputError(
            f"predictions={field!r} holds {attribute} that are no numbers ({error}); "
            "apply the model again"
        ) from None
    lengths = sorted({len(vector) for vector in vectors})
    if len(lengths) > 1 or lengths[0] < 2:
        counts = ", ".join(map(str, lengths))
        raise InputError(
            f"predictions={field!r} holds {attribute} of {counts} numbers; expected"
            " the same number for all samples, one for each class, "
            "two at least. Apply one model to all"
        )
    array = np.stack(vectors)
    bad = np.flatnonzero(~np.isfinite(array).all(1))
    if len(bad):
        raise InputError(
            f"predictions={field!r} holds {attribute} of NaN or infinity for "
            f"{len(bad)} samples, the first {ids[bad[0]]}; apply the model again"
        )
    return array


def _log_probabilities(array: np.ndarray, attribute: str) -> np.ndarray:
    sums = array.sum(1, keepdims=True)
    most_sum_to_1 = np.median(np.abs(sums - 1.0)) < 1e-3
    if array.min() >= 0 and sums.min() > 0 and (attribute != "logits" or most_sum_to_1):
        logs = np.log(np.maximum(array / sums, _LEAST))
    else:
        logs = signals.log_softmax(array)
    return np.maximum(logs, np.log(_LEAST)).astype(np.float32)


def _of_confidence(
    field: str, labels: list[Any], values: list[Any], classes: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    """Log-probabilities, and the classes that their columns are."""
    order = sorted({*classes, *(label for label in labels if label is not None)})
    sure = np.array(values, np.float64)
    if not (np.isfinite(sure).all() and (sure >= 0).all() and (sure <= 1).all()):
        raise InputError(
            f"predictions={field!r} holds confidences from {sure.min()} to "
            f"{sure.max()}; expected probabilities from 0 to 1"
        )
    rest = (1.0 - sure) / (len(order) - 1)
    probabilities = np.repeat(rest[:, None], len(order), 1)
    number = {name: column for column, name in enumerate(order)}
    probabilities[np.arange(len(sure)), [number[label] for label in labels]] = sure
    return np.log(np.maximum(probabilities, _LEAST)).astype(np.float32), order
