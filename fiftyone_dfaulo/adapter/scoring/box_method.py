"""Boxes judged by a detector's predictions: read, scored, and made into results."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fiftyone_dfaulo.adapter.reading.detections import (
    CROWD,
    Found,
    read_given,
    read_predicted,
)
from fiftyone_dfaulo.adapter.results.boxes import MissingObject
from fiftyone_dfaulo.adapter.scoring.features import (
    Method,
    ScoredItems,
    ScoringContext,
)
from fiftyone_dfaulo.adapter.storage.schema import MISSING
from fiftyone_dfaulo.adapter.targets.detector.labels import JudgedBoxes
from fiftyone_dfaulo.adapter.targets.detector.target import BoxTarget
from fiftyone_dfaulo.adapter.targets.label_edits import applied_id
from fiftyone_dfaulo.adapter.targets.labels import SCORING
from fiftyone_dfaulo.engine.boxes.classes import name_alike
from fiftyone_dfaulo.engine.boxes.matching import match
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, covered
from fiftyone_dfaulo.engine.boxes.scoring import BoxScores, score_boxes
from fiftyone_dfaulo.engine.scores import Scores
from fiftyone_dfaulo.errors import InputError

PREDICTIONS = "Reading predictions"


class BoxMethod(Method):
    """The predictions of a detector.

    Args:
        target: the objects.
        field: the field with the predictions.
    """

    stages = {PREDICTIONS: 20, SCORING: 20}

    def __init__(self, target: BoxTarget, field: str) -> None:
        self._target, self._field = target, field

    def score(self, context: ScoringContext) -> tuple[ScoredItems, Scores]:
        with context.stages.stage(PREDICTIONS):
            samples, given = read_given(self._target, context.samples)
            predicted = read_predicted(context.samples, self._field, samples)
        with context.stages.stage(SCORING):
            found = _score(given, predicted, context.settings.seed)
            return _results(context, samples, found)


@dataclass(frozen=True)
class _Judged:
    """What was scored, and the scores."""

    given: Found
    predicted: Found
    names: list[str]
    scores: BoxScores


def _score(given: Found, predicted: Found, seed: int) -> _Judged:
    """Scores all boxes but crowds, under which nothing is missing."""
    single = np.flatnonzero(~given.crowds)
    crowds = Boxes(given.images[given.crowds], given.boxes[given.crowds])
    given = given.take(single)
    if not given.ids:
        raise InputError("all boxes are marked as crowds (iscrowd); none can be scored")
    where = Boxes(given.images, given.boxes)
    there = Boxes(predicted.images, predicted.boxes)
    seen, notes = _renamed(given, predicted, where, there)
    names = sorted({*seen, *(name for name in given.labels if name is not None)})
    number = {name: n for n, name in enumerate(names)}
    labels = [len(names) if n is None else number[n] for n in given.labels]
    scores = score_boxes(
        where,
        np.array(labels, np.int64),
        there,
        np.array([number[name] for name in seen], np.int64),
        predicted.confidence,
        seed=seed,
    )
    outside = covered(there, crowds) <= 0.5  # most of the prediction is elsewhere
    scores = replace(
        scores,
        missing=np.where(outside, scores.missing, 0.0),
        notes=(*notes, *scores.notes),
    )
    return _Judged(given, replace(predicted, labels=[*seen]), names, scores)


def _renamed(
    given: Found, predicted: Found, where: Boxes, there: Boxes
) -> tuple[list[str], list[str]]:
    """The predictions' classes as the labels call them, and what to tell of it."""
    seen = [str(name) for name in predicted.labels]
    if set(seen) <= set(given.labels):
        return seen, []
    none = np.zeros(len(given.ids), np.int64), np.zeros(len(seen), np.int64)
    partner = match(where, there, *none).partner
    rows = [n for n in np.flatnonzero(partner >= 0) if given.labels[n] is not None]
    alike = name_alike(
        [str(given.labels[n]) for n in rows],
        [seen[partner[n]] for n in rows],
        [name for name in given.labels if name is not None],
    )
    notes = [
        f"The detector's class {old!r} is taken for {new!r}, which most of its matches "
        "are."
        for old, new in alike.items()
    ]
    return [alike.get(name, name) for name in seen], notes


def _results(
    context: ScoringContext, samples: list[str], judged: _Judged
) -> tuple[ScoredItems, Scores]:
    """The scores of the labelled objects of the view, in their order."""
    labelled, scores = context.labelled, judged.scores
    place = {one: n for n, one in enumerate(judged.given.ids)}
    kept = [n for n, one in enumerate(labelled.ids) if one in place]
    crowds = {one: CROWD for one in labelled.ids if one not in place}
    if not kept:
        raise InputError(
            f"none of the {len(labelled.ids)} objects can be scored: {CROWD}"
        )
    rows = np.array([place[labelled.ids[n]] for n in kept])
    number = {name: n for n, name in enumerate(judged.names)}
    given = [labelled.classes[k] for k in labelled.labels.training_labels[kept]]
    gaps, seen = scores.gaps, judged.predicted
    names = [*given, *(str(seen.labels[n]) for n in gaps)]
    partner = np.append(scores.partner[rows], gaps)
    better = np.full((len(names), 4), np.nan)
    better[partner >= 0] = seen.boxes[partner[partner >= 0]]
    listed = {int(n): str(applied_id(seen.ids[n], MISSING)) for n in gaps}
    missing = [
        MissingObject(
            samples[seen.images[n]],
            str(seen.labels[n]),
            tuple(seen.boxes[n].tolist()),
            float(scores.missing[n]),
            listed.get(n),
        )
        for n in np.flatnonzero(scores.missing > 0).tolist()
    ]
    numbers = np.array([number[name] for name in names], np.int64)
    labels = JudgedBoxes(judged.names, numbers, better, missing)
    items = ScoredItems(
        ids=[*(labelled.ids[n] for n in kept), *listed.values()],
        labels=labels,
        unlabeled=labelled.unlabeled,
        unreadable={**labelled.unreadable, **crowds},
    )
    return items, scores.take(rows, gaps, len(judged.names))
