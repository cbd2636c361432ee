"""Re-ranks a run by its verdicts."""

from __future__ import annotations

import numpy as np

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.review.audit import audit_shift
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.review.state.items import ReviewState
from fiftyone_dfaulo.adapter.review.state.kept import read_state
from fiftyone_dfaulo.adapter.review.status import adjusted_scores
from fiftyone_dfaulo.adapter.runs.colors import color_scores
from fiftyone_dfaulo.adapter.runs.lookup import load_config
from fiftyone_dfaulo.adapter.storage.lease import changing
from fiftyone_dfaulo.adapter.storage.refresh import refresh

MOST = 1_000
"""Scores that are written while a person waits: those of twenty batches, of which
objects take a third of a second."""


@public
def update_suspiciousness(samples: Samples, brain_key: str = "dfaulo") -> DFauLoResults:
    """Ranks a run anew by the stored results and the verdicts so far.

    Needs no image and no model. Samples marked faulty go to the top of the scale,
    samples marked correct to the bottom. Where an audit contradicts what the scores add
    up to, all are moved to add up to what it says, in the same order. Only scores that
    change are written. Without any verdict the initial scores are back, to the bit.

    Args:
        samples: the dataset, or any view into it; the whole run is ranked.
        brain_key: the key of the run.

    Returns:
        the results, whose ``suspiciousness`` stays the initial one; the learned one is
        in the field ``<key>_suspiciousness``.

    Raises:
        RunError: if there is no such run, or a field of it was deleted.

    Examples:
        >>> best = dfaulo.suspicious_view(dataset).last().id
        >>> changed = dfaulo.record_verdicts(dataset, faulty=[best])
        >>> results = dfaulo.update_suspiciousness(dataset)
        >>> dataset[best].dfaulo_suspiciousness  # it goes to the top
        1.0
    """
    return learn(open_review(samples, brain_key, "suspiciousness", "verdict"))


def learn(review: ReviewSession) -> DFauLoResults:
    """As :func:`update_suspiciousness`, in a review that is open."""
    results = review.load_results()
    state = read_state(review, results)
    shift = audit_shift(results, state, adjusted_scores(results, state))
    write_learned(review, results, state, learned_scores(results, state, shift))
    _keep_shift(review, shift)
    return results


def write_learned(
    review: ReviewSession,
    results: DFauLoResults,
    state: ReviewState,
    learned: np.ndarray,
    most: int | None = None,
) -> None:
    """Writes the scores that differ from those that were read.

    Args:
        review, results, state: the review, of which run, and how it stands.
        learned: float64 (N,), the scores.
        most: of how many unchecked ones at most; None for all. Those at the top of the
            ranking, before or after, come first: so the top is right.
    """
    changed = state.present & (learned != state.scores)
    checked, rows = (
        np.flatnonzero(changed & some)
        for some in (state.verdicts >= 0, state.verdicts < 0)
    )
    if most is not None and len(rows) > most:
        highest = np.fmax(learned, state.scores)[rows]
        rows = rows[np.argsort(-highest, kind="stable")[:most]]
    rows = np.union1d(checked, rows)  # in order: objects of a sample together
    _write_scores(review, [results.ids[n] for n in rows], learned[rows])


def relearn(review: ReviewSession) -> bool:
    """Ranks the run anew if it was ranked by verdicts; writes :data:`MOST` scores.

    Returns:
        whether it was; some of the verdicts may be gone.
    """
    results = review.load_results()
    state = read_state(review, results)
    scored = state.present & np.isfinite(state.scores)
    learned = bool((scored & (state.scores != results.suspiciousness)).any())
    if learned:
        scores = learned_scores(results, state, review.config.audit_shift)
        write_learned(review, results, state, scores, MOST)
    return learned


def _keep_shift(review: ReviewSession, shift: float) -> None:
    """Has what is written from now on fit the scores that are shifted."""
    if review.config.audit_shift == shift:
        return
    with changing(review.dataset):
        refresh(review.dataset)
        run = load_config(review.dataset, review.key).build()
        run.config.audit_shift = review.config.audit_shift = shift
        run.update_run_config(review.dataset, review.key, run.config)


def learned_scores(
    results: ComparedResults, state: ReviewState, shift: float = 0.0
) -> np.ndarray:
    """Float64 (N,): by our update, or by the paper's if the run is the paper's.

    Args:
        results, state: of which run, and how its review stands.
        shift: what :func:`audit_shift` says.
    """
    from fiftyone_dfaulo.engine.feedback import learning
    from fiftyone_dfaulo.engine.paper.suspiciousness import update

    verdicts, initial = state.verdicts, results.suspiciousness
    if results.config.method != "paper":
        learned = learning.shifted(adjusted_scores(results, state), shift)
    else:
        checked = np.flatnonzero(verdicts >= 0)
        faulty = verdicts[checked] == 1
        learned = update(results.signals, initial, checked, faulty)
    return learning.place_checked(learned, verdicts)


def _write_scores(review: ReviewSession, ids: list[str], scores: np.ndarray) -> None:
    name, items = review.fields.suspiciousness, review.items.locate(ids)
    rows = [(items[i], {name: x}) for i, x in zip(ids, scores.tolist()) if i in items]
    review.write(review.items.fill(rows))
    if not review.target.frames:
        color_scores(review.dataset, name, scores)
    review.show_written(items.values())
