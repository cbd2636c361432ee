"""What checking samples does to the ranking and to the estimated number of faults.

    python examples/review.py pair.npz data.npz ...

Simulates reviewers who mark batches of 50 from the top by the truth, and some who mark
one in ten wrongly, and prints two Markdown tables. A file holds what a network made of
a dataset, and the truth: Z float (N, D), its embeddings; lg float (N, K), its logits;
y int (N,), the labels; f bool (N,), which of them are faults.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import dfaulo, paper
from fiftyone_dfaulo.engine.estimate import FaultEstimate, estimate_faults
from fiftyone_dfaulo.engine.ranking import learn
from fiftyone_dfaulo.engine.result import Scores

BATCH = 50
MARKS = (0.01, 0.05)
WRONG = (0.0, 0.1)
Update = Callable[[Scores, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class State:
    """Where a review stands; AP over the unchecked, by the truth."""

    initial: float
    updated: float
    estimate: FaultEstimate
    found: int


def learned(scores: Scores, verdicts: np.ndarray) -> np.ndarray:
    return learn(
        scores.signals,
        scores.signal_names,
        scores.suspiciousness,
        verdicts,
        scores.suggestion,
    )


def as_in_paper(scores: Scores, verdicts: np.ndarray) -> np.ndarray:
    """The paper's update, on our signals: a regression on the checked samples alone."""
    checked = np.flatnonzero(verdicts >= 0)
    return paper.update(
        scores.signals, scores.suspiciousness, checked, verdicts[checked] == 1
    )


def review(
    scores: Scores, faults: np.ndarray, update: Update, wrong: float, seed: int
) -> list[State]:
    """States before any verdict and at each of MARKS."""
    count = len(faults)
    said = faults ^ (np.random.default_rng(seed).random(count) < wrong)
    verdicts, current = np.full(count, -1, np.int8), scores.suspiciousness
    states = [look(scores, faults, verdicts, current)]
    for mark in (int(count * share) for share in MARKS):
        while (checked := int((verdicts >= 0).sum())) < mark:
            order = np.argsort(-np.where(verdicts < 0, current, -1.0), kind="stable")
            batch = order[: min(BATCH, mark - checked)]
            verdicts[batch] = said[batch]
            current = update(scores, verdicts)
        states.append(look(scores, faults, verdicts, current))
    return states


def look(
    scores: Scores, faults: np.ndarray, verdicts: np.ndarray, current: np.ndarray
) -> State:
    left = verdicts < 0
    return State(
        float(average_precision_score(faults[left], scores.suspiciousness[left])),
        float(average_precision_score(faults[left], current[left])),
        estimate_faults(scores.suspiciousness, verdicts, scores.suggestion),
        int(faults[~left].sum()),
    )


def ranking_row(name: str, wrong: float, ours: list[State], peer: list[State]) -> str:
    cells = [name, f"{wrong:.0%}"]
    for states in (ours, peer):
        cells += [f"{s.initial:.3f} → {s.updated:.3f} ({s.found})" for s in states[1:]]
    return "| " + " | ".join(cells) + " |"


def estimate_row(name: str, wrong: float, faults: int, states: list[State]) -> str:
    cells = [name, f"{wrong:.0%}", str(faults)]
    for each in (state.estimate for state in states):
        outside = "" if each.low <= faults <= each.high else " ✗"
        cells.append(f"{each.count:.0f} ({each.low:.0f} to {each.high:.0f}){outside}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.npz")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rankings, estimates = [], []
    for path in options.files:
        with np.load(path, allow_pickle=False) as arrays:
            embeddings, logits, labels, faults = (
                arrays[k] for k in ("Z", "lg", "y", "f")
            )
        settings = Settings(seed=options.seed)
        scores = dfaulo.score(embeddings, labels, logits=logits, settings=settings)
        for wrong in WRONG:
            ours = review(scores, faults, learned, wrong, options.seed)
            peer = review(scores, faults, as_in_paper, wrong, options.seed)
            rankings.append(ranking_row(path.stem, wrong, ours, peer))
            estimates.append(estimate_row(path.stem, wrong, int(faults.sum()), ours))
    print("| case | wrong verdicts | learned, 1 % | 5 % | paper's update, 1 % | 5 % |")
    print("|---|---|---|---|---|---|", *rankings, sep="\n", end="\n\n")
    print("| case | wrong verdicts | faults | before | after 1 % | after 5 % |")
    print("|---|---|---|---|---|---|", *estimates, sep="\n")


if __name__ == "__main__":
    main()
