"""What each step of a review starts from: the run, checked, and its samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import fiftyone as fo
from bson import ObjectId
from fiftyone.core.collections import SampleCollection
from fiftyone.core.sample import Sample

from fiftyone_dfaulo.adapter.runs import (
    TOKEN,
    DFauLoConfig,
    DFauLoResults,
    ReviewFields,
    RunFields,
    check_run_field,
    load_config,
    own_fields,
    review_names,
)
from fiftyone_dfaulo.errors import InputError, RunError

BATCH = 5_000
"""How many samples one request to the database writes."""

_IN_ONE_QUERY = 100_000

_SCHEMA: dict[str, dict[str, Any]] = {
    "history": {
        "ftype": fo.ListField,
        "subfield": fo.DictField,
        "description": "Every verdict on the sample, when and by whom (DFauLo)",
    },
    "original_label": {
        "ftype": fo.EmbeddedDocumentField,
        "embedded_doc_type": fo.Classification,
        "description": "The label before it was corrected (DFauLo)",
    },
}


class Review(NamedTuple):
    """A finished run whose samples are reviewed."""

    dataset: Any
    key: str
    config: DFauLoConfig
    fields: RunFields
    own: ReviewFields

    @property
    def collection(self) -> Any:
        """The samples in the database."""
        return self.dataset._sample_collection


def open_review(samples: Any, brain_key: str, *needed: str) -> Review:
    """The run as the database has it now, with the fields that are needed.

    Args:
        samples: a dataset or view.
        brain_key: the key of the run.
        *needed: which of :class:`RunFields` must exist.

    Raises:
        InputError: if ``samples`` is neither a dataset nor a view.
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
    own = config.review_fields or review_names(brain_key)
    review = Review(dataset, brain_key, config, config.run_fields, own)
    for part in needed:
        check_run_field(dataset, brain_key, getattr(review.fields, part))
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
    dataset, owned = review.dataset, own_fields(review.dataset, review.config)
    taken = [n for n in review.own if dataset.has_sample_field(n) and n not in owned]
    if taken:
        raise RunError(
            f"brain run {review.key!r} needs the fields {', '.join(taken)}, which "
            "exist and are not its own; rename or delete them"
        )
    if review.config.review_fields is None:
        # Owned before they exist: a crash in between leaves nothing behind.
        run = review.config.build()
        run.save_fields(dataset, review.key, [*run.config.fields, *review.own])
    name = getattr(review.own, part)
    if not dataset.has_sample_field(name):
        info = {TOKEN: review.config.token}
        dataset.add_sample_field(name, info=info, **_SCHEMA[part])


def sample_ids(ids: Any, name: str = "ids") -> list[str]:
    """Ids as strings, each once: of a view, of any iterable, or a single one.

    Raises:
        InputError: if these are no ids.
    """
    if isinstance(ids, SampleCollection):
        ids = ids.values("id")
    elif isinstance(ids, (str, ObjectId)):
        ids = [ids]
    elif not isinstance(ids, Iterable):
        raise InputError(
            f"{name} is a {type(ids).__name__}; expected sample ids or a view"
        )
    unique = dict.fromkeys(ids)
    for one in unique:
        if not isinstance(one, (str, ObjectId)):
            raise InputError(f"{name} holds {one!r}; expected sample ids or a view")
    return list(dict.fromkeys(map(str, unique)))


def scope(samples: Any) -> list[str] | None:
    """Ids of the samples of a view; None for a dataset, which means all."""
    return None if isinstance(samples, fo.Dataset) else samples.values("id")


def find(
    review: Review, ids: Sequence[str] | None, query: dict[str, Any], *paths: str
) -> Iterator[dict[str, Any]]:
    """The documents of the samples that match, in whatever group slice.

    Args:
        review: the run.
        ids: among these samples; None for all.
        query: a MongoDB query.
        *paths: what to read of a sample, besides its id.
    """
    wanted: dict[str, Any] = dict.fromkeys(("_id", *paths), True)
    if ids is None:
        yield from review.collection.find(query, wanted)
        return
    for part in batches(ids, _IN_ONE_QUERY):
        some = {"_id": {"$in": [ObjectId(i) for i in part]}, **query}
        yield from review.collection.find(some, wanted)


def batches(values: Sequence[Any], size: int = BATCH) -> Iterator[Sequence[Any]]:
    """The values in parts of the size; the last may be smaller."""
    return (values[begin : begin + size] for begin in range(0, len(values), size))


def find_scored(
    review: Review, ids: Sequence[str], *paths: str
) -> dict[str, dict[str, Any]]:
    """The documents of these samples, by id, in the order of the ids.

    Raises:
        InputError: if the dataset does not hold one of them, or the run has no score
            for it.
    """
    score = review.fields.suspiciousness
    valid = [i for i in ids if ObjectId.is_valid(i)]
    documents = {str(d["_id"]): d for d in find(review, valid, {}, score, *paths)}
    unknown = [i for i in ids if i not in documents]
    if unknown:
        raise InputError(
            f"dataset {review.dataset.name!r} has no samples with these ids: "
            f"{_some(unknown)}; nothing was changed"
        )
    outside = [i for i in ids if documents[i].get(score) is None]
    if outside:
        raise InputError(
            f"brain run {review.key!r} has no score for these samples: "
            f"{_some(outside)}; nothing was changed. Leave them out, or run "
            "compute_suspiciousness on them"
        )
    return {i: documents[i] for i in ids}


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
    return ", ".join(ids[:3]) + more


def refresh_samples(review: Review, ids: Iterable[str] | None) -> None:
    """Lets samples that this process holds in memory show what was written."""
    Sample._reload_docs(review.dataset._sample_collection_name, sample_ids=ids)
