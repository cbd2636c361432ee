"""How long each step of a review takes on a large dataset."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fiftyone as fo
import numpy as np

import fiftyone_dfaulo as dfaulo
from fiftyone_dfaulo.adapter.reviewing import load_results, open_review
from fiftyone_dfaulo.engine.ranking import learn
from fiftyone_dfaulo.plugin.review_facts import read_facts

MARKED = 500
WIDTH = 16


@contextmanager
def large_run(count: int, num_classes: int) -> Iterator[tuple[Any, np.ndarray]]:
    """A dataset with a run, and whether each sample's label is wrong; then deleted.

    5 % of the labels are wrong; half of these are labels of the first class on samples
    of the second, so that there is something to learn. There are no images.
    """
    rng = np.random.default_rng(0)
    truth = rng.integers(0, num_classes, count)
    centres = 1.5 * rng.normal(size=(num_classes, WIDTH))
    embeddings = (rng.normal(size=(count, WIDTH)) + centres[truth]).astype(np.float32)
    labels = truth.copy()
    wrong = rng.random(count) < 0.025
    labels[wrong] = (truth[wrong] + rng.integers(1, num_classes, wrong.sum())) % (
        num_classes
    )
    leaked = rng.choice(np.flatnonzero(truth == 1), int(0.025 * count), replace=False)
    labels[leaked] = 0
    dataset = fo.Dataset()
    try:
        samples = [
            fo.Sample(f"{n}.png", ground_truth=fo.Classification(label=f"{k:03d}"))
            for n, k in enumerate(labels)
        ]
        dataset.add_samples(samples, progress=False)
        dfaulo.compute_suspiciousness(dataset, embeddings=embeddings, progress=False)
        yield dataset, labels != truth
    finally:
        dataset.delete()


def measure(count: int, num_classes: int) -> None:
    """Goes through a review and prints a line for each step."""
    print(f"{count:,} samples, {num_classes} classes", flush=True)
    with large_run(count, num_classes) as (dataset, faults):
        _review(dataset, faults)


def _review(dataset: Any, faults: np.ndarray) -> None:
    ids = np.array(dfaulo.suspicious_view(dataset, limit=MARKED).values("id"))
    wrong = dict(zip(dataset.values("id"), faults.tolist()))
    is_fault = np.array([wrong[one] for one in ids])

    def timed(name: str, step: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        found = step()
        print(f"{name}: {time.perf_counter() - start:.2f} s", flush=True)
        return found

    def record(faulty: Any, correct: Any, cleared: Any = ()) -> Any:
        return dfaulo.record_verdicts(
            dataset, faulty=faulty, correct=correct, cleared=cleared
        )

    def show() -> Any:
        return read_facts(dataset, "dfaulo", 50)

    before = dataset.values("dfaulo_suspiciousness")
    timed("open the panel", show)
    timed(f"record {MARKED} verdicts", lambda: record(ids[is_fault], ids[~is_fault]))
    timed("read the panel's facts again", show)
    results = load_results(open_review(dataset, "dfaulo"))
    verdicts = np.full(len(results.ids), -1, np.int8)
    row = {one: n for n, one in enumerate(results.ids)}
    verdicts[[row[one] for one in ids]] = is_fault
    given = (results.suspiciousness, verdicts, results.suggestions, results.labels)
    timed("learn: computing alone", lambda: learn(*given))
    timed("learn", lambda: dfaulo.update_suspiciousness(dataset))
    after = dataset.values("dfaulo_suspiciousness")
    moved = sum(a != b for a, b in zip(before, after))
    print(f"learning changed {moved:,} scores", flush=True)
    timed("learn, nothing new", lambda: dfaulo.update_suspiciousness(dataset))
    timed("tag 5 %", lambda: dfaulo.tag_suspicious(dataset, fraction=0.05))
    done = timed("correct the faulty", lambda: dfaulo.apply_suggestions(dataset))
    back = timed("undo that", lambda: dfaulo.revert_suggestions(dataset))
    many = dfaulo.suspicious_view(dataset, limit=5_000).values("id")
    timed("correct 5,000", lambda: dfaulo.apply_suggestions(dataset, ids=many))
    timed("undo those", lambda: dfaulo.revert_suggestions(dataset))
    timed("clear all verdicts", lambda: record((), (), ids))
    timed("learn: the initial scores", lambda: dfaulo.update_suspiciousness(dataset))
    assert dataset.values("dfaulo_suspiciousness") == before
    assert done.applied == back.reverted
