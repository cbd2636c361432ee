"""Decides what a correction does to each item, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fiftyone_dfaulo.adapter.review.items import (
    find_with_verdict,
    list_classes,
    suggested,
)
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.state.items import ReviewState
from fiftyone_dfaulo.adapter.review.state.kept import read_state
from fiftyone_dfaulo.adapter.review.verdicts import VERDICTS
from fiftyone_dfaulo.adapter.storage.items import LABEL, Item
from fiftyone_dfaulo.adapter.targets.class_labels import ClassLabels
from fiftyone_dfaulo.adapter.targets.label_edits import LabelEdit
from fiftyone_dfaulo.errors import InputError, RunError

EDITED = "its label was edited since the run; select it to correct it all the same"
LEFT = "it was chosen to stay as it is"

Pair: TypeAlias = tuple["str | None", "str | None"]
"""The label that items have and what they look like. Where items have several labels,
the first is None, and the second says what to remove and to add."""


class Decision(NamedTuple):
    """What becomes of one item.

    Attributes:
        item: the item, with its label and its verdict.
        pair: its label and what it looks like.
        new: what its label becomes; None if it stays as it is.
        reason: why it stays as it is; empty if it does not.
        open: whether choosing a class would change it all the same.
    """

    item: Item
    pair: Pair
    new: str | None
    reason: str = ""
    open: bool = True


class Wish(NamedTuple):
    """Which items to correct, and by what.

    Attributes:
        ids: of the items, as :func:`.given_ids.read_ids` takes them; None for those
            with the verdict.
        verdict: ``"faulty"`` or ``"correct"``.
        label: a class for all of them; None for the suggestions.
        classes: pair to the class that its items get, or to None to leave them.
    """

    ids: Any = None
    verdict: str = "faulty"
    label: str | None = None
    classes: Mapping[Pair, str | None] | None = None

    @property
    def chosen(self) -> list[str]:
        """The classes that are asked for by name."""
        named = [self.label, *(self.classes or {}).values()]
        return [name for name in dict.fromkeys(named) if name is not None]

    def check(self) -> Wish:
        """This, once it is known to make sense whatever the run.

        Raises:
            InputError: if it does not.
        """
        if self.verdict not in VERDICTS:
            raise InputError(
                f"verdict={self.verdict!r}; expected 'faulty' or 'correct'"
            )
        if self.label is not None and self.ids is None:
            raise InputError(
                f"label={self.label!r} without ids would make all samples one class; "
                "pass the ids that it is for"
            )
        if self.classes is None:
            return self
        if self.label is not None:
            raise InputError("label and classes are both given; pass one of them")
        if not isinstance(self.classes, Mapping) or not all(
            isinstance(pair, tuple) and len(pair) == 2 for pair in self.classes
        ):
            raise InputError(
                "classes takes a dict of pairs, as {('Rain', 'Cloudy'): 'Snow'}: the "
                "label, what it looks like, and the class to set, or None"
            )
        return self


def decide(review: ReviewSession, wish: Wish) -> dict[str, Decision]:
    """What becomes of each item that is wished for, by id.

    Raises:
        InputError: if the labels cannot be corrected, or not as is wished; if an id is
            unknown, or no item has one of the pairs.
        RunError: if the label field was deleted or renamed.
    """
    _check_chosen(review, wish)
    ids = None if wish.ids is None else review.given_ids(wish.ids)
    check_writable(review)
    items = _candidates(review, ids, wish.verdict)
    edited = _edited(review, items) if ids is None else set()
    edit = review.label_edit()
    decisions = {
        one: _decide(review, edit, item, wish, one in edited)
        for one, item in items.items()
    }
    unknown = {*(wish.classes or {})} - {d.pair for d in decisions.values()}
    if unknown:
        raise InputError(
            f"classes has the pair {min(unknown, key=str)}, which none of these "
            f"{review.target.noun}s is; preview_corrections lists the pairs"
        )
    return decisions


def _decide(
    review: ReviewSession, edit: LabelEdit, item: Item, wish: Wish, edited: bool
) -> Decision:
    looks_like = suggested(item.get(review.fields.suggestion))
    single = takes_one_class(review)
    given = review.target.label_text(item.get(LABEL)) if single else None
    pair = (given, looks_like)
    reason = _obstacle(review, item, edited)
    if reason:
        return Decision(item, pair, None, reason, open=False)
    if wish.label is not None:
        new: str | None = wish.label
    else:
        new = (wish.classes or {}).get(pair, looks_like)
    if new is None:
        left = LEFT if looks_like is not None else "it has no suggestion"
        return Decision(item, pair, None, left, open=single or left == LEFT)
    reason = edit.obstacle(item, new)
    if reason:
        return Decision(item, pair, None, reason, open=single)
    return Decision(item, pair, new)


def _obstacle(review: ReviewSession, item: Item, edited: bool) -> str | None:
    """Why the label of an item cannot be replaced at all, or None."""
    if item.get(review.own.original_label) is not None:
        return "it is corrected already; revert that first"
    if review.target.label_text(item.get(LABEL)) is None:
        return "it has no label any more"
    return EDITED if edited else None


def _candidates(
    review: ReviewSession, ids: list[str] | None, verdict: str
) -> dict[str, dict[str, Any]]:
    fields = review.fields
    names = (LABEL, fields.suggestion, fields.verdict, review.own.original_label)
    if ids is not None:
        return review.find_scored(ids, *names)
    found = find_with_verdict(review, verdict, *names)
    return {str(item["_id"]): item for item in found}


def _edited(review: ReviewSession, items: Mapping[str, Item]) -> set[str]:
    """Ids of those of these items whose label is no longer the one that was scored."""
    results = review.load_results()
    known = results.rows.find([*items])
    rows = np.array([*known.values()], np.int64)
    text = review.target.label_text
    now = (text(items[one].get(LABEL)) for one in known)
    before = results.label_texts(rows)
    return {one for one, old, new in zip(known, before, now) if old != new}


def takes_one_class(review: ReviewSession) -> bool:
    """Whether an item of the run can be given one class."""
    return issubclass(review.target.labels_type, ClassLabels)


def _check_chosen(review: ReviewSession, wish: Wish) -> None:
    for name in wish.chosen:
        if not (isinstance(name, str) and name.strip()):
            raise InputError(f"label={name!r} is no class; expected its name")
        if not takes_one_class(review):
            raise InputError(
                f"label={name!r} is one class, and {review.config.label_field!r} holds "
                "several labels a sample; leave it out to remove and add what is "
                "suggested, or edit the labels by hand. Nothing was changed"
            )


def check_writable(review: ReviewSession) -> None:
    """Makes sure that the labels of the run can be corrected.

    Raises:
        InputError: if the label field is read-only.
        RunError: if it was deleted or renamed.
    """
    review.check_label_field("nothing was changed")
    name = review.config.label_field
    if any(map(review.storage.is_read_only, (name, review.target.class_path))):
        raise InputError(
            f"the label field {name!r} is read-only; set its read_only to False and "
            "save it first. Nothing was changed"
        )


def known_classes(review: ReviewSession) -> list[str]:
    """What labels of the run may become: classes in the data, or declared; sorted.

    And what may be done to its items besides, such as to remove a box. In a recent
    review, of the classes in the data only those of the run's items, as
    :func:`run_classes`: the database would have to look at all samples.
    """
    try:
        results = review.load_results()
    except RunError:
        return _with_declared(review, list_classes(review))
    if review.recent and takes_one_class(review):
        return run_classes(review, read_state(review, results))
    return _with_declared(review, (*list_classes(review), *results.classes))


def run_classes(review: ReviewSession, state: ReviewState) -> list[str]:
    """As :func:`known_classes`, but of the labels only those of the run's items.

    Args:
        review, state: of one class an item; and how it stands.
    """
    numbers = state.labels[state.labels >= 0]
    there = np.flatnonzero(np.bincount(numbers)) if len(numbers) else numbers
    now = (state.names[n] for n in there)
    return _with_declared(review, (*review.load_results().classes, *now))


def _with_declared(review: ReviewSession, names: Iterable[str]) -> list[str]:
    dataset, field = review.dataset, review.config.label_field
    declared = dataset.classes.get(field) or dataset.default_classes
    classes = {name for name in (*names, *declared) if isinstance(name, str)}
    return [*sorted(classes), *review.label_edit().others]


def new_classes(review: ReviewSession, names: Iterable[str]) -> list[str]:
    """Those of these classes that do not exist yet."""
    new = list(names)
    for known in (known_classes, list_classes):  # one that no item has may be there
        there = set(known(review)) if new else set()
        new = [name for name in new if name not in there]
    return new
