"""What forms and summaries say of a run's items: number, classes, files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np

from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.state.items import CODES
from fiftyone_dfaulo.adapter.review.state.kept import read_state
from fiftyone_dfaulo.adapter.targets.shown import path_in
from fiftyone_dfaulo.errors import RunError


def find_with_verdict(
    review: ReviewSession, verdict: str, *names: str
) -> Iterator[dict[str, Any]]:
    """The items with a verdict, of what the review was opened with.

    What a recent review has read tells which these may be; else all are looked at.

    Args:
        review: the review.
        verdict: that they have.
        *names: what to read of them.
    """
    ids = review.ids_in(review.samples)
    if ids is None and review.recent:
        with suppress(RunError):  # it has no results any more
            results = review.load_results()
            given = read_state(review, results).verdicts == CODES[verdict]
            ids = [results.ids[row] for row in np.flatnonzero(given)]
    return review.find(ids, {review.fields.verdict: verdict}, *names)


def count_with_verdict(review: ReviewSession, verdict: str) -> int:
    """The number of items with a verdict, of what the review was opened with."""
    return sum(1 for _ in find_with_verdict(review, verdict))


def list_classes(review: ReviewSession) -> list[str]:
    """The classes that the label field now holds, sorted; none if it is gone."""
    target = review.target
    path = path_in(review.samples, target, target.class_path)
    if review.samples.get_field(path) is None:
        return []
    if isinstance(review.samples, fo.Dataset):  # the database's own way is faster
        found = review.items.documents.distinct(target.class_path)
        return sorted(name for name in found if isinstance(name, str))
    return list(review.samples.distinct(path))


def suggested(value: Any) -> str | None:
    """The class that a stored suggestion names: of a sample, or of an object."""
    return value.get("label") if isinstance(value, Mapping) else value


def file_names(results: DFauLoResults, ids: Sequence[str]) -> list[str]:
    """The file names of some items, in the order of the ids.

    Args:
        results: the run's.
        ids: of items; those that were deleted are left out.

    Returns:
        names without folders; an item that could not be read has the reason behind it,
        in parentheses.
    """
    if not ids:
        return []
    items = results.config.target.items(results.samples._root_dataset)
    found = {str(d["_id"]): d["filepath"] for d in items.find(ids, {}, "filepath")}
    reasons = results.unreadable
    return [
        Path(found[i]).name + (f" ({reasons[i]})" if i in reasons else "")
        for i in ids
        if i in found
    ]
