"""What the keys of the review mean; the panel says so."""

from __future__ import annotations

from fiftyone_dfaulo.adapter.corrections.plan import run_classes, takes_one_class
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.state.items import ReviewState
from fiftyone_dfaulo.adapter.review.state.kept import read_state
from fiftyone_dfaulo.errors import InputError

VERDICTS = {
    "f": "faulty",
    "g": "correct",
    "n": "unsure",
    "e": "exclude",
    "u": "cleared",
}
SUGGESTION = "s"
"""Faulty, and it is what it looks like."""


def class_keys(
    review: ReviewSession, state: ReviewState | None = None
) -> dict[str, str]:
    """Digit to class: of at most ten, in their order, or classes that are digits.

    None where a label is several classes, or there are more.

    Args:
        review: the review.
        state: how it stands, if that is known.
    """
    if not takes_one_class(review):
        return {}
    if state is None:
        state = read_state(review, review.load_results())
    names = run_classes(review, state)
    digits = [name for name in names if name in tuple("0123456789")]
    if digits:
        return {name: name for name in digits}
    return dict(zip("1234567890", names)) if len(names) <= 10 else {}


def class_of_key(review: ReviewSession, key: str) -> str:
    """The class of a digit.

    Raises:
        InputError: if it stands for none.
    """
    keys = class_keys(review)
    if key not in keys:
        known = ", ".join(f"{digit}: {name}" for digit, name in keys.items())
        raise InputError(f"The key {key!r} stands for no class; {known or 'none has'}")
    return keys[key]


def describe_keys(classes: dict[str, str]) -> str:
    """What the panel says of the keys.

    Args:
        classes: as of :func:`class_keys`.
    """
    same = all(key == name for key, name in classes.items())
    digits = "" if same else ", ".join(f"{k} {name}" for k, name in classes.items())
    if classes and same:
        digits = "the digit of its class"
    of_class = (
        f"; faulty, and it is: s what it looks like, {digits}"
        if classes
        else ("; s faulty, and what it looks like")
    )
    return f"f faulty, g correct, n not sure, e exclude, u clear{of_class}"
