"""Whether what our scores say is true: probabilities, numbers, suggestions, reasons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.methods import Subject
from fiftyone_dfaulo.engine.feedback.estimate import estimate_faults
from fiftyone_dfaulo.engine.method.reasons import REASONS
from fiftyone_dfaulo.engine.scores import Scores

EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
"""Where the bins of the suspiciousness begin; the last one ends at 1."""


@dataclass(frozen=True)
class Truth:
    """What came of one run of ours.

    Attributes:
        faults: how many there are.
        estimated: how many a review shows before any verdict.
        low: the lower end of its interval.
        high: the upper end.
        bins: float (6, 3); by :data:`EDGES`, the sums of the suspiciousness and of the
            faults, and the number of samples.
        suggested: share of wrong labels whose suggestion is the true class; NaN where
            there is none.
        argmax: the same of the network's likeliest class.
        reasons: int (R, 3); by reason, the number of samples that have it, and of
            wrong labels and of foreign images among them.
    """

    faults: int
    estimated: float
    low: float
    high: float
    bins: np.ndarray
    suggested: float
    argmax: float
    reasons: np.ndarray


def look(subject: Subject, scores: Scores) -> Truth:
    """Compares scores with the truth."""
    case = subject.case
    wrong, foreign = case.faults & (case.truth >= 0), case.faults & (case.truth < 0)
    bin_of = np.digitize(scores.suspiciousness, EDGES) - 1
    bins = [
        [
            scores.suspiciousness[bin_of == n].sum(),
            case.faults[bin_of == n].sum(),
            (bin_of == n).sum(),
        ]
        for n in range(len(EDGES))
    ]
    unchecked = np.full(len(case.faults), -1, np.int8)
    estimate = estimate_faults(scores.suspiciousness, unchecked)
    return Truth(
        faults=int(case.faults.sum()),
        estimated=estimate.count,
        low=estimate.low,
        high=estimate.high,
        bins=np.array(bins),
        suggested=_share(scores.suggestion == case.truth, wrong),
        argmax=_share(subject.outputs.logits.argmax(1) == case.truth, wrong),
        reasons=np.array(
            [
                [r.sum(), (r & wrong).sum(), (r & foreign).sum()]
                for r in scores.reasons.T
            ]
        ),
    )


def _share(right: np.ndarray, among: np.ndarray) -> float:
    return float(right[among].mean()) if among.any() else float("nan")


def tables(found: Mapping[str, Sequence[Truth]]) -> Iterator[str]:
    """Three tables in Markdown.

    Args:
        found: case to what came of its seeds.
    """
    shown = "estimated, by seed | interval holds | suggestion right | argmax right"
    yield f"| case | faults | {shown} |"
    yield "|---|---|---|---|---|---|"
    for case, seeds in found.items():
        each = ", ".join(f"{seed.estimated:.0f}" for seed in seeds)
        held = sum(seed.low <= seed.faults <= seed.high for seed in seeds)
        each += f" | {held} of {len(seeds)}"
        shares = [
            np.mean([getattr(seed, name) for seed in seeds])
            for name in ("suggested", "argmax")
        ]
        cells = ["" if np.isnan(share) else f"{share:.3f}" for share in shares]
        faults = f"{np.mean([seed.faults for seed in seeds]):.0f}"
        yield f"| {case} | {faults} | {each} | " + " | ".join(cells) + " |"
    yield ""
    yield "| case | " + " | ".join(f"from {edge}" for edge in EDGES) + " | ECE |"
    yield "|---" * (len(EDGES) + 2) + "|"
    for case, seeds in found.items():
        total = np.sum([seed.bins for seed in seeds], axis=0)
        cells = [
            *(_reliability(*row) for row in total),
            f"{calibration_error(total):.4f}",
        ]
        yield f"| {case}: mean suspiciousness, faults | " + " | ".join(cells) + " |"
    yield ""
    yield "| reason | samples | wrong labels | foreign images |"
    yield "|---|---|---|---|"
    totals: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(3, int))
    for seeds in found.values():
        for seed in seeds:
            for name, row in zip(REASONS, seed.reasons, strict=True):
                totals[name] = totals[name] + row
    for name, (count, wrong, foreign) in totals.items():
        shares = [f"{part / max(count, 1):.0%}" for part in (wrong, foreign)]
        yield f"| {name} | {count} | " + " | ".join(shares) + " |"


def calibration_error(bins: np.ndarray) -> float:
    """Expected calibration error: how far means and shares are apart, by samples.

    Args:
        bins: (B, 3), as :attr:`Truth.bins`.
    """
    sums, faults, counts = bins.T
    return float(np.abs(sums - faults).sum() / counts.sum())


def _reliability(suspiciousness: float, faults: float, count: float) -> str:
    if not count:
        return ""
    return f"{suspiciousness / count:.2f}, {faults / count:.2f} ({count:.0f})"
