"""How long each step of a review takes on a large dataset."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fiftyone as fo
import numpy as np
from scipy.special import expit

import fiftyone_dfaulo as dfaulo
from fiftyone_dfaulo.adapter.results.single_label import SingleLabelResults
from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.adapter.runs.writer import write_run
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.feedback.learning import learn
from fiftyone_dfaulo.engine.method.reasons import REASONS
from fiftyone_dfaulo.plugin.panel.facts import read_facts

MARKED = 500
SUSPICIOUS = 0.05
"""Share of the samples that score high: half of them faults, half correct ones."""


@contextmanager
def large_run(count: int, num_classes: int) -> Iterator[tuple[Any, np.ndarray]]:
    """A dataset with a made-up run, and which samples are faults; then deleted.

    Faults are labels of the first class that look like the second, so that there is
    something to learn: what is suspicious otherwise is correct. There are no images.
    """
    rng = np.random.default_rng(0)
    labels = rng.integers(0, num_classes, count)
    suggestions = labels.copy()
    first = rng.permutation(np.flatnonzero(labels == 0))
    others = rng.permutation(np.flatnonzero(labels != 0))
    half = min(int(count * SUSPICIOUS / 2), len(first), len(others))
    faults = np.zeros(count, bool)
    faults[first[:half]] = True
    suggestions[first[:half]] = 1
    confused = others[:half]
    suggestions[confused] = (labels[confused] + 1) % num_classes
    odds = rng.normal(-3, 1.5, count)
    odds[suggestions != labels] = rng.normal(3, 1.5, 2 * half)
    names = [f"{n:03d}" for n in range(num_classes)]
    dataset = fo.Dataset()
    try:
        dataset.add_samples(
            [
                fo.Sample(f"{n}.png", ground_truth=fo.Classification(label=names[k]))
                for n, k in enumerate(labels)
            ],
            progress=False,
        )
        results = SingleLabelResults(
            dataset,
            DFauLoConfig("ground_truth", Settings().to_dict()),
            "dfaulo",
            ids=dataset.values("id"),
            labels=labels,
            classes=names,
            suspiciousness=expit(odds),
            suggestions=suggestions,
            confidence=rng.random(count, np.float32),
            reasons=rng.random((count, len(REASONS))) < SUSPICIOUS,
            reason_names=REASONS,
            signals=rng.random((count, 5), np.float32),
            signal_names=tuple("abcde"),
        )
        write_run(results)
        yield dataset, faults
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
        review = open_review(dataset, "dfaulo", "suspiciousness", "verdict")
        return read_facts(review, 50)

    before = dataset.values("dfaulo_suspiciousness")
    timed("open the panel", show)
    timed(f"record {MARKED} verdicts", lambda: record(ids[is_fault], ids[~is_fault]))
    timed("read the panel's facts again", show)
    results = open_review(dataset, "dfaulo").load_results()
    verdicts = np.full(len(results.ids), -1, np.int8)
    row = {one: n for n, one in enumerate(results.ids)}
    verdicts[[row[one] for one in ids]] = is_fault
    given = (results.suspiciousness, verdicts, *results.groups())
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
