"""What the detector that a run has trained sees, for methods that need predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from bench.boxes import Objects, Predictions
from fiftyone_dfaulo.adapter.scoring.boxes import trained
from fiftyone_dfaulo.adapter.scoring.boxes.method import Judged
from fiftyone_dfaulo.adapter.scoring.features import ScoredItems, ScoringContext
from fiftyone_dfaulo.engine.boxes.matching import assign
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, find_pairs
from fiftyone_dfaulo.engine.scores import Scores

NOTHING = Predictions(*(np.zeros(0, int) for _ in range(5)))
"""No predictions."""


@contextmanager
def watching() -> Iterator[list[Judged]]:
    """Collects what runs with ``predictions="auto"`` compare the boxes with."""
    seen: list[Judged] = []
    make = trained.make_scores

    def keep(
        context: ScoringContext,
        samples: list[str],
        judged: Judged,
        unreadable: Mapping[str, str],
    ) -> tuple[ScoredItems, Scores]:
        seen.append(judged)
        return make(context, samples, judged, unreadable)

    trained.make_scores = keep  # type: ignore[assignment]
    try:
        yield seen
    finally:
        trained.make_scores = make


def as_predictions(judged: Judged, true: Objects) -> Predictions:
    """The predictions of the trained detector, made out of sample.

    Their class is what models see that were not trained on the object, where a box is
    given, else the class of the network on crops. A prediction is of the true object
    that it is matched with at an overlap of .5 or more.
    """
    found = judged.predicted
    names = list(map(str, found.labels))
    for row, partner in enumerate(judged.scores.partner.tolist()):
        if partner >= 0:
            names[partner] = judged.names[judged.scores.suggestion[row]]
    there = Boxes(found.images, found.boxes)
    pairs = find_pairs(Boxes(true.images, true.boxes), there)
    near = np.where(pairs.iou >= 0.5, pairs.iou, 0.0)
    chosen = assign(pairs, near, (len(true.labels), len(names)))
    of = np.full(len(names), -1)
    of[pairs.second[chosen]] = pairs.first[chosen]
    labels = np.array([true.names.index(name) for name in names])
    return Predictions(found.images, found.boxes, labels, found.confidence, of)
