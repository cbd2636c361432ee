"""How often an audit's interval holds the truth, and how wide it is.

    PYTHONPATH=examples python -m bench.audits FOLDER CACHE [START OF A NAME]

The cases are those of :mod:`bench.counts`. In each, a hundred audits of 100 items are
drawn and checked without mistakes. Beside them stands a plain random sample of as many,
with the interval of its beta posterior (Jeffreys's prior). *Off* is the expected
calibration error of the unchecked, in 15 parts of equal size, before and after
learning from the audit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.stats import beta

from bench.counts import NumberCase, read, score
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.feedback.audit import (
    draw,
    estimate_by_audit,
    shift_to_audit,
    strata,
)
from fiftyone_dfaulo.engine.feedback.learning import shifted

SIZE, TIMES = 100, 100


def off(scores: np.ndarray, faults: np.ndarray) -> float:
    """The expected calibration error."""
    parts = np.array_split(np.argsort(scores, kind="stable"), 15)
    wrong = [len(n) * abs(scores[n].mean() - faults[n].mean()) for n in parts]
    return float(sum(wrong)) / len(scores)


def audit(case: NumberCase) -> np.ndarray:
    """Float (TIMES, 6): the ends of our interval, and of the plain sample's; off."""
    initial = score(case, Settings())
    stratum, total = strata(initial), len(initial)
    size = min(SIZE, total)
    ends = np.empty((TIMES, 6))
    for number in range(TIMES):
        rng = np.random.default_rng(number)
        drawn = np.zeros(total, bool)
        drawn[draw(stratum, drawn, size, rng)] = True
        verdicts = np.where(drawn, case.faults, -1)
        found = estimate_by_audit(initial, drawn, verdicts)
        assert found is not None
        learned = shifted(initial, shift_to_audit(initial, verdicts, found))
        errors = [off(one[~drawn], case.faults[~drawn]) for one in (initial, learned)]
        faulty = int(case.faults[rng.choice(total, size, replace=False)].sum())
        share = beta.ppf([0.05, 0.95], faulty + 0.5, size - faulty + 0.5)
        plain = faulty + share * (total - size)
        ends[number] = found.low, found.high, *plain, *errors
    return ends


def main() -> None:
    """Prints a line for each case."""
    folder, cache = map(Path, sys.argv[1:3])
    for name, case in read(folder, cache, sys.argv[3] if len(sys.argv) > 3 else ""):
        ends, faults = audit(case), int(case.faults.sum())
        low, high, plain_low, plain_high, before, after = ends.T
        held = int(((low <= faults) & (faults <= high)).sum())
        plain = int(((plain_low <= faults) & (faults <= plain_high)).sum())
        print(
            f"{name:38} {faults:5} holds {held:3}, width {np.median(high - low):6.0f}; "
            f"plain: holds {plain:3}, width {np.median(plain_high - plain_low):6.0f}; "
            f"off {before.mean():.3f}, {after.mean():.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
