"""Replaces wrong labels by the suggestions, and takes exactly that back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.review.state import edited_ids, read_state
from fiftyone_dfaulo.adapter.review.verdicts import VERDICTS
from fiftyone_dfaulo.adapter.storage.items import LABEL, Item
from fiftyone_dfaulo.adapter.targets.labels import ClassLabels
from fiftyone_dfaulo.errors import InputError

_EDITED = "its label was edited since the run; select it to correct it all the same"
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


@dataclass(frozen=True)
class Reverted:
    """What :func:`revert_suggestions` did.

    Attributes:
        reverted: number of labels that are as they were before the correction.
        edited: ids of the samples whose label was edited since it was corrected; they
            were left alone.
        uncorrected: those of the given ids that have no correction to take back.
    """

    reverted: int
    edited: list[str] = field(default_factory=list)
    uncorrected: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if not (self.reverted or self.edited):
            return "there are no corrections to take back"
        return (
            f"{self.reverted} corrections taken back, {len(self.edited)} left alone "
            "because their label was edited since"
        )


@public
def apply_suggestions(
    samples: Samples,
    brain_key: str = "dfaulo",
    *,
    ids: Any = None,
    verdict: str = "faulty",
    label: str | None = None,
) -> Corrections:
    """Sets the label of samples to the suggestion, or to a class that is given.

    The original label is kept whole in ``<key>_original_label``, and the new one has
    the tag ``"corrected"``. Both are written in one step a sample, and only where the
    label is still the one that was read. Of an object, the class and the tags change
    and a confidence is emptied; its box and all else stay. Where a sample has several
    labels, those that look wrong are removed, and those that look missing are added
    with that tag. The others stay as they are.

    Args:
        samples: a dataset or view; of a view, only its own samples are taken by
            ``verdict``.
        brain_key: the key of the run.
        ids: the samples to correct, whatever their verdict, and whether or not their
            label was edited since the run: ids, or a view.
        verdict: where no ids are given, the samples that have this verdict.
        label: the class to set, rather than the suggestions; only with ``ids``, and
            not where samples have several labels.

    Returns:
        how many labels were replaced, and why others were not: there is no suggestion,
        or it equals the label; the sample has no label, or is corrected already; or, if
        no ids are given, its label was edited since the run.

    Raises:
        InputError: if an id is unknown or not among the scored samples, the label
            field is read-only, or another argument cannot be used; nothing is changed.
        RunError: if there is no such run, or its results, a field of it or its label
            field were deleted.
    """
    _check(ids, verdict, label)
    review = open_review(samples, brain_key, "suspiciousness", "suggestion", "verdict")
    return apply(review, ids=ids, verdict=verdict, label=label)


def apply(
    review: ReviewSession,
    *,
    ids: Any = None,
    verdict: str = "faulty",
    label: str | None = None,
) -> Corrections:
    """As :func:`apply_suggestions`, in a review that is open."""
    if label is not None:
        _check_one_class(review, label)
    wanted = None if ids is None else review.given_ids(ids)
    check_writable(review)
    items = _candidates(review, wanted, verdict)
    skipped, updates, edit = {}, {}, review.label_edit()
    edited = _edited(review) if wanted is None else set()
    for one, item in items.items():
        new = label
        if new is None:
            new = suggested(item.get(review.fields.suggestion))
        reason = _obstacle(review, item, new) or edit.obstacle(item, str(new))
        if one in edited:
            reason = reason or _EDITED
        if reason:
            skipped[one] = reason
        else:
            updates[one] = edit.applying(item, str(new))
    if updates:
        review.add_field("original_label")
        missing = _write(review, items, updates, applied=True)
        skipped.update(dict.fromkeys(missing, _CHANGED))
        return Corrections(len(updates) - len(missing), skipped)
    return Corrections(0, skipped)


def _check(ids: object, verdict: object, label: object) -> None:
    if verdict not in VERDICTS:
        raise InputError(f"verdict={verdict!r}; expected 'faulty' or 'correct'")
    if label is not None and ids is None:
        raise InputError(
            f"label={label!r} without ids would make all samples one class; pass the "
            "ids that it is for"
        )


def takes_one_class(review: ReviewSession) -> bool:
    """Whether an item of the run can be given one class."""
    return issubclass(review.target.labels_type, ClassLabels)


def _check_one_class(review: ReviewSession, label: object) -> None:
    if not (isinstance(label, str) and label.strip()):
        raise InputError(f"label={label!r} is no class; expected its name")
    if not takes_one_class(review):
        raise InputError(
            f"label={label!r} is one class, and {review.config.label_field!r} holds "
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


def suggested(value: Any) -> str | None:
    """The class that a stored suggestion names: of a sample, or of an object."""
    return value.get("label") if isinstance(value, Mapping) else value


def _candidates(
    review: ReviewSession, ids: list[str] | None, verdict: str
) -> dict[str, dict[str, Any]]:
    names = (LABEL, review.fields.suggestion, review.own.original_label)
    if ids is not None:
        return review.find_scored(ids, *names)
    query = {review.fields.verdict: verdict}
    found = review.find(review.ids_in(review.samples), query, *names)
    return {str(item["_id"]): item for item in found}


def _edited(review: ReviewSession) -> set[str]:
    results = review.load_results()
    return set(edited_ids(results, read_state(review, results)))


def _obstacle(review: ReviewSession, item: Item, new: object) -> str | None:
    """Why the label of an item cannot be replaced, or None."""
    if item.get(review.own.original_label) is not None:
        return "it is corrected already; revert that first"
    if review.target.label_text(item.get(LABEL)) is None:
        return "it has no label any more"
    if new is None:
        return "it has no suggestion"
    return None


@public
def revert_suggestions(
    samples: Samples, brain_key: str = "dfaulo", *, ids: Any = None
) -> Reverted:
    """Takes corrections back: the label is again, byte for byte, what it was.

    A label that was edited since it was corrected is left alone, and its original is
    kept.

    Args:
        samples: a dataset or view; of a view, only its own samples are taken where no
            ids are given.
        brain_key: the key of the run.
        ids: the samples: ids, or a view; None for all that are corrected.

    Returns:
        how many labels were restored, and the ids of those that were not.

    Raises:
        InputError: if an id is unknown or not among the scored samples, or the label
            field is read-only; nothing is changed.
        RunError: if there is no such run, or its label field was deleted.
    """
    return revert(open_review(samples, brain_key, "suspiciousness"), ids=ids)


def revert(review: ReviewSession, *, ids: Any = None) -> Reverted:
    """As :func:`revert_suggestions`, in a review that is open."""
    wanted = None if ids is None else review.given_ids(ids)
    check_writable(review)
    original = review.own.original_label
    if wanted is None:
        within = review.ids_in(review.samples)
        rows = review.find(within, {original: {"$ne": None}}, LABEL, original)
        found = {str(item["_id"]): item for item in rows}
    else:
        found = review.find_scored(wanted, LABEL, original)
    uncorrected = [i for i, item in found.items() if item.get(original) is None]
    edited, updates, edit = [], {}, review.label_edit()
    for one in found.keys() - set(uncorrected):
        if edit.is_as_applied(found[one]):
            updates[one] = edit.reverting(found[one])
        else:
            edited.append(one)
    edited += _write(review, found, updates, applied=False)
    order = [one for one in found if one in set(edited)]
    return Reverted(len(found) - len(uncorrected) - len(order), order, uncorrected)


def _write(
    review: ReviewSession,
    items: Mapping[str, Item],
    updates: Mapping[str, UpdateOne],
    *,
    applied: bool,
) -> list[str]:
    """Writes; returns the ids of the items that another hand had changed."""
    missing: list[str] = []
    matched, _ = review.write(list(updates.values()))
    if matched < len(updates):
        kept = {review.own.original_label: None if applied else {"$ne": None}}
        missing = [str(item["_id"]) for item in review.find(list(updates), kept)]
    review.show_written([items[one] for one in updates])
    return missing
