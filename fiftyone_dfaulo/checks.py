"""Checks of plain values that many functions take."""

from __future__ import annotations

from numbers import Integral

from fiftyone_dfaulo.errors import InputError

_MOST = 2**63 - 1
"""The largest number that the database holds."""


def is_whole_number(value: object) -> bool:
    """Whether a value is an integer of Python or numpy; True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_whole_number(
    name: str, value: object, low: int, high: int | None = None, advice: str = ""
) -> int:
    """A whole number in a range, as Python's own integer.

    Args:
        name: what the caller calls the value.
        value: what came.
        low: the least that can be used.
        high: the most; None is no limit.
        advice: what else can be done, a clause that ends the message.

    Raises:
        InputError: if it is no whole number, or out of range.

    Example::

        >>> check_whole_number("top", 7, 1)
        7
    """
    limits = f"of {low} or more" if high is None else f"from {low} to {high}"
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if low <= number <= (_MOST if high is None else high):
            return number
    raise InputError(
        f"{name}={value!r} is not a whole number {limits}" + (advice and f"; {advice}")
    )


def check_text(name: str, value: str) -> None:
    """Makes sure that a text can be stored, and be part of a path.

    Args:
        name: what the caller calls it.
        value: the text.

    Raises:
        InputError: if it has a zero byte, or half a pair of surrogates.
    """
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InputError(f"{name}={value[:60]!r} has characters that no text may have")
