"""Re-ranks a run by its verdicts, and says how the review stands."""

from __future__ import annotations

import numbers
from typing import Any, NamedTuple

import numpy as np
from bson import ObjectId

from fiftyone_dfaulo.adapter.places import Item
from fiftyone_dfaulo.adapter.relabelling import relabelling
from fiftyone_dfaulo.adapter.reviewing import (
    Review,
    batches,
    find,
    load_results,
    open_review,
    refresh_samples,
)
from fiftyone_dfaulo.adapter.runs import DFauLoResults
from fiftyone_dfaulo.errors import InputError

_CODES: dict[str | None, int] = {"faulty": 1, "correct": 0}


class _State(NamedTuple):
    """What the dataset says about the N items of the results, in their order."""

    items: list[Item]  # empty for one that does not exist any more
    present: np.ndarray  # bool (N,), whether the item still exists
    scores: np.ndarray  # float64 (N,), NaN where there is none
    verdicts: np.ndarray  # int8 (N,): 1 faulty, 0 correct, -1 unchecked
    labels: list[str | None]


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
    state = _read_state(review, results)
    learned = _learn(results, state.verdicts)
    changed = np.flatnonzero(state.present & (learned != state.scores))
    items = [state.items[n] for n in changed.tolist()]
    _write_scores(review, items, learned[changed])
    return results


def _learn(results: DFauLoResults, verdicts: np.ndarray) -> np.ndarray:
    """Float64 (N,): by our update, or by the paper's if the run is the paper's."""
    from fiftyone_dfaulo.engine import paper, ranking

    initial = results.suspiciousness
    if results.config.method != "paper":
        return ranking.learn(initial, verdicts, results.suggestions, results.labels)
    checked = np.flatnonzero(verdicts >= 0)
    learned = paper.update(results.signals, initial, checked, verdicts[checked] == 1)
    return ranking.place_checked(learned, verdicts)


def _read_state(review: Review, results: DFauLoResults) -> _State:
    number = {ObjectId(one): n for n, one in enumerate(results.ids)}
    count = len(number)
    present = np.zeros(count, bool)
    scores, verdicts = np.full(count, np.nan), np.full(count, -1, np.int8)
    labels: list[str | None] = [None] * count
    items: list[Item] = [{}] * count
    score, verdict = review.fields.suspiciousness, review.fields.verdict
    label = review.config.label_field
    for document in find(review, None, {}, score, verdict, f"{label}.label"):
        n = number.get(document["_id"])
        if n is None:
            continue
        present[n] = True
        items[n] = {name: document[name] for name in ("_id", "_sample")}
        scores[n] = np.nan if document.get(score) is None else document[score]
        verdicts[n] = _CODES.get(document.get(verdict, ""), -1)
        labels[n] = (document.get(label) or {}).get("label")
    return _State(items, present, scores, verdicts, labels)


def _write_scores(review: Review, items: list[Item], scores: np.ndarray) -> None:
    name = review.fields.suspiciousness
    for part in batches(list(zip(items, scores.tolist()))):
        updates = review.place.fill((item, {name: x}) for item, x in part)
        review.collection.bulk_write(updates, ordered=False)
    refresh_samples(review, None if len(items) > 1_000 else items)


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
    from fiftyone_dfaulo.engine.estimate import estimate_faults

    whole = isinstance(batch_size, numbers.Integral)
    if not whole or isinstance(batch_size, bool) or batch_size < 1:
        raise InputError(
            f"batch_size={batch_size!r} is not a whole number of 1 or more"
        )
    review = open_review(samples, brain_key, "suspiciousness", "verdict")
    results = load_results(review)
    state = _read_state(review, results)
    verdicts = state.verdicts[state.present]
    estimate = estimate_faults(
        results.suspiciousness[state.present],
        verdicts,
        results.suggestions[state.present],
        results.labels[state.present],
    )
    faulty, correct = int((verdicts == 1).sum()), int((verdicts == 0).sum())
    as_applied, corrected = _corrected(review)
    stale = [i for i in _edited(results, state) if i not in as_applied]
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


def _edited(results: DFauLoResults, state: _State) -> list[str]:
    """Ids of the samples whose label is no longer the one that was scored."""
    names = (results.classes[n] for n in results.labels.tolist())
    rows = zip(results.ids, names, state.labels, state.present.tolist())
    return [one for one, was, now, present in rows if present and now != was]


def _corrected(review: Review) -> tuple[set[str], int]:
    """Ids of the samples whose label is as it was applied; number of all corrected."""
    label, original = review.config.label_field, review.own.original_label
    if not review.dataset.has_sample_field(review.place.path(original)):
        return set(), 0
    found = list(find(review, None, {original: {"$ne": None}}, label, original))
    is_as_applied = relabelling(review).is_as_applied
    same = [document for document in found if is_as_applied(document)]
    return {str(d["_id"]) for d in same}, len(found)
