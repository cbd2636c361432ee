"""Every method on every case: a table, a JSON file, and a plot of precision."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil

from bench.methods import CHANCE, METHODS, OURS, Subject
from fiftyone_dfaulo.engine.feedback.metrics import evaluate

SHOWN = ("AP", "ROC-AUC", "APFD", "RAUC", "POBL 5%", "POBL 10%", "seconds", "MiB")
POINTS = 200


@dataclass(frozen=True)
class Measurement:
    """One method on one case with one seed.

    Attributes:
        case: name without the seed.
        method: a key of :data:`bench.methods.METHODS`.
        seed: the seed.
        figures: metric to value; ``seconds`` and ``MiB`` (the most memory held beyond
            what was held before) are those of the method alone, after the network's.
        precision: share of faults among the first n reviewed, for n in ``reviewed``.
        reviewed: the numbers n.
    """

    case: str
    method: str
    seed: int
    figures: dict[str, float]
    precision: list[float]
    reviewed: list[int]


def measure(name: str, method: str, subject: Subject) -> Measurement:
    """Runs a method."""
    with _Memory() as memory:
        start = time.perf_counter()
        scores = METHODS[method](subject)
        seconds = time.perf_counter() - start
    faults = subject.case.faults
    found = np.cumsum(faults[np.argsort(-scores, kind="stable")])
    last = min(len(faults), 3 * int(faults.sum()))
    reviewed = np.unique(np.linspace(1, last, POINTS).astype(int))
    return Measurement(
        case=name,
        method=method,
        seed=subject.seed,
        figures={
            **evaluate(scores, faults),
            "seconds": seconds,
            "MiB": memory.most / 1024**2,
        },
        precision=(found[reviewed - 1] / reviewed).round(4).tolist(),
        reviewed=reviewed.tolist(),
    )


class _Memory:
    """The most bytes held beyond what was held at the start, looked at often."""

    def __enter__(self) -> _Memory:
        self.most, self._process = 0, psutil.Process()
        self._start, self._done = self._process.memory_info().rss, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.01):
            held = self._process.memory_info().rss - self._start
            self.most = max(self.most, held)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def write_json(measurements: Sequence[Measurement], path: Path) -> None:
    """All figures of all seeds."""
    rows = [asdict(measurement) for measurement in measurements]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def tables(measurements: Sequence[Measurement]) -> Iterator[str]:
    """AP of every method on every case; then all figures, averaged over cases."""
    cases = list(dict.fromkeys(m.case for m in measurements))
    names = list(dict.fromkeys(m.method for m in measurements))
    values: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for each in measurements:
        for figure, value in each.figures.items():
            values[each.method, each.case, figure].append(value)

    yield "| AP, mean (spread over seeds) | " + " | ".join(names) + " |"
    yield "|---" * (len(names) + 1) + "|"
    for case in cases:
        cells = [_mean(values[name, case, "AP"]) for name in names]
        yield f"| {case} | " + " | ".join(cells) + " |"
    macro = [np.mean([np.mean(values[n, case, "AP"]) for case in cases]) for n in names]
    yield "| **all** | " + " | ".join(f"{value:.3f}" for value in macro) + " |"
    yield ""
    yield "| mean over cases | " + " | ".join(SHOWN) + " |"
    yield "|---" * (len(SHOWN) + 1) + "|"
    for name in names:
        row = [np.mean([np.mean(values[name, c, s]) for c in cases]) for s in SHOWN]
        marks = [f"{v:.3f}" for v in row[:-2]] + [f"{row[-2]:.1f}", f"{row[-1]:.0f}"]
        yield f"| {name} | " + " | ".join(marks) + " |"


def _mean(values: Sequence[float]) -> str:
    spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def plot(measurements: Sequence[Measurement], folder: Path) -> None:
    """A picture for each case: precision against the number reviewed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    for case in dict.fromkeys(m.case for m in measurements):
        curves: dict[str, list[Measurement]] = defaultdict(list)
        for each in measurements:
            if each.case == case:
                curves[each.method].append(each)
        figure, axes = pyplot.subplots(figsize=(8, 5))
        for method, seeds in curves.items():
            length = min(len(seed.precision) for seed in seeds)
            mean = np.mean([seed.precision[:length] for seed in seeds], axis=0)
            width = 3 if method == OURS else 1
            line = ":" if method == CHANCE else "-"
            axes.plot(seeds[0].reviewed[:length], mean, line, lw=width, label=method)
        axes.set(
            xlabel="samples reviewed",
            ylabel="share of faults among them",
            title=case,
            ylim=(0, 1.02),
        )
        axes.legend(fontsize="small")
        figure.tight_layout()
        figure.savefig(folder / f"{case}.png", dpi=120)
        pyplot.close(figure)
