"""Which parameters of the forms are text, whoever has sent the request."""

from __future__ import annotations

from collections.abc import Mapping

from fiftyone_dfaulo.checks import check_text
from fiftyone_dfaulo.errors import InputError

TEXTS = (
    "brain_key",
    "by",
    "class",
    "depth",
    "embeddings",
    "factory",
    "fault_field",
    "input_mean",
    "input_mode",
    "input_std",
    "kind",
    "label",
    "label_field",
    "layer",
    "method",
    "model",
    "model_path",
    "name",
    "path",
    "predictions",
    "save_view",
    "set_to",
    "source",
    "tag",
    "verdict",
    "which",
    "zoo_model",
)
"""Parameters that are text, if they are given, in every form that has them."""


def check_texts(values: Mapping[str, object]) -> None:
    """Makes sure that what has to be text is.

    Args:
        values: parameters by name.

    Raises:
        InputError: if one among :data:`TEXTS` is anything else, or cannot be stored.
    """
    for name in TEXTS:
        value = values.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise InputError(f"{name} is a {type(value).__name__}; expected text")
        check_text(name, value)
