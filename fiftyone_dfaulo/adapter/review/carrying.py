"""Brings the verdicts of one run to another run on the same labels."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.review.state.items import EXCLUDED
from fiftyone_dfaulo.adapter.review.state.kept import read_state
from fiftyone_dfaulo.adapter.review.verdicts import EVERY_VERDICT, write_verdicts
from fiftyone_dfaulo.adapter.runs.lookup import list_runs
from fiftyone_dfaulo.errors import InputError, RunError

_NEEDED = ("suspiciousness", "verdict")


@public
def carry_verdicts(samples: Samples, brain_key: str = "dfaulo", *, source: str) -> int:
    """Gives a run the verdicts that were given in another run on the same labels.

    A verdict is about a label. So only verdicts on labels that are still as the other
    run has scored them are carried, and none on one that was corrected or edited since;
    but "exclude" is about the sample, and always carried.
    A sample that has a verdict in this run keeps it. In ``<key>_history`` the entry has
    the other run's key as ``source``, and who gave the verdict there as ``by``.

    The operator "Find suspicious labels" does this by itself, with the newest run that
    has verdicts.

    Args:
        samples: the dataset, or any view into it; the whole runs are taken.
        brain_key: the key of the run that gets the verdicts.
        source: the key of the run that has them.

    Returns:
        how many verdicts were carried.

    Raises:
        InputError: if the two runs are about different labels.
        RunError: if there is no such run, or a field of it was deleted.

    Examples:
        >>> worst = dfaulo.suspicious_view(dataset, limit=6)
        >>> changed = dfaulo.record_verdicts(dataset, faulty=worst)
        >>> results = dfaulo.compute_suspiciousness(
        ...     dataset, embeddings="my_embeddings", brain_key="second"
        ... )
        >>> dfaulo.carry_verdicts(dataset, "second", source="dfaulo")
        6
    """
    review = open_review(samples, brain_key, *_NEEDED)
    return carry(review, open_review(samples, source, *_NEEDED, reload=False))


def carry_newest(dataset: Dataset, brain_key: str) -> tuple[str, int]:
    """Carries those of the newest other run on the same labels that has some.

    Returns:
        the key of that run and how many were carried; or an empty text and 0.
    """
    review = open_review(dataset, brain_key, *_NEEDED)
    for key in list_runs(dataset):
        if key == brain_key:
            continue
        try:
            other = open_review(dataset, key, *_NEEDED, reload=False)
            count = carry(review, other) if _same_labels(review, other) else 0
        except RunError:  # it lacks a field, or its results
            continue
        if count:
            return key, count
    return "", 0


def carry(review: ReviewSession, source: ReviewSession) -> int:
    """As :func:`carry_verdicts`, in reviews that are open."""
    if not _same_labels(review, source):
        raise InputError(
            f"brain run {source.key!r} is about {source.config.label_field!r}, and run "
            f"{review.key!r} about {review.config.label_field!r}; pass two runs on the "
            "same labels"
        )
    groups = _verdicts_by_person(source)
    if not groups:
        return 0
    score, verdict = review.fields.suspiciousness, review.fields.verdict
    ids = [one for group in groups.values() for some in group.values() for one in some]
    unchecked = {verdict: None, score: {"$ne": None}}
    free = {str(item["_id"]) for item in review.find(ids, unchecked)}
    count = 0
    for by, group in groups.items():
        given = {v: [one for one in some if one in free] for v, some in group.items()}
        write_verdicts(review, **given, by=by, source=source.key)
        count += sum(map(len, given.values()))
    return count


def _same_labels(review: ReviewSession, other: ReviewSession) -> bool:
    return bool(review.config.label_target == other.config.label_target)


def _verdicts_by_person(
    review: ReviewSession,
) -> dict[str | None, dict[str, list[str]]]:
    """Ids of the items with a verdict that still holds: on the label that was scored.

    Returns:
        who gave it, to the verdict, to the ids.
    """
    results = review.load_results()
    state = read_state(review, results)
    same = ~state.edited(results)
    told = (same & (state.verdicts != -1)) | (state.verdicts == EXCLUDED)
    rows = np.flatnonzero(state.present & told)
    ids = [results.ids[row] for row in rows]
    groups: dict[str | None, dict[str, list[str]]] = defaultdict(
        lambda: {verdict: [] for verdict in EVERY_VERDICT}
    )
    verdict, history = review.fields.verdict, review.own.history
    for item in review.find(ids, {}, verdict, history):
        if item.get(verdict) in EVERY_VERDICT:
            last = (item.get(history) or [{}])[-1]
            groups[last.get("by")][item[verdict]].append(str(item["_id"]))
    return dict(groups)
