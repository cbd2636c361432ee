"""Dropdowns and radio buttons: how a form, or the panel, asks for one of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import fiftyone.operators.types as types

from fiftyone_dfaulo.plugin.host import Inputs, Property

Choices: TypeAlias = Mapping[str, str] | Mapping[str, tuple[str, str]] | Iterable[str]
"""Value to label, or to label and description; values alone are their own labels."""


def dropdown(
    inputs: Inputs,
    name: str,
    choices: Choices,
    *,
    label: str,
    default: str | None = None,
    description: str | None = None,
    required: bool = False,
    on_change: Callable[..., None] | None = None,
) -> Property:
    """Adds a dropdown to a form, or to a panel.

    Args:
        inputs: the form.
        name: of the parameter.
        choices: what can be chosen, in this order.
        label: the text above the dropdown.
        default: the value chosen at first; None for none.
        description: the text below the dropdown.
        required: whether the form cannot be sent without it.
        on_change: the panel's method to call with another choice.

    Returns:
        the property, for :func:`.problems.mark_invalid`.
    """
    view = types.Dropdown()
    _fill(view, choices)
    return inputs.enum(
        name,
        view.values(),
        default=default,
        label=label,
        description=description,
        required=required,
        view=view,
        on_change=on_change,
    )


def radio_group(
    inputs: Inputs,
    name: str,
    choices: Choices,
    *,
    label: str,
    default: str | None = None,
) -> Property:
    """Adds radio buttons to a form, one below the other.

    Args:
        inputs: the form.
        name: of the parameter.
        choices: what can be chosen, in this order; at least one.
        label: the text above the buttons.
        default: the value chosen at first; None for the first.

    Returns:
        the property, for :func:`.problems.mark_invalid`.
    """
    view = types.RadioGroup(orientation="vertical")
    _fill(view, choices)
    values = view.values()
    first = values[0] if default is None else default
    return inputs.enum(name, values, default=first, label=label, view=view)


def _fill(view: types.Choices, choices: Choices) -> None:
    if not isinstance(choices, Mapping):
        choices = {value: value for value in choices}
    for value, text in choices.items():
        label, description = (text, None) if isinstance(text, str) else text
        view.add_choice(value, label=label, description=description)
