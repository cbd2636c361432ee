"""Records what a person says about labels, and who said what when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.storage.items import Item
from fiftyone_dfaulo.errors import InputError

VERDICTS = ("faulty", "correct")
"""The verdicts that say what a label is."""

UNSURE = "unsure"
"""The verdict of somebody who could not tell."""

EXCLUDE = "exclude"
"""The verdict on what does not belong in the dataset, whatever its label."""

EVERY_VERDICT = (*VERDICTS, UNSURE, EXCLUDE)


@public
def record_verdicts(
    samples: Samples,
    brain_key: str = "dfaulo",
    *,
    faulty: Any = (),
    correct: Any = (),
    unsure: Any = (),
    exclude: Any = (),
    cleared: Any = (),
    by: str | None = None,
) -> dict[str, int]:
    """Writes verdicts to ``<key>_verdict``, and each change to ``<key>_history``.

    An entry of the history is a dict with ``verdict`` (``"faulty"``, ``"correct"``,
    ``"unsure"``, ``"exclude"`` or ``"cleared"``), ``at`` (UTC) and ``by``; and
    ``source``, if :func:`.carry_verdicts` has brought it from another run. A verdict
    that a sample has already is not written again. If two people give verdicts on the
    same sample, the later verdict stands and both are in the history.

    Where a run has scored objects, a verdict is on an object: give ids of objects, or
    views made by ``to_patches()``.

    Args:
        samples: the dataset, or any view into it; a verdict may be on any sample of
            the run.
        brain_key: the key of the run.
        faulty: samples whose label is wrong: ids, or a view.
        correct: samples that are right: ids, or a view.
        unsure: samples that you cannot tell of: ids, or a view. No batch shows them
            again, and nothing is learned from them; they count as unchecked in the
            estimate.
        exclude: samples that do not belong in the dataset, whatever their label: ids,
            or a view. No batch shows them again, nothing is learned from them, and the
            estimate is of the others; nothing is deleted.
        cleared: samples whose verdict is taken back: ids, or a view.
        by: who says so.

    Returns:
        how many verdicts changed: ``faulty``, ``correct``, ``cleared``, and
        ``unchanged`` for those that were so already; ``unsure`` and ``exclude``, if
        some were given.

    Raises:
        InputError: if an id is unknown, not among the scored samples, or given twice
            with different verdicts; nothing is written.
        RunError: if there is no such run, or a field of it was deleted.

    Examples:
        >>> worst = dfaulo.suspicious_view(dataset, limit=10)
        >>> dfaulo.record_verdicts(
        ...     dataset, faulty=worst[:6], correct=worst[6:], by="Ada"
        ... )
        {'faulty': 6, 'correct': 4, 'cleared': 0, 'unchanged': 0}
    """
    check_name(by)
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    return write_verdicts(
        review,
        faulty=faulty,
        correct=correct,
        unsure=unsure,
        exclude=exclude,
        cleared=cleared,
        by=by,
    )


def check_name(by: object) -> None:
    """Makes sure that this can be a reviewer's name, or is None.

    Raises:
        InputError: if it is not.
    """
    if by is not None and not (isinstance(by, str) and by.strip()):
        raise InputError(f"by={by!r} is no name; pass one, or leave it out")


def write_verdicts(
    review: ReviewSession,
    *,
    faulty: Any = (),
    correct: Any = (),
    unsure: object = (),
    exclude: object = (),
    cleared: Any = (),
    by: str | None = None,
    source: str | None = None,
) -> dict[str, int]:
    """As :func:`record_verdicts`, in a review that is open.

    Args:
        review: the review.
        faulty, correct, unsure, exclude, cleared, by: as there.
        source: key of the run that the verdicts were given in, if it was another one.
    """
    given = {"faulty": faulty, "correct": correct, "cleared": cleared}
    groups = {name: review.given_ids(ids, name) for name, ids in given.items()}
    for name, ids in ((UNSURE, unsure), (EXCLUDE, exclude)):
        if some := review.given_ids(ids, name):
            groups[name] = some
    _check_disjoint(review, groups)
    everyone = [i for ids in groups.values() for i in ids]
    items = review.find_scored(everyone)
    counts = {**dict.fromkeys(groups, 0), "unchanged": 0}
    if not everyone:
        return counts
    review.add_field("history")
    entry = {"at": datetime.now(timezone.utc), "by": by}
    if source is not None:
        entry["source"] = source
    for name, ids in groups.items():
        counts[name] = _write(review, name, [items[i] for i in ids], entry)
    counts["unchanged"] = len(everyone) - sum(counts.values())
    review.show_written(items.values())
    return counts


def read_verdicts(review: ReviewSession, ids: Sequence[str]) -> dict[str, str | None]:
    """The verdicts of these items, in their order; None for one that has none."""
    name = review.fields.verdict
    verdicts = {str(d["_id"]): d.get(name) for d in review.find(list(ids), {}, name)}
    return {one: verdicts[one] for one in ids if one in verdicts}


def _check_disjoint(review: ReviewSession, groups: dict[str, list[str]]) -> None:
    seen: dict[str, str] = {}
    noun = review.target.noun
    for name, ids in groups.items():
        for one in ids:
            if one in seen:
                raise InputError(
                    f"{noun} {one} is given as {seen[one]} and as {name}; give each "
                    f"{noun} one verdict. Nothing was changed"
                )
            seen[one] = name


def _write(
    review: ReviewSession, name: str, items: list[Item], entry: dict[str, Any]
) -> int:
    """Sets a verdict where it is another, with its history, in one step an item."""
    verdict = None if name == "cleared" else name
    history = review.items.ref(review.own.history)
    entry = {"verdict": name, **entry}
    change = {
        review.fields.verdict: {"$literal": verdict},
        # no $push: FiftyOne gives samples that are added later a null
        review.own.history: {
            "$concatArrays": [{"$ifNull": [history, []]}, [{"$literal": entry}]]
        },
    }
    another = {review.fields.verdict: {"$ne": verdict}}
    updates = [review.items.change(item, another, change) for item in items]
    return review.write(updates)[1]
