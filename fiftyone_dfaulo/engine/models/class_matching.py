"""Which logit of a model belongs to which class of the dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fiftyone_dfaulo.errors import InputError

EMBEDDINGS_ONLY = "only its embeddings are used, not its logits."


class Match(NamedTuple):
    """How a model's logits serve a dataset.

    Attributes:
        columns: int64 (K,), the logit of each class; None if they cannot be used.
        note: a sentence on what was assumed, or on why they cannot be used; None if
            neither.
    """

    columns: np.ndarray | None
    note: str | None


def match_classes(
    outputs: int,
    names: Sequence[str],
    *,
    given: Sequence[str] | None = None,
    stated: Sequence[str] | None = None,
) -> Match:
    """Finds the logit of each class.

    Args:
        outputs: number of logits of the model; 0 if it gives none.
        names: the K classes of the dataset, sorted.
        given: the model's classes in the order of its logits, as the user lists them.
        stated: the same, as stated by the model or by who made the predictions.

    Raises:
        InputError: if ``given`` has another length than the logits, or lacks a class
            of the dataset.
    """
    if given is not None:
        _check_given(outputs, names, given)
    order = stated if given is None else given
    if not outputs:
        return Match(None, None)
    if order is None:
        return _sorted_order(outputs, names)
    if len(order) != outputs:
        return Match(
            None,
            f"The model states {len(order)} classes and gives {outputs} logits; "
            f"{EMBEDDINGS_ONLY}",
        )
    column = {name: number for number, name in enumerate(order)}
    missing = [name for name in names if name not in column]
    if missing:
        return Match(
            None,
            f"The model knows {outputs} classes, such as {order[0]!r}, and not "
            f"{len(missing)} of the {len(names)} here, such as {missing[0]!r}; "
            f"{EMBEDDINGS_ONLY}",
        )
    return Match(np.array([column[name] for name in names]), None)


def _check_given(outputs: int, names: Sequence[str], given: Sequence[str]) -> None:
    if len(given) != outputs:
        raise InputError(
            f"classes lists {len(given)} names and the model gives {outputs} logits; "
            "list one name for each logit, in their order, or leave classes out"
        )
    missing = [name for name in names if name not in set(given)]
    if missing:
        raise InputError(
            f"classes lacks {len(missing)} of the {len(names)} classes in the labels: "
            f"{', '.join(map(repr, missing[:5]))}; list the model's classes as the "
            "labels spell them, or leave classes out"
        )


def _sorted_order(outputs: int, names: Sequence[str]) -> Match:
    if outputs == len(names):
        return Match(
            np.arange(outputs),
            "The model does not name its classes; its logits were taken to be in the "
            f"order {', '.join(names[:4])}{', ...' if outputs > 4 else ''}. Pass "
            "classes= if that is wrong.",
        )
    return Match(
        None,
        f"The model gives {outputs} logits without names and the labels have "
        f"{len(names)} classes; {EMBEDDINGS_ONLY}",
    )
