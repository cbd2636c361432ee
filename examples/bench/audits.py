"""How often an audit's interval holds the truth, and how wide it is.

    PYTHONPATH=examples python -m bench.audits FOLDER CACHE [START OF A NAME]

The cases are those of :mod:`bench.counts`. In each, a hundred audits of 100 items are
drawn and checked without mistakes. Beside them stands a plain random sample of as many,
with the interval of its beta posterior (Jeffreys's prior).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.stats import beta

from bench.counts import NumberCase, read, score
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.feedback.audit import draw, estimate_by_audit, strata

SIZE, TIMES = 100, 100


def audit(case: NumberCase) -> np.ndarray:
    """Float (TIMES, 4): the ends of our interval, and of the plain sample's."""
    initial = score(case, Settings())
    stratum, total = strata(initial), len(initial)
    size = min(SIZE, total)
    ends = np.empty((TIMES, 4))
    for number in range(TIMES):
        rng = np.random.default_rng(number)
        drawn = np.zeros(total, bool)
        drawn[draw(stratum, drawn, size, rng)] = True
        found = estimate_by_audit(initial, drawn, np.where(drawn, case.faults, -1))
        assert found is not None
        faulty = int(case.faults[rng.choice(total, size, replace=False)].sum())
        share = beta.ppf([0.05, 0.95], faulty + 0.5, size - faulty + 0.5)
        ends[number] = found.low, found.high, *(faulty + share * (total - size))
    return ends


def main() -> None:
    """Prints a line for each case."""
    folder, cache = map(Path, sys.argv[1:3])
    for name, case in read(folder, cache, sys.argv[3] if len(sys.argv) > 3 else ""):
        ends, faults = audit(case), int(case.faults.sum())
        low, high, plain_low, plain_high = ends.T
        held = int(((low <= faults) & (faults <= high)).sum())
        plain = int(((plain_low <= faults) & (faults <= plain_high)).sum())
        print(
            f"{name:38} {faults:5} holds {held:3}, width {np.median(high - low):6.0f}; "
            f"plain: holds {plain:3}, width {np.median(plain_high - plain_low):6.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
