"""Brings what is known of one run's labels to another run: verdicts, corrections."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import replace

import numpy as np

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.reading.labels import Labelled
from fiftyone_dfaulo.adapter.results.single_label import SingleLabelResults
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.review.state.items import CODES, EXCLUDED
from fiftyone_dfaulo.adapter.review.state.kept import read_state
from fiftyone_dfaulo.adapter.review.verdicts import EVERY_VERDICT, write_verdicts
from fiftyone_dfaulo.adapter.runs.lookup import list_runs
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.class_labels import ClassLabels
from fiftyone_dfaulo.adapter.targets.kinds import same_labels
from fiftyone_dfaulo.errors import InputError, RunError

_COULD_LEARN = (
    "Run {0!r} on the same labels has been reviewed. With learn_from={0!r} the models "
    "learn from that, and what was corrected helps to tell how many labels are wrong."
)
_NEEDED = ("suspiciousness", "verdict")


@public
def carry_verdicts(samples: Samples, brain_key: str = "dfaulo", *, source: str) -> int:
    """Gives a run the verdicts that were given in another run on the same labels.

    A verdict is about a label. So only verdicts on labels that are still as the other
    run has scored them are carried, and none on one that was corrected or edited since;
    but "exclude" is about the sample, and always carried.
    A sample that has a verdict in this run keeps it. In ``<key>_history`` the entry has
    the other run's key as ``source``, and who gave the verdict there as ``by``.

    A run with ``learn_from``, and the operator "Find suspicious labels", do this by
    themselves.

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


def newest_review(dataset: Dataset, target: LabelTarget, brain_key: str) -> str | None:
    """The key of the newest run on some labels that has a verdict; or None.

    Args:
        dataset: the dataset.
        target: the labels.
        brain_key: the key of a run that is not meant.
    """
    for key in list_runs(dataset):
        config = dataset.get_brain_info(key).config
        if key == brain_key or not same_labels(config.target, target):
            continue
        with suppress(RunError):  # it lacks a field, or its results
            review = open_review(dataset, key, *_NEEDED, reload=False)
            checked = review.find(None, {review.fields.verdict: {"$ne": None}})
            if next(checked, None) is not None:
                review.load_results()
                return key
    return None


def check_source(
    dataset: Dataset, target: LabelTarget, brain_key: str, source: str
) -> None:
    """Makes sure that a run under a key can learn from another run.

    Raises:
        InputError: if both are one, or about different labels.
        RunError: if there is no such run, or a field of it was deleted.
    """
    if source == brain_key:
        raise InputError(
            f"learn_from={source!r} is the run that would be replaced, with its "
            "verdicts; pass another brain_key"
        )
    config = open_review(dataset, source, *_NEEDED).config
    if not same_labels(config.target, target):
        raise InputError(
            f"learn_from={source!r} is a run on {config.label_field!r}, and this one "
            f"is on {target.label_field!r}; pass a run on the same labels"
        )


def learn_labels(
    labelled: Labelled,
    samples: Samples,
    target: LabelTarget,
    brain_key: str,
    source: str | None,
) -> tuple[Labelled, tuple[str, ...]]:
    """The same labels, with what the review of a run says of them, and notes on that.

    Labels that were corrected since, by the run or otherwise, are known to be as they
    are now, and what they were at first. Those marked faulty are as suggested. Only
    where items have one class each.

    Args:
        labelled: the labels, as they are.
        samples, target: what they were read from.
        brain_key: the key of the run that is to learn.
        source: the key of the run that was reviewed; None learns from none.
    """
    dataset = samples._root_dataset
    if source is None:
        other = newest_review(dataset, target, brain_key)
        return labelled, () if other is None else (_COULD_LEARN.format(other),)
    labels, review = labelled.labels, open_review(dataset, source, *_NEEDED)
    results = review.load_results()
    if type(labels) is not ClassLabels or not isinstance(results, SingleLabelResults):
        return labelled, ()
    number = {name: k for k, name in enumerate(labels.classes)}
    faulty = read_state(review, results).verdicts == CODES["faulty"]
    scored, suggested = results.label_texts(), results.suggestion_texts()
    taught, before = labels.numbers.copy(), labels.numbers.copy()
    row_of = results.rows.find(labelled.ids)
    for position, one in enumerate(labelled.ids):
        if one not in row_of:
            continue
        row = row_of[one]
        now = labels.classes[labels.numbers[position]]
        first = results.first_labels.get(one, scored[row])
        before[position] = number.get(first, before[position])
        if faulty[row] and now == scored[row]:
            taught[position] = number.get(suggested[row], taught[position])
    marked, corrected = (int((x != labels.numbers).sum()) for x in (taught, before))
    note = (
        f"The models have learned from the review of run {source!r}: {marked:,} labels "
        f"marked faulty, {corrected:,} corrected."
    )
    labels = replace(labels, taught=taught, before=before)
    return labelled._replace(labels=labels), (note,)


def carry(review: ReviewSession, source: ReviewSession) -> int:
    """As :func:`carry_verdicts`, in reviews that are open."""
    if not same_labels(review.target, source.target):
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
