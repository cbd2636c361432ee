"""Simulated reviewers: what checking samples does to the ranking and to the estimate.

They mark batches of 50 from the top of the current ranking by the truth, or with one
verdict in ten wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.metrics import average_precision_score

from bench.cases import Case
from bench.methods import Subject
from fiftyone_dfaulo.engine.feedback.estimate import FaultEstimate, estimate_faults
from fiftyone_dfaulo.engine.feedback.learning import learn
from fiftyone_dfaulo.engine.paper import suspiciousness as paper
from fiftyone_dfaulo.engine.scores import Scores

BATCH = 50
MARKS = (0.01, 0.05)
WRONG = (0.0, 0.1)
Update = Callable[[Scores, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class State:
    """Where a review stands.

    Attributes:
        initial: AP of the initial score over the unchecked, by the truth.
        updated: AP of the updated score over the same.
        estimate: of the number of faults in all.
        found: true faults among the checked.
    """

    initial: float
    updated: float
    estimate: FaultEstimate
    found: int


def learned(scores: Scores, labels: np.ndarray, verdicts: np.ndarray) -> np.ndarray:
    """Our update."""
    return learn(scores.suspiciousness, verdicts, scores.suggestion, labels)


def as_in_paper(scores: Scores, labels: np.ndarray, verdicts: np.ndarray) -> np.ndarray:
    """The paper's: a regression of the verdicts on its features, and nothing else."""
    checked = np.flatnonzero(verdicts >= 0)
    return paper.update(
        scores.signals, scores.suspiciousness, checked, verdicts[checked] == 1
    )


def as_rival(scores: np.ndarray, subject: Subject) -> Scores:
    """Another method's scores, as our update takes them.

    The order becomes a probability, evenly spread from 0 to 1; the network's likeliest
    class is the suggestion.
    """
    count = len(scores)
    rank = np.empty(count)
    rank[np.argsort(-scores, kind="stable")] = np.arange(count)
    nothing = np.zeros((count, 0))
    return Scores(
        suspiciousness=1 - (rank + 0.5) / count,
        suggestion=subject.outputs.logits.argmax(1),
        confidence=np.zeros(count, np.float32),
        reasons=nothing.astype(bool),
        signals=nothing.astype(np.float32),
        signal_names=(),
        near_duplicate_of=np.full(count, -1),
        estimated_faults=0,
    )


def simulate(
    scores: Scores, case: Case, update: Update, wrong: float, seed: int
) -> list[State]:
    """States before any verdict and at each of MARKS."""
    faults, count = case.faults, len(case.faults)
    reported = faults ^ (np.random.default_rng(seed).random(count) < wrong)
    verdicts, current = np.full(count, -1, np.int8), scores.suspiciousness
    states = [_look(scores, case, verdicts, current)]
    for mark in (int(count * share) for share in MARKS):
        rank = partial(update, scores, case.labels, verdicts)
        current = check_until(mark, verdicts, reported, current, rank)
        states.append(_look(scores, case, verdicts, current))
    return states


def check_until(
    mark: int,
    verdicts: np.ndarray,
    reported: np.ndarray,
    current: np.ndarray,
    rank: Callable[[], np.ndarray],
) -> np.ndarray:
    """Marks the most suspicious, in batches, until so many are checked.

    Args:
        mark: how many.
        verdicts: int8 (N,), 1 faulty, 0 correct, -1 unchecked; filled in.
        reported: bool (N,), which the reviewer calls faulty.
        current: (N,), the score.
        rank: gives the score by the verdicts so far.

    Returns:
        the score at the end.
    """
    while (checked := int((verdicts >= 0).sum())) < mark:
        order = np.argsort(-np.where(verdicts < 0, current, -1.0), kind="stable")
        batch = order[: min(BATCH, mark - checked)]
        verdicts[batch] = reported[batch]
        current = rank()
    return current


def _look(
    scores: Scores, case: Case, verdicts: np.ndarray, current: np.ndarray
) -> State:
    left, initial = verdicts < 0, scores.suspiciousness
    return State(
        float(average_precision_score(case.faults[left], initial[left])),
        float(average_precision_score(case.faults[left], current[left])),
        estimate_faults(initial, verdicts, scores.suggestion, case.labels),
        int(case.faults[~left].sum()),
    )


@dataclass(frozen=True)
class Review:
    """The reviews of one case, one for each seed, by ours and by the paper's method."""

    case: str
    wrong: float
    faults: list[int]
    ours: list[list[State]]
    papers: list[list[State]]


def ranking_table(reviews: Sequence[Review]) -> Iterator[str]:
    """AP of the initial and of the updated score over the unchecked, in Markdown."""
    yield "| case | wrong verdicts | ours, 1 % | 5 % | paper's, 1 % | 5 % |"
    yield "|---|---|---|---|---|---|"
    for review in reviews:
        cells = [review.case, f"{review.wrong:.0%}"]
        for runs in (review.ours, review.papers):
            for mark in range(1, len(MARKS) + 1):
                cells.append(_arrow([run[mark] for run in runs]) if runs else "")
        yield "| " + " | ".join(cells) + " |"


def _arrow(states: list[State]) -> str:
    before, after = (
        np.mean([getattr(state, name) for state in states])
        for name in ("initial", "updated")
    )
    least = min(state.updated - state.initial for state in states)
    found = np.mean([state.found for state in states])
    return f"{before:.3f} → {after:.3f} (≥ {least:+.3f}); {found:.0f}"


def rivals_table(
    found: Mapping[tuple[str, str], Sequence[list[State]]],
) -> Iterator[str]:
    """What every method finds with our update, in Markdown.

    Args:
        found: case and method to the reviews of its seeds.
    """
    methods = list(dict.fromkeys(method for _, method in found))
    yield "| faults found in 1 %, 5 % checked | " + " | ".join(methods) + " |"
    yield "|---" * (len(methods) + 1) + "|"
    for case in dict.fromkeys(case for case, _ in found):
        cells = []
        for method in methods:
            runs = found[case, method]
            counts = [
                np.mean([run[mark].found for run in runs]) for mark in (1, len(MARKS))
            ]
            least = min(s.updated - s.initial for run in runs for s in run)
            cells.append(f"{counts[0]:.0f}, {counts[1]:.0f} ({least:+.3f})")
        yield f"| {case} | " + " | ".join(cells) + " |"


def estimate_table(reviews: Sequence[Review]) -> Iterator[str]:
    """The estimated number of faults beside the truth, in Markdown."""
    yield "| case | wrong verdicts | faults | before | after 1 % | after 5 % | inside |"
    yield "|---|---|---|---|---|---|---|"
    for review in reviews:
        cells = [review.case, f"{review.wrong:.0%}", f"{np.mean(review.faults):.0f}"]
        inside = []
        for mark in range(len(MARKS) + 1):
            estimates = [run[mark].estimate for run in review.ours]
            count, low, high = (
                np.mean([getattr(each, name) for each in estimates])
                for name in ("count", "low", "high")
            )
            cells.append(f"{count:.0f} ({low:.0f} to {high:.0f})")
            inside += [
                each.low <= faults <= each.high
                for each, faults in zip(estimates, review.faults)
            ]
        yield "| " + " | ".join([*cells, f"{sum(inside)} of {len(inside)}"]) + " |"
