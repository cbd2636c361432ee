"""The faults that a dataset has before any are planted: they are no false alarms."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import numpy as np

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.injection.evaluation import Evaluation
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.adapter.review.state.kept import read_state
from fiftyone_dfaulo.adapter.runs.lookup import list_runs
from fiftyone_dfaulo.engine.feedback import metrics
from fiftyone_dfaulo.errors import DFauLoError


class RealFaults(NamedTuple):
    """Faults that were there before.

    Attributes:
        known: how many were found in a review, and left out of the comparison.
        others: how many others there are, about.
        low: lower end of its 90 % interval.
        high: upper end.
    """

    known: int
    others: float
    low: float
    high: float


def known_faults(dataset: Dataset, label_field: str) -> set[str]:
    """Ids of the samples that reviews have found faulty, and that still are.

    Args:
        dataset: the dataset.
        label_field: the field whose labels the reviews are about.
    """
    found: set[str] = set()
    for key in list_runs(dataset):
        with suppress(DFauLoError):  # a run that lacks a field tells nothing
            review = open_review(dataset, key, "verdict")
            if review.config.label_field != label_field or review.target.frames:
                continue
            results = review.load_results()
            state = read_state(review, results)
            same = state.present & ~state.edited(results)
            rows = np.flatnonzero(same & (state.verdicts == 1))
            found |= {results.ids[row] for row in rows}
    return found


def count_in(found: Evaluation, results: DFauLoResults, known: int) -> None:
    """Has an evaluation of planted faults say what it is with the real ones.

    Args:
        found: the evaluation; gets ``real`` and ``with_real``.
        results: of the run that it is about.
        known: how many faults were known, and left out.
    """
    estimate, planted = results.estimate(), found["faults"] + known
    counts = (
        min(max(0.0, number - planted), found["samples"] - found["faults"])
        for number in (estimate.count, estimate.low, estimate.high)
    )
    found.real = RealFaults(known, *counts)
    found.with_real = metrics.with_unknown(found.found, found.real.others)
