"""Progress of a run: a stage's name, and the fraction done of the whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

Report = Callable[[str, float], None]
"""Called with the stage's name and the fraction of the whole run done, in [0, 1].

It may raise (for instance :class:`~fiftyone_dfaulo.errors.Cancelled`) to stop the run.
"""

StageReport = Callable[[float], None]
"""Called with the fraction of one stage done, in [0, 1]."""


def silent(stage: str, fraction: float) -> None:
    """A :data:`Report` that does nothing."""


def silent_stage(fraction: float) -> None:
    """A :data:`StageReport` that does nothing."""


def report_part(report: StageReport, position: int, count: int) -> StageReport:
    """What the part at a position calls, of a stage in ``count`` equal parts."""
    return lambda fraction: report((position + fraction) / count)


class Stages:
    """Turns the progress of each stage into that of the whole run, and times them.

    Args:
        weights: name to expected share of the run's time, in the order of the run;
            any positive numbers.
        report: called with the stage's name and the fraction of the whole.
    """

    def __init__(self, weights: Mapping[str, float], report: Report = silent) -> None:
        self._weights = dict(weights)
        self._report = report
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[StageReport]:
        """Runs one stage: yields the function to call with the fraction of it done."""
        total = sum(self._weights.values())
        names = list(self._weights)
        before = sum(self._weights[n] for n in names[: names.index(name)])

        def report(fraction: float) -> None:
            share = self._weights[name] * min(max(fraction, 0.0), 1.0)
            self._report(name, (before + share) / total)

        report(0.0)
        start = time.perf_counter()
        yield report
        self.seconds[name] = time.perf_counter() - start
        report(1.0)
