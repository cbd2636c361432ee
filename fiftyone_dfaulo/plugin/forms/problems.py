"""How a form shows that a value cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

import fiftyone.operators.types as types

from fiftyone_dfaulo.errors import DFauLoError
from fiftyone_dfaulo.plugin.app.plain_text import plain
from fiftyone_dfaulo.plugin.host import Inputs, Property

P = ParamSpec("P")


def problem_message(
    check: Callable[P, object], *args: P.args, **kwargs: P.kwargs
) -> str:
    """The message of the error that a check raises; empty if it raises none.

    Args:
        check: a function that raises a :class:`.errors.DFauLoError` if it objects.
        *args: passed to it.
        **kwargs: passed to it.
    """
    try:
        check(*args, **kwargs)
    except DFauLoError as error:
        return str(error)
    return ""


def mark_invalid(prop: Property, problem: str) -> None:
    """Shows a problem beside a field; then neither App nor Python can execute.

    Args:
        prop: the field.
        problem: the message; nothing is done if it is empty.
    """
    if problem:
        prop.invalid = True
        prop.error_message = problem


def add_problem(inputs: Inputs, label: str, problem: str) -> None:
    """Adds a problem that belongs to no single field of the form."""
    view = types.Error(label=label, description=plain(problem))
    mark_invalid(inputs.view("problem", view), problem)
