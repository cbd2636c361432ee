"""What each step of a review starts from: the run, checked, and its items.

Items are samples, or objects in them: see :mod:`.base`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import fiftyone as fo
from bson import ObjectId
from fiftyone.core.collections import SampleCollection

from fiftyone_dfaulo.adapter.runs.brain_run import (
    DFauLoConfig,
    DFauLoResults,
    ReviewFields,
    RunFields,
    check_run_field,
    load_config,
    own_fields,
    review_names,
)
from fiftyone_dfaulo.adapter.targets.base import Item, Place
from fiftyone_dfaulo.adapter.targets.frames import (
    check_kind,
    frames_view,
    path_in,
    show,
)
from fiftyone_dfaulo.adapter.targets.patches import is_patches
from fiftyone_dfaulo.adapter.targets.schema import add_field
from fiftyone_dfaulo.adapter.targets.storage import Storage
from fiftyone_dfaulo.errors import InputError, RunError

BATCH = 5_000
"""How many items one request to the database writes."""


class Review(NamedTuple):
    """A finished run whose items are reviewed; ``fields`` and ``own`` are theirs.

    ``samples`` are what the review was opened with.
    """

    samples: Any
    dataset: Any
    key: str
    config: DFauLoConfig
    fields: RunFields
    own: ReviewFields
    place: Place

    @property
    def storage(self) -> Storage:
        """The dataset's samples, or its frames: where the items lie."""
        return self.place.storage(self.dataset)

    @property
    def collection(self) -> Any:
        """They in the database."""
        return self.storage.collection


def open_review(samples: Any, brain_key: str, *needed: str) -> Review:
    """The run as the database has it now, with the fields that are needed.

    Args:
        samples: a dataset or view.
        brain_key: the key of the run.
        *needed: which of :class:`RunFields` must exist.

    Raises:
        InputError: if ``samples`` is neither a dataset nor a view, or one of frames
            where the run has scored samples.
        RunError: if the dataset, the run or a needed field was deleted, or the run was
            interrupted.
    """
    if not isinstance(samples, SampleCollection):
        raise InputError(
            f"samples is a {type(samples).__name__}; expected a FiftyOne dataset or "
            "view"
        )
    dataset = samples._root_dataset
    _refresh(dataset)
    config = load_config(dataset, brain_key)
    check_kind(samples, brain_key, config.place)
    own = config.review_fields or review_names(brain_key)
    place = config.place
    if place.top and place.top not in own_fields(dataset, config):
        place = replace(place, top=None)
    review = Review(samples, dataset, brain_key, config, config.run_fields, own, place)
    for part in needed:
        path = place.path(getattr(review.fields, part))
        check_run_field(dataset, brain_key, place, path)
    return review


def _refresh(dataset: Any) -> None:
    try:
        dataset._doc.reload()  # by its id: it may have another name by now
        dataset.reload()
    except Exception as error:
        raise RunError(
            "the dataset cannot be loaded any more; it was probably deleted. Load "
            f"another one ({error})"
        ) from error


def load_results(review: Review) -> DFauLoResults:
    """The results of the run, also where another process has replaced it.

    Raises:
        RunError: if there are none.
    """
    for cache in (True, False):
        results = review.dataset.load_brain_results(review.key, cache=cache)
        if results is not None and results.config.token == review.config.token:
            return results
    raise RunError(
        f"brain run {review.key!r} has no results; run compute_suspiciousness again"
    )


def add_review_field(review: Review, part: str) -> None:
    """Makes sure that one of :class:`ReviewFields` exists and belongs to the run.

    Raises:
        RunError: if a field of that name exists that is not the run's.
    """
    dataset, storage = review.dataset, review.storage
    owned = own_fields(dataset, review.config)
    paths = [*map(review.place.path, review.own)]
    taken = [n for n in paths if storage.has_field(n) and n not in owned]
    if taken:
        raise RunError(
            f"brain run {review.key!r} needs the fields {', '.join(taken)}, which "
            "exist and are not its own; rename or delete them"
        )
    if review.config.review_fields is None:
        # Owned before they exist: a crash in between leaves nothing behind.
        run = review.config.build()
        run.save_fields(dataset, review.key, [*run.config.fields, *paths])
    path = review.place.path(getattr(review.own, part))
    if not storage.has_field(path):
        tags = bool(review.place.tags_path)
        add_field(storage, path, part, review.config.token, tags=tags)


def item_ids(review: Review, ids: Any, name: str = "ids") -> list[str]:
    """Ids as strings, each once: of a view, of any iterable, or a single one.

    Raises:
        InputError: if these are no ids, or a view of samples where objects are meant.
    """
    noun = review.place.noun
    if isinstance(ids, SampleCollection):
        if review.place.frames and frames_view(ids) is None:
            raise InputError(
                f"{name} is a view of videos, and brain run {review.key!r} is about "
                f"their frames; pass ids of {noun}s, or a view made by to_frames()"
            )
        if review.place.list_path and not is_patches(ids, review.config):
            raise InputError(
                f"{name} is a view of samples, and brain run {review.key!r} is about "
                f"the objects in them; pass ids of objects, or a view made by "
                f"to_patches({review.config.label_field!r})"
            )
        ids = ids.values("id")
    elif isinstance(ids, (str, ObjectId)):
        ids = [ids]
    elif not isinstance(ids, Iterable):
        raise InputError(
            f"{name} is a {type(ids).__name__}; expected {noun} ids or a view"
        )
    unique = dict.fromkeys(ids)
    for one in unique:
        if not isinstance(one, (str, ObjectId)):
            raise InputError(f"{name} holds {one!r}; expected {noun} ids or a view")
    return list(dict.fromkeys(map(str, unique)))


def check_of_samples(review: Review) -> None:
    """Makes sure that it is samples that a run has scored.

    Raises:
        InputError: if it is objects.
    """
    if review.place.list_path:
        raise InputError(
            f"brain run {review.key!r} has scored the objects in "
            f"{review.config.label_field!r}, and this works on runs that have scored "
            "samples only; pass another brain_key"
        )


def scope(review: Review, samples: Any) -> list[str] | None:
    """Ids of the items of a view; None for a dataset, which means all.

    Raises:
        InputError: if it is a view of patches that the run has not scored.
    """
    if isinstance(samples, fo.Dataset):
        return None
    if is_patches(samples, review.config):
        return list(samples.values("id"))
    path = path_in(samples, review.place, review.place.path("id"))
    return list(samples.values(path, unwind=True))


def find(
    review: Review, ids: Sequence[str] | None, query: dict[str, Any], *paths: str
) -> Iterator[dict[str, Any]]:
    """The items that match, in whatever group slice.

    Args:
        review: the run.
        ids: among these items; None for all.
        query: a MongoDB query on items.
        *paths: what to read of an item, besides its id and its sample's.
    """
    return review.place.find(review.collection, ids, query, *paths)


def batches(values: Sequence[Any], size: int = BATCH) -> Iterator[Sequence[Any]]:
    """The values in parts of the size; the last may be smaller."""
    return (values[begin : begin + size] for begin in range(0, len(values), size))


def find_scored(
    review: Review, ids: Sequence[str], *paths: str
) -> dict[str, dict[str, Any]]:
    """These items, by id, in the order of the ids.

    Raises:
        InputError: if the dataset does not hold one of them, or the run has no score
            for it.
    """
    score, noun = review.fields.suspiciousness, review.place.noun
    valid = [i for i in ids if ObjectId.is_valid(i)]
    documents = {str(d["_id"]): d for d in find(review, valid, {}, score, *paths)}
    unknown = [i for i in ids if i not in documents]
    if unknown:
        raise InputError(
            f"dataset {review.dataset.name!r} has no {noun}s with these ids: "
            f"{_some(unknown)}; nothing was changed" + _advice(review, unknown)
        )
    outside = [i for i in ids if documents[i].get(score) is None]
    if outside:
        raise InputError(
            f"brain run {review.key!r} has no score for these {noun}s: "
            f"{_some(outside)}; nothing was changed. Leave them out, or run "
            "compute_suspiciousness on them"
        )
    return {i: documents[i] for i in ids}


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
    return ", ".join(ids[:3]) + more


def _advice(review: Review, ids: Sequence[str]) -> str:
    """What to do if ids of samples were given for those of objects, or of frames."""
    place, known = review.place, [ObjectId(i) for i in ids if ObjectId.is_valid(i)]
    one = {"_id": {"$in": known}}
    if place.frames and Storage(review.dataset).collection.count_documents(one):
        return (
            f". They are videos: pass the ids of {place.noun}s; in the App, select "
            "these in a view with the stage ToFrames"
        )
    if not place.list_path or not review.collection.count_documents(one):
        return ""
    return (
        f". They are {'frame' if place.frames else 'sample'}s: pass the ids of objects "
        f"in {place.list_path!r}; in the App, select patches of "
        f"{review.config.label_field!r}"
    )


def refresh_samples(review: Review, items: Iterable[Item] | None) -> None:
    """Lets samples in memory, and a view of frames, show what was written.

    Args:
        review: the run.
        items: what was written; None for anything.
    """
    ids = None if items is None else {item["_sample"] for item in items}
    review.storage.reload(ids)
    show(review.samples, review.config.label_field, ids)
