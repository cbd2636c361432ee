"""Records what a person says about labels, and who said what when."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from fiftyone_dfaulo.adapter.review.session import (
    Review,
    add_review_field,
    batches,
    find_scored,
    item_ids,
    open_review,
    refresh_samples,
)
from fiftyone_dfaulo.adapter.targets.base import Item
from fiftyone_dfaulo.errors import InputError

VERDICTS = ("faulty", "correct")
"""What ``<key>_verdict`` may hold, besides None."""


def record_verdicts(
    samples: Any,
    brain_key: str = "dfaulo",
    *,
    faulty: Any = (),
    correct: Any = (),
    cleared: Any = (),
    by: str | None = None,
) -> dict[str, int]:
    """Writes verdicts to ``<key>_verdict``, and each change to ``<key>_history``.

    An entry of the history is a dict with ``verdict`` (``"faulty"``, ``"correct"`` or
    ``"cleared"``), ``at`` (UTC) and ``by``. A verdict that a sample has already is not
    written again. Of two people who judge the same sample, the later one's verdict
    stands and both are in the history.

    Where a run has scored objects, a verdict is on an object: give ids of objects, or
    views made by ``to_patches()``.

    Args:
        samples: the dataset, or any view into it; a verdict may be on any sample of
            the run.
        brain_key: the key of the run.
        faulty: samples whose label or image is wrong: ids, or a view.
        correct: samples that are right: ids, or a view.
        cleared: samples whose verdict is taken back: ids, or a view.
        by: who says so.

    Returns:
        how many verdicts changed: ``faulty``, ``correct``, ``cleared``, and
        ``unchanged`` for those that were so already.

    Raises:
        InputError: if an id is unknown, not among the scored samples, or given twice
            with different verdicts; nothing is written.
        RunError: if there is no such run, or a field of it was deleted.
    """
    if by is not None and not (isinstance(by, str) and by.strip()):
        raise InputError(f"by={by!r} is no name; pass one, or leave it out")
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    given = {"faulty": faulty, "correct": correct, "cleared": cleared}
    groups = {name: item_ids(review, ids, name) for name, ids in given.items()}
    _check_disjoint(review, groups)
    everyone = [i for ids in groups.values() for i in ids]
    items = find_scored(review, everyone)
    counts = {**dict.fromkeys(groups, 0), "unchanged": 0}
    if not everyone:
        return counts
    add_review_field(review, "history")
    now = datetime.now(timezone.utc)
    for name, ids in groups.items():
        counts[name] = _write(review, name, [items[i] for i in ids], by, now)
    counts["unchanged"] = len(everyone) - sum(counts.values())
    refresh_samples(review, items.values())
    return counts


def _check_disjoint(review: Review, groups: dict[str, list[str]]) -> None:
    seen: dict[str, str] = {}
    noun = review.place.noun
    for name, ids in groups.items():
        for one in ids:
            if one in seen:
                raise InputError(
                    f"{noun} {one} is given as {seen[one]} and as {name}; give each "
                    f"{noun} one verdict. Nothing was changed"
                )
            seen[one] = name


def _write(
    review: Review, name: str, items: list[Item], by: str | None, now: datetime
) -> int:
    """Sets a verdict where it is another, with its history, in one step an item."""
    verdict = name if name in VERDICTS else None
    history = review.place.ref(review.own.history)
    entry = {"verdict": name, "at": now, "by": by}
    change = {
        review.fields.verdict: {"$literal": verdict},
        # no $push: FiftyOne gives samples that are added later a null
        review.own.history: {
            "$concatArrays": [{"$ifNull": [history, []]}, [{"$literal": entry}]]
        },
    }
    another = {review.fields.verdict: {"$ne": verdict}}
    changed = 0
    for part in batches(items):
        updates = [review.place.change(item, another, change) for item in part]
        done = review.collection.bulk_write(updates, ordered=False)
        changed += done.modified_count
    return changed
