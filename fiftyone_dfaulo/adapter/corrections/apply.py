"""Replaces wrong labels by the suggestions, or by classes that are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from fiftyone_dfaulo.adapter.corrections.plan import (
    Pair,
    Wish,
    decide,
    known_classes,
    new_classes,
)
from fiftyone_dfaulo.adapter.corrections.writing import write
from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.review.verdicts import check_name, write_verdicts
from fiftyone_dfaulo.errors import InputError

_CHANGED = "its label was edited at the same moment; try again"


@dataclass(frozen=True)
class Corrections:
    """What :func:`apply_suggestions` did.

    Attributes:
        applied: number of labels that were replaced.
        skipped: sample id to the reason why its label was not.
    """

    applied: int
    skipped: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.applied} labels corrected, {len(self.skipped)} skipped"


@public
def apply_suggestions(
    samples: Samples,
    brain_key: str = "dfaulo",
    *,
    ids: Any = None,
    verdict: str = "faulty",
    label: str | None = None,
    classes: Mapping[Pair, str | None] | None = None,
    add_classes: bool = False,
    by: str | None = None,
) -> Corrections:
    """Sets the label of samples to the suggestion, or to a class that is given.

    :func:`.preview.preview_corrections` says before what will change.

    The original label is kept whole in ``<key>_original_label``, and the new one has
    the tag ``"corrected"``. Both are written in one step a sample, and only where the
    label is still the one that was read. Of an object, the class and the tags change
    and a confidence is emptied; its box and all else stay. Where a sample has several
    labels, those that look wrong are removed, and those that look missing are added
    with that tag. The others stay as they are. Of a run on boxes, by the suggestion:
    the class changes; the better box replaces the box (``"(another box)"``); the object
    is moved to ``<key>_removed`` (``"(no object)"``); or what looks missing is added
    (``"(missing object)"``).

    To correct a label is to say that it was wrong: what is corrected gets the verdict
    ``"faulty"``, if it has not got it.

    Args:
        samples: a dataset or view; of a view, only its own samples are taken by
            ``verdict``.
        brain_key: the key of the run.
        ids: the samples to correct, whatever their verdict, and whether or not their
            label was edited since the run: ids, or a view.
        verdict: where no ids are given, the samples that have this verdict.
        label: the class to set, rather than the suggestions; only with ``ids``, and
            not where samples have several labels. Of a run on boxes also
            ``"(another box)"`` or ``"(no object)"``.
        classes: for pairs of a label and its suggestion the class to set instead, or
            None to leave these samples as they are, as
            ``{("Rain", "Cloudy"): "Snow", ("Sun", "Rain"): None}``. Where samples have
            several labels, a pair is ``(None, suggestion)``, and can be left only.
        add_classes: whether a class may be set that does not exist yet: that no label
            of the field has, and that the dataset does not declare.
        by: who says so; kept with the verdicts that are new.

    Returns:
        how many labels were replaced, and why others were not: there is no suggestion,
        or it equals the label; the sample has no label, or is corrected already; its
        pair was to be left; or, if no ids are given, its label was edited since the
        run.

    Raises:
        InputError: if an id is unknown or not among the scored samples, the label
            field is read-only, a class does not exist yet, or another argument cannot
            be used; nothing is changed.
        RunError: if there is no such run, or its results, a field of it or its label
            field were deleted.

    Examples:
        >>> worst = dfaulo.suspicious_view(dataset, limit=6)
        >>> print(dfaulo.apply_suggestions(dataset, ids=worst))
        6 labels corrected, 0 skipped
        >>> dataset.select(worst).count_values("ground_truth.label")
        {'cat': 6}
    """
    check_name(by)
    wish = Wish(ids, verdict, label, classes).check()
    review = open_review(samples, brain_key, "suspiciousness", "suggestion", "verdict")
    return apply(review, wish, add_classes=add_classes, by=by)


def apply(
    review: ReviewSession,
    wish: Wish,
    *,
    add_classes: bool = False,
    by: str | None = None,
) -> Corrections:
    """As :func:`apply_suggestions`, in a review that is open."""
    decisions = decide(review, wish)
    if not add_classes:
        _check_known(review, wish)
    skipped = {one: d.reason for one, d in decisions.items() if d.new is None}
    edit = review.label_edit()
    updates = {
        one: edit.applying(d.item, d.new)
        for one, d in decisions.items()
        if d.new is not None
    }
    if not updates:
        return Corrections(0, skipped)
    review.add_field("original_label")
    items = {one: decisions[one].item for one in updates}
    missing = write(review, items, updates, applied=True)
    skipped.update(dict.fromkeys(missing, _CHANGED))
    verdict = review.fields.verdict
    new = [one for one in updates if items[one].get(verdict) != "faulty"]
    write_verdicts(review, faulty=[one for one in new if one not in skipped], by=by)
    return Corrections(len(updates) - len(missing), skipped)


def _check_known(review: ReviewSession, wish: Wish) -> None:
    """Makes sure that no class is set that does not exist yet: a slip of the pen.

    Raises:
        InputError: if one would be.
    """
    unknown = new_classes(review, wish.chosen)
    if not unknown:
        return
    near = get_close_matches(unknown[0], known_classes(review), 1)
    meant = f", or pass {near[0]!r} if that was meant" if near else ""
    raise InputError(
        f"{unknown[0]!r} is no class of {review.config.label_field!r} yet; pass "
        f"add_classes=True to add it{meant}. Nothing was changed"
    )
