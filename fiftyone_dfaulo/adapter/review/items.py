"""What forms and summaries say of a run's items: how many, which classes, which files.

Items are samples, or objects in them: see :mod:`.base`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fiftyone_dfaulo.adapter.review.session import Review, find, scope
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoResults
from fiftyone_dfaulo.adapter.targets.frames import path_in


def count_with_verdict(review: Review, verdict: str) -> int:
    """The number of items with a verdict, of what the review was opened with."""
    query = {review.fields.verdict: verdict}
    return sum(1 for _ in find(review, scope(review, review.samples), query))


def list_classes(review: Review) -> list[str]:
    """The classes that the label field now holds, sorted."""
    at = review.place.list_path or review.config.label_field
    path = path_in(review.samples, review.place, f"{at}.label")
    return list(review.samples.distinct(path))


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
    place = results.config.place
    collection = place.storage(results.samples._root_dataset).collection
    items = place.find(collection, ids, {}, "filepath")
    found = {str(item["_id"]): item["filepath"] for item in items}
    reasons = results.unreadable
    return [
        Path(found[i]).name + (f" ({reasons[i]})" if i in reasons else "")
        for i in ids
        if i in found
    ]
