"""Tags the samples to relabel, for whatever tool does that."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

from fiftyone_dfaulo.adapter.review.session import (
    Review,
    batches,
    find,
    open_review,
    refresh_samples,
    scope,
)
from fiftyone_dfaulo.adapter.review.verdicts import VERDICTS
from fiftyone_dfaulo.adapter.targets.base import Item
from fiftyone_dfaulo.errors import InputError


def tag_suspicious(
    samples: Any,
    brain_key: str = "dfaulo",
    *,
    tag: str = "relabel",
    top: int | None = None,
    fraction: float | None = None,
    min_suspiciousness: float | None = None,
    verdict: str | None = None,
    save_view: str | None = None,
) -> int:
    """Tags samples by their rank, their score or their verdict.

    Exactly one of ``top``, ``fraction``, ``min_suspiciousness`` and ``verdict`` picks
    them. By rank or score, samples marked correct are passed over. Where a run has
    scored objects, it is objects that are picked, and their labels that get the tag; of
    frames, it is their labels too, all of them where a frame has several, and frames
    without any are not picked.

    Args:
        samples: a dataset or view; of a view, only its own samples are tagged.
        brain_key: the key of the run.
        tag: the tag.
        top: how many of the most suspicious, at least 1.
        fraction: which share of the scored samples, in (0, 1], rounded up.
        min_suspiciousness: the lowest score, in [0, 1].
        verdict: ``"faulty"`` or ``"correct"``.
        save_view: name of a saved view to make of all samples that have the tag.

    Returns:
        how many samples were picked; all of them have the tag now.

    Raises:
        InputError: if an argument is out of range, not exactly one picks the samples,
            the tags are read-only, or no view can be saved under the name or another
            one is; nothing is changed.
        RunError: if there is no such run, or a field of it was deleted.
    """
    _check_choice(top, fraction, min_suspiciousness, verdict)
    for name, value in (("tag", tag), ("save_view", save_view)):
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise InputError(f"{name}={value!r} is no name; expected a word or two")
    if tag is None:
        raise InputError("tag=None is no name; expected a word or two")
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    tags = review.place.path(review.place.tags)
    if review.storage.is_read_only(tags):
        raise InputError(f"the field {tags!r} is read-only; make it writable first")
    view = _tagged(review, tag)
    _check_view(review, view, save_view)
    items = _pick(review, samples, top, fraction, min_suspiciousness, verdict)
    _tag(review, items, tag)
    if save_view is not None and not review.dataset.has_saved_view(save_view):
        review.dataset.save_view(save_view, view)
    return len(items)


def _check_choice(
    top: Any, fraction: Any, min_suspiciousness: Any, verdict: Any
) -> None:
    given = [x for x in (top, fraction, min_suspiciousness, verdict) if x is not None]
    if len(given) != 1:
        raise InputError(
            f"{len(given)} of top, fraction, min_suspiciousness and verdict were "
            "given; expected exactly one"
        )
    number = isinstance(given[0], numbers.Real) and not isinstance(given[0], bool)
    if top is not None and not (isinstance(top, numbers.Integral) and number):
        raise InputError(f"top={top!r} is not a whole number of 1 or more")
    if top is not None and top < 1:
        raise InputError(f"top={top!r} is not a whole number of 1 or more")
    if fraction is not None and not (number and 0 < fraction <= 1):
        raise InputError(f"fraction={fraction!r} is not a number above 0 and up to 1")
    if min_suspiciousness is not None and not (number and 0 <= min_suspiciousness <= 1):
        raise InputError(
            f"min_suspiciousness={min_suspiciousness!r} is not a number from 0 to 1"
        )
    if verdict is not None and verdict not in VERDICTS:
        raise InputError(f"verdict={verdict!r}; expected 'faulty' or 'correct'")


def _check_view(review: Review, view: Any, name: str | None) -> None:
    dataset = review.dataset
    if name is None:
        return
    if not dataset.has_saved_view(name):
        try:
            dataset._validate_saved_view_name(name)
        except ValueError as error:
            raise InputError(
                f"save_view={name!r} cannot be the name of a saved view ({error}); "
                "pass another name. Nothing was changed"
            ) from None
    elif dataset.load_saved_view(name) != view:
        raise InputError(
            f"save_view={name!r} is the name of another saved view; pass another name. "
            "Nothing was changed"
        )


def _tagged(review: Review, tag: str) -> Any:
    """A view of all that has the tag."""
    if review.place.path(review.place.tags) == "tags":
        return review.dataset.match_tags(tag)
    field = review.storage.path(review.config.label_field)
    return review.dataset.select_labels(tags=tag, fields=field)


def _pick(
    review: Review,
    samples: Any,
    top: int | None,
    fraction: float | None,
    floor: float | None,
    verdict: str | None,
) -> Sequence[Item]:
    score, said = review.fields.suspiciousness, review.fields.verdict
    query: dict[str, Any] = {score: {"$ne": None}}
    if review.place.tags != "tags":  # they are a label's, so there has to be one
        several = bool(review.place.tags_path)
        query[review.place.label_path] = {"$exists": True} if several else {"$ne": None}
    found = list(find(review, scope(review, samples), query, score, said))
    if verdict is not None:
        return [d for d in found if d.get(said) == verdict]
    if fraction is not None:
        top = math.ceil(fraction * len(found))
    found = [d for d in found if d.get(said) != "correct"]
    if floor is not None:
        return [d for d in found if d[score] >= floor]
    found.sort(key=lambda d: (-d[score], d["_id"]))
    return found[:top]


def _tag(review: Review, items: Sequence[Item], tag: str) -> None:
    place, name = review.place, review.place.tags
    values = {name: _with(tag, place.ref(name))}
    untagged: dict[str, Any] = {name: {"$ne": tag}}
    if place.tags_path and name != "tags":  # each label of a frame has tags
        labels = {"input": place.ref(place.tags_path), "as": "one"}
        told = {"$mergeObjects": ["$$one", {"tags": _with(tag, "$$one.tags")}]}
        values = {place.tags_path: {"$map": {**labels, "in": told}}}
        untagged = {place.tags_path: {"$elemMatch": {"tags": {"$ne": tag}}}}
    for part in batches(items):
        updates = [place.change(item, untagged, values) for item in part]
        review.collection.bulk_write(updates, ordered=False)
    refresh_samples(review, items)


def _with(tag: str, tags: str) -> dict[str, Any]:
    """The expression of these tags and another one, if it is not among them."""
    there = {"$ifNull": [tags, []]}
    new = {"$literal": tag}
    added = {"$concatArrays": [there, [new]]}
    return {"$cond": [{"$in": [new, there]}, there, added]}
