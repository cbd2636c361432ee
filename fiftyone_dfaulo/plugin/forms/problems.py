"""What a form says of an answer that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fiftyone.operators.types as types

from fiftyone_dfaulo.errors import DFauLoError


def problem_message(check: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """What a check objects to; empty if nothing."""
    try:
        check(*args, **kwargs)
    except DFauLoError as error:
        return str(error)
    return ""


def mark_invalid(prop: types.Property, problem: str) -> None:
    """Has the App show the problem, and App and Python refuse to execute."""
    if problem:
        prop.invalid = True
        prop.error_message = problem


def add_problem(inputs: types.Object, label: str, problem: str) -> None:
    """Adds a problem that is no single answer's."""
    view = types.Error(label=label, description=problem)
    mark_invalid(inputs.view("problem", view), problem)
