"""How time and memory of scoring grow with samples and classes.

Embeddings are drawn around a centre for each class, with 5 % wrong labels. Each case
is a process of its own, so that its peak memory is its own. It holds the embeddings;
nothing is read from a database or written to it.

    PYTHONPATH=examples python -m bench.growth [--width 512] 10000x100 100000x1000 ...
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
from sklearn.metrics import average_precision_score

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.method import single_label

SPREAD = 5.0  # of a class in each direction; centres spread by 1
AT_ONCE = 50_000  # embeddings that are drawn together


def draw(
    count: int, width: int, num_classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings float32 (N, D), labels, and which of these are wrong."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, num_classes, count)
    centres = rng.standard_normal((num_classes, width), np.float32)
    embeddings = np.empty((count, width), np.float32)
    for start in range(0, count, AT_ONCE):
        block = embeddings[start : start + AT_ONCE]
        rng.standard_normal(block.shape, np.float32, block)
        block *= SPREAD
        block += centres[truth[start : start + AT_ONCE]]
    faults = rng.random(count) < 0.05
    moved = truth + rng.integers(1, num_classes, count)
    return embeddings, np.where(faults, moved % num_classes, truth), faults


def measure(count: int, width: int, num_classes: int) -> str:
    """A row of the table."""
    embeddings, labels, faults = draw(count, width, num_classes)
    before, start = time.process_time(), time.perf_counter()
    scores = single_label.score(
        embeddings, labels, points=embeddings, settings=Settings()
    )
    seconds = time.perf_counter() - start
    busy = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    precision = average_precision_score(faults, scores.suspiciousness)
    share = scores.estimated_faults / faults.sum()
    return (
        f"| {count:,} | {num_classes:,} | {seconds:.0f} | {busy:.0f} | {peak:.1f} | "
        f"{precision:.3f} | {share:.2f} |"
    )


def main() -> None:
    """Prints a table of all cases."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--one", action="store_true", help="here, without the head")
    parser.add_argument("cases", nargs="+", help="samples x classes")
    options = parser.parse_args()
    if options.one:
        count, num_classes = map(int, options.cases[0].split("x"))
        print(measure(count, options.width, num_classes), flush=True)
        return
    print("| samples | classes | s | CPU s | GiB | AP | counted / faults |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for case in options.cases:
        again = [sys.executable, "-m", "bench.growth", "--one", case]
        subprocess.run([*again, "--width", str(options.width)], check=True)


if __name__ == "__main__":
    main()
