"""Replaces wrong labels by the suggestions, and takes exactly that back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.review.label_edits import TAG, relabelling
from fiftyone_dfaulo.adapter.review.session import (
    Review,
    add_review_field,
    batches,
    find,
    find_scored,
    item_ids,
    load_results,
    open_review,
    refresh_samples,
    scope,
)
from fiftyone_dfaulo.adapter.review.state import edited_ids, read_state
from fiftyone_dfaulo.adapter.review.verdicts import VERDICTS
from fiftyone_dfaulo.adapter.targets.base import Item
from fiftyone_dfaulo.adapter.targets.multilabel import label_text
from fiftyone_dfaulo.errors import InputError, RunError

__all__ = [
    "TAG",
    "Corrections",
    "Reverted",
    "apply_suggestions",
    "revert_suggestions",
]

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


def apply_suggestions(
    samples: Any,
    brain_key: str = "dfaulo",
    *,
    ids: Any = None,
    verdict: str = "faulty",
    label: str | None = None,
) -> Corrections:
    """Sets the label of samples to the suggestion, or to a class that is given.

    The original label is kept whole in ``<key>_original_label``, and the new one has
    the tag ``"corrected"``. Label and original are written in one step a sample, and
    only where the label is still the one that was read. Of an object, the class and the
    tags change and a confidence is emptied; its box and all else stay. Of a sample's
    several tags, those that should go do, those that are missing are added with that
    tag, and the others stay as they are.

    Args:
        samples: a dataset or view; of a view, only its own samples are taken by
            ``verdict``.
        brain_key: the key of the run.
        ids: the samples to correct, whatever their verdict, and whether or not their
            label was edited since the run: ids, or a view.
        verdict: where no ids are given, the samples that have this verdict.
        label: the class to set, rather than the suggestions; only with ``ids``, and
            not where samples have several tags.

    Returns:
        how many labels were replaced, and why others were not: there is no suggestion,
        it equals the label, the sample has no label, is corrected already, or, if no
        ids are given, its label was edited since the run.

    Raises:
        InputError: if an id is unknown or not among the scored samples, the label
            field is read-only, or another argument cannot be used; nothing is changed.
        RunError: if there is no such run, or its results, a field of it or its label
            field were deleted.
    """
    _check(ids, verdict, label)
    review = open_review(samples, brain_key, "suspiciousness", "suggestion", "verdict")
    if label is not None and review.place.tags_path:
        raise InputError(
            f"label={label!r} is one class, and {review.config.label_field!r} holds "
            "several tags a sample; leave it out to remove and add what is suggested, "
            "or edit the tags by hand. Nothing was changed"
        )
    wanted = None if ids is None else item_ids(review, ids)
    check_writable(review)
    documents = _candidates(review, samples, wanted, verdict)
    skipped, updates, how = {}, {}, relabelling(review)
    edited = _edited(review) if wanted is None else set()
    for one, document in documents.items():
        new = label or suggested(document.get(review.fields.suggestion))
        reason = _obstacle(review, document, new) or how.obstacle(document, str(new))
        if one in edited:
            reason = reason or _EDITED
        if reason:
            skipped[one] = reason
        else:
            updates[one] = how.applying(document, str(new))
    if updates:
        add_review_field(review, "original_label")
        missing = _write(review, documents, updates, applied=True)
        skipped.update(dict.fromkeys(missing, _CHANGED))
        return Corrections(len(updates) - len(missing), skipped)
    return Corrections(0, skipped)


def _check(ids: Any, verdict: Any, label: Any) -> None:
    if verdict not in VERDICTS:
        raise InputError(f"verdict={verdict!r}; expected 'faulty' or 'correct'")
    if label is None:
        return
    if not (isinstance(label, str) and label.strip()):
        raise InputError(f"label={label!r} is no class; expected its name")
    if ids is None:
        raise InputError(
            f"label={label!r} without ids would make all samples one class; pass the "
            "ids that it is for"
        )


def check_writable(review: Review) -> None:
    """Makes sure that the labels of the run can be corrected.

    Raises:
        InputError: if the label field is read-only.
        RunError: if it was deleted or renamed.
    """
    name = review.config.label_field
    if not review.storage.has_field(name):
        raise RunError(
            f"the label field {name!r} of brain run {review.key!r} was deleted or "
            "renamed; nothing was changed"
        )
    if any(map(review.storage.is_read_only, (name, _label_path(review)))):
        raise InputError(
            f"the label field {name!r} is read-only; set its read_only to False and "
            "save it first. Nothing was changed"
        )


def _label_path(review: Review) -> str:
    at = review.place.list_path
    return f"{at}.label" if at else review.place.label_path


def suggested(value: Any) -> str | None:
    """The class that a stored suggestion names: of a sample, or of an object."""
    return value.get("label") if isinstance(value, Mapping) else value


def _candidates(
    review: Review, samples: Any, ids: list[str] | None, verdict: str
) -> dict[str, dict[str, Any]]:
    paths = (
        review.config.label_field,
        review.fields.suggestion,
        review.own.original_label,
    )
    if ids is not None:
        return find_scored(review, ids, *paths)
    query = {review.fields.verdict: verdict}
    found = find(review, scope(review, samples), query, *paths)
    return {str(document["_id"]): document for document in found}


def _edited(review: Review) -> set[str]:
    results = load_results(review)
    return set(edited_ids(results, read_state(review, results)))


def _obstacle(review: Review, document: Mapping[str, Any], new: Any) -> str | None:
    """Why the label of a sample cannot be replaced, or None."""
    label = label_text(document.get(review.config.label_field))
    if document.get(review.own.original_label) is not None:
        return "it is corrected already; revert that first"
    if label is None:
        return "it has no label any more"
    if not new:
        return "it has no suggestion"
    return None


def revert_suggestions(
    samples: Any, brain_key: str = "dfaulo", *, ids: Any = None
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
    review = open_review(samples, brain_key, "suspiciousness")
    wanted = None if ids is None else item_ids(review, ids)
    check_writable(review)
    name, original = review.config.label_field, review.own.original_label
    if wanted is None:
        query = {original: {"$ne": None}}
        rows = find(review, scope(review, samples), query, name, original)
        found = {str(document["_id"]): document for document in rows}
    else:
        found = find_scored(review, wanted, name, original)
    uncorrected = [i for i, d in found.items() if d.get(original) is None]
    edited, updates, how = [], {}, relabelling(review)
    for one in found.keys() - set(uncorrected):
        document = found[one]
        if how.is_as_applied(document):
            updates[one] = how.reverting(document)
        else:
            edited.append(one)
    edited += _write(review, found, updates, applied=False)
    order = [one for one in found if one in set(edited)]
    return Reverted(len(found) - len(uncorrected) - len(order), order, uncorrected)


def _write(
    review: Review,
    items: Mapping[str, Item],
    updates: Mapping[str, UpdateOne],
    *,
    applied: bool,
) -> list[str]:
    """Writes; returns the ids of the items that another hand had changed."""
    missing: list[str] = []
    for part in batches(list(updates)):
        some = [updates[one] for one in part]
        done = review.collection.bulk_write(some, ordered=False)
        if done.matched_count < len(part):
            kept = {review.own.original_label: None if applied else {"$ne": None}}
            missing += [str(document["_id"]) for document in find(review, part, kept)]
    refresh_samples(review, [items[one] for one in updates])
    return missing
