"""Re-ranks a run by its verdicts, and says how the review stands."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from fiftyone_dfaulo.adapter.review.label_edits import relabelling
from fiftyone_dfaulo.adapter.review.session import (
    Review,
    batches,
    find,
    load_results,
    open_review,
    refresh_samples,
)
from fiftyone_dfaulo.adapter.review.state import (
    ReviewState,
    edited_ids,
    read_state,
)
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoResults
from fiftyone_dfaulo.errors import InputError


def update_suspiciousness(samples: Any, brain_key: str = "dfaulo") -> DFauLoResults:
    """Ranks a run anew by the stored results and the verdicts so far.

    Needs no image and no model. Samples marked faulty go to the top of the scale,
    samples marked correct to the bottom. Only scores that change are written. Without
    any verdict the initial scores are back, to the bit.

    Args:
        samples: the dataset, or any view into it; the whole run is ranked.
        brain_key: the key of the run.

    Returns:
        the results, whose ``suspiciousness`` stays the initial one; the learned one is
        in the field ``<key>_suspiciousness``.

    Raises:
        RunError: if there is no such run, or a field of it was deleted.
    """
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    results = load_results(review)
    state = read_state(review, results)
    learned = _learn(results, state.verdicts)
    changed = np.flatnonzero(state.present & (learned != state.scores))
    _write_scores(review, [results.ids[n] for n in changed], learned[changed])
    return results


def _learn(results: DFauLoResults, verdicts: np.ndarray) -> np.ndarray:
    """Float64 (N,): by our update, or by the paper's if the run is the paper's."""
    from fiftyone_dfaulo.engine.feedback import learning
    from fiftyone_dfaulo.engine.paper.suspiciousness import update

    initial = results.suspiciousness
    if results.config.method != "paper":
        return learning.learn(initial, verdicts, results.suggestions, results.labels)
    checked = np.flatnonzero(verdicts >= 0)
    learned = update(results.signals, initial, checked, verdicts[checked] == 1)
    return learning.place_checked(learned, verdicts)


def _write_scores(review: Review, ids: list[str], scores: np.ndarray) -> None:
    name, items = (
        review.fields.suspiciousness,
        review.place.locate(review.collection, ids),
    )
    rows = [(items[i], {name: x}) for i, x in zip(ids, scores.tolist()) if i in items]
    for part in batches(rows):
        review.collection.bulk_write(review.place.fill(part), ordered=False)
    refresh_samples(review, None if len(ids) > 1_000 else items.values())


def review_status(
    samples: Any, brain_key: str = "dfaulo", *, batch_size: int = 50
) -> dict[str, Any]:
    """How the review of a run stands, and what to expect of the next batch.

    Args:
        samples: the dataset, or any view into it; the whole run is counted.
        brain_key: the key of the run.
        batch_size: samples in the next batch, at least 1.

    Returns:
        a JSON-serializable dict:

        ==================  =========================================================
        ``scored``          samples, or objects, of the run that still exist
        ``faulty``,         them by verdict; ``faulty`` is also the number of
        ``correct``,        faults found
        ``unchecked``
        ``found``           faults found so far
        ``estimate``        how many faults there are in all, about
        ``low``, ``high``   90 % interval of the estimate
        ``left``            how many of them are not found yet, about
        ``precision``       share of faulty among the checked; None before any verdict
        ``expected_next``   faults to expect in the next batch
        ``corrected``       labels that were replaced by ``apply_suggestions``
        ``stale``,          number and ids of those whose label was edited, or
        ``stale_ids``       removed, since the run, otherwise than by it
        ==================  =========================================================

    Raises:
        InputError: if ``batch_size`` is no whole number of 1 or more.
        RunError: if there is no such run, or a field of it was deleted.
    """
    check_batch_size(batch_size)
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    results = load_results(review)
    return describe_state(review, results, read_state(review, results), batch_size)


def check_batch_size(size: Any) -> None:
    """Makes sure that this is a number of samples to show.

    Raises:
        InputError: if it is no whole number of 1 or more.
    """
    if not isinstance(size, numbers.Integral) or isinstance(size, bool) or size < 1:
        raise InputError(f"batch_size={size!r} is not a whole number of 1 or more")


def describe_state(
    review: Review, results: DFauLoResults, state: ReviewState, batch_size: int
) -> dict[str, Any]:
    """As :func:`review_status`, of a state that was read already."""
    from fiftyone_dfaulo.engine.feedback.estimate import estimate_faults

    verdicts = state.verdicts[state.present]
    estimate = estimate_faults(
        results.suspiciousness[state.present],
        verdicts,
        results.suggestions[state.present],
        results.labels[state.present],
    )
    faulty, correct = int((verdicts == 1).sum()), int((verdicts == 0).sum())
    as_applied, corrected = _corrected(review)
    stale = [i for i in edited_ids(results, state) if i not in as_applied]
    return {
        "scored": len(verdicts),
        "faulty": faulty,
        "correct": correct,
        "unchecked": len(verdicts) - faulty - correct,
        "found": faulty,
        "estimate": float(estimate.count),
        "low": float(estimate.low),
        "high": float(estimate.high),
        "left": float(estimate.left),
        "precision": faulty / (faulty + correct) if faulty + correct else None,
        "expected_next": float(estimate.next_batch(int(batch_size))),
        "corrected": corrected,
        "stale": len(stale),
        "stale_ids": stale,
    }


def _corrected(review: Review) -> tuple[set[str], int]:
    """Ids of the samples whose label is as it was applied; number of all corrected."""
    label, original = review.config.label_field, review.own.original_label
    if not review.storage.has_field(review.place.path(original)):
        return set(), 0
    found = list(find(review, None, {original: {"$ne": None}}, label, original))
    is_as_applied = relabelling(review).is_as_applied
    same = [document for document in found if is_as_applied(document)]
    return {str(d["_id"]) for d in same}, len(found)
