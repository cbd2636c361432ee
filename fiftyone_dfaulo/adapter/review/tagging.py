"""Tags the samples to relabel, for whatever tool does that."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.review.verdicts import EVERY_VERDICT, EXCLUDE
from fiftyone_dfaulo.adapter.storage.items import Item
from fiftyone_dfaulo.checks import check_whole_number
from fiftyone_dfaulo.errors import InputError


@public
def tag_suspicious(
    samples: Samples,
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
    them. By rank or score, samples marked correct, or to exclude, are passed over.
    Where a run has scored objects, objects are picked, and they get the tag. Where it
    has scored frames, all labels of the picked frames get the tag; a frame without a
    label is not picked.

    Args:
        samples: a dataset or view; of a view, only its own samples are tagged.
        brain_key: the key of the run.
        tag: the tag.
        top: how many of the most suspicious, at least 1.
        fraction: which share of the scored samples, in (0, 1], rounded up.
        min_suspiciousness: the lowest score, in [0, 1].
        verdict: ``"faulty"``, ``"correct"``, ``"unsure"`` or ``"exclude"``.
        save_view: name of a saved view to make of all samples that have the tag.

    Returns:
        how many samples were picked; all of them have the tag now.

    Raises:
        InputError: if an argument is out of range, not exactly one picks the samples,
            the tags are read-only, or ``save_view`` cannot be the name of a view, or is
            that of another view. Nothing is changed.
        RunError: if there is no such run, or a field of it was deleted.

    Examples:
        >>> dfaulo.tag_suspicious(dataset, top=6, tag="relabel", save_view="to relabel")
        6
        >>> dataset.load_saved_view("to relabel").count()
        6
    """
    pick = Pick(top, fraction, min_suspiciousness, verdict)
    _check(pick, tag, save_view)
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    return _tag(review, pick, tag, save_view)


def tag_items(
    review: ReviewSession, *, tag: str, save_view: str | None = None, **pick: Any
) -> int:
    """As :func:`tag_suspicious`, in a review that is open."""
    chosen = Pick(**pick)
    _check(chosen, tag, save_view)
    return _tag(review, chosen, tag, save_view)


def _check(pick: Pick, tag: Any, save_view: Any) -> None:
    pick.check()
    for name, value in (("tag", tag), ("save_view", save_view)):
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise InputError(f"{name}={value!r} is no name; expected a word or two")
    if tag is None:
        raise InputError("tag=None is no name; expected a word or two")


def _tag(review: ReviewSession, pick: Pick, tag: str, save_view: str | None) -> int:
    path = review.target.tags_path
    if review.storage.is_read_only(path):
        raise InputError(f"the field {path!r} is read-only; make it writable first")
    view = review.target.tagged_view(review.dataset, tag)
    _check_view(review, view, save_view)
    items = pick.of(review)
    changes = [review.target.tag_change(review.items, item, tag) for item in items]
    review.write(changes)
    review.show_written(items)
    if save_view is not None and not review.dataset.has_saved_view(save_view):
        review.dataset.save_view(save_view, view)
    return len(items)


class Pick(NamedTuple):
    """Which items are picked; exactly one of these is given."""

    top: int | None = None
    fraction: float | None = None
    min_suspiciousness: float | None = None
    verdict: str | None = None

    def check(self) -> None:
        """Raises InputError if not exactly one is given, or it is out of range."""
        top, fraction, floor, verdict = self
        given = [value for value in self if value is not None]
        if len(given) != 1:
            raise InputError(
                f"{len(given)} of top, fraction, min_suspiciousness and verdict were "
                "given; expected exactly one"
            )
        number = isinstance(given[0], numbers.Real) and not isinstance(given[0], bool)
        if top is not None:
            check_whole_number("top", top, 1)
        if fraction is not None and not (number and 0 < fraction <= 1):
            raise InputError(
                f"fraction={fraction!r} is not a number above 0 and up to 1"
            )
        if floor is not None and not (number and 0 <= floor <= 1):
            raise InputError(
                f"min_suspiciousness={floor!r} is not a number from 0 to 1"
            )
        if verdict is not None and verdict not in EVERY_VERDICT:
            known = ", ".join(map(repr, EVERY_VERDICT))
            raise InputError(f"verdict={verdict!r}; expected one of {known}")

    def of(self, review: ReviewSession) -> Sequence[Item]:
        """These items of a review, or of its view."""
        top, fraction, floor, verdict = self
        score, name = review.fields.suspiciousness, review.fields.verdict
        query = {score: {"$ne": None}, **review.target.taggable()}
        within = review.ids_in(review.samples)
        found = list(review.find(within, query, score, name))
        if verdict is not None:
            return [item for item in found if item.get(name) == verdict]
        if fraction is not None:
            top = math.ceil(fraction * len(found))
        passed = ("correct", EXCLUDE)
        found = [item for item in found if item.get(name) not in passed]
        if floor is not None:
            return [item for item in found if item[score] >= floor]
        found.sort(key=lambda item: (-item[score], item["_id"]))
        return found[:top]


def _check_view(review: ReviewSession, view: Samples, name: str | None) -> None:
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
