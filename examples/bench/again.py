"""What a second run gains by learning from the review of the first.

A simulated reviewer marks the most suspicious samples in batches of 50, by the truth or
with one verdict in ten wrong. All that are marked faulty are corrected, to the
suggested class; then the labels are scored again, with what the review tells and
without. Figures are of the samples that were not checked.

    PYTHONPATH=examples python -m bench.again FOLDER [START OF A NAME OF bench.counts]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

from bench.counts import SEEDS, NumberCase, makers
from bench.review import WRONG, check_until, learned
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.method.ensemble import fit_ensemble
from fiftyone_dfaulo.engine.method.single_label import score_labels
from fiftyone_dfaulo.engine.scores import Scores

CHECKED = (0.05, 0.1)


def score(case: NumberCase, labels: np.ndarray, before: np.ndarray) -> Scores:
    """Scores labels of which some were others before."""
    points = case.embeddings
    fitted = fit_ensemble(points, labels, points=points, settings=Settings())
    return score_labels(labels, fitted, before=before)


def review(
    first: Scores, case: NumberCase, share: float, wrong: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Verdicts int8 (N,) on a share of the samples, and the score that they teach."""
    count = len(case.labels)
    told = case.faults ^ (np.random.default_rng(seed).random(count) < wrong)
    verdicts = np.full(count, -1, np.int8)
    rank = partial(learned, first, case.labels, verdicts)
    mark, current = int(share * count), first.suspiciousness
    return verdicts, check_until(mark, verdicts, told, current, rank)


def measure(case: NumberCase, seed: int) -> Iterator[tuple[str, list[float]]]:
    """For each review: what it is, then faults left; AP and number, in three ways."""
    first = score(case, case.labels, case.labels)
    for share in CHECKED:
        for wrong in WRONG:
            verdicts, current = review(first, case, share, wrong, seed)
            left = verdicts < 0
            if not case.faults[left].any():
                continue
            corrected = np.where(verdicts == 1, first.suggestion, case.labels)
            plain = score(case, corrected, corrected)
            told = score(case, corrected, case.labels)
            row = [float(case.faults[left].sum())]
            for order, scores in (
                (current, first),
                (plain.suspiciousness, plain),
                (told.suspiciousness, told),
            ):
                row += [
                    float(average_precision_score(case.faults[left], order[left])),
                    float(scores.suspiciousness[left].sum()),
                ]
            yield f"{share:.0%}, {wrong:.0%}", row


def main() -> None:
    folder, start = Path(sys.argv[1]), "".join(sys.argv[2:3])
    print(
        "| case | checked, wrong verdicts | faults left | AP, first run | counted "
        "| AP, again | counted | AP, learning from it | counted |"
    )
    print("|---" * 9 + "|")
    for name in makers(folder):
        if not name.startswith(start):
            continue
        rows: dict[str, list[list[float]]] = {}
        for seed in SEEDS:
            case = makers(folder, seed)[name]()
            for what, row in measure(case, seed) if case.faults.any() else ():
                rows.setdefault(what, []).append(row)
        for what, found in rows.items():
            mean = np.mean(found, 0)
            cells = [f"{mean[0]:.0f}"]
            for ap, number in zip(mean[1::2], mean[2::2]):
                cells += [f"{ap:.3f}", f"{number:.0f}"]
            print("| " + " | ".join([name, what, *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
