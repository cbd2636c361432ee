"""Boxes judged by a detector's predictions: read, scored, and made into results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

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
            found = _by_predictions(given, predicted, context.settings.seed)
            return make_scores(context, samples, found)


@dataclass(frozen=True)
class Judged:
    """What was scored, and the scores.

    Attributes:
        given: the boxes.
        predicted: the predictions, with a class each, one of the names.
        names: of the classes.
        scores: of both.
    """

    given: Found
    predicted: Found
    names: list[str]
    scores: BoxScores


def apart_from_crowds(given: Found) -> tuple[Found, Boxes]:
    """The boxes of single objects, and those of crowds.

    Raises:
        InputError: if all are of crowds.
    """
    crowds = Boxes(given.images[given.crowds], given.boxes[given.crowds])
    single = given.take(np.flatnonzero(~given.crowds))
    if not single.ids:
        raise InputError("all boxes are marked as crowds (iscrowd); none can be scored")
    return single, crowds


def without_crowds(scores: BoxScores, predicted: Boxes, crowds: Boxes) -> BoxScores:
    """The scores where nothing is missing under a crowd."""
    outside = covered(predicted, crowds) <= 0.5  # most of the prediction is elsewhere
    return replace(scores, missing=np.where(outside, scores.missing, 0.0))


def number_labels(given: Found, names: list[str]) -> np.ndarray:
    """Int64 (N,), the labels' positions in the names; one more where there is none."""
    number: dict[str | None, int] = {name: n for n, name in enumerate(names)}
    number[None] = len(names)
    return np.array([number[name] for name in given.labels], np.int64)


def _by_predictions(given: Found, predicted: Found, seed: int) -> Judged:
    given, crowds = apart_from_crowds(given)
    where = Boxes(given.images, given.boxes)
    there = Boxes(predicted.images, predicted.boxes)
    seen, notes = _renamed(given, predicted, where, there)
    names = sorted({*seen, *(name for name in given.labels if name is not None)})
    number = {name: n for n, name in enumerate(names)}
    scores = score_boxes(
        where,
        number_labels(given, names),
        there,
        np.array([number[name] for name in seen], np.int64),
        predicted.confidence,
        seed=seed,
    )
    scores = without_crowds(scores, there, crowds)
    scores = replace(scores, notes=(*notes, *scores.notes))
    return Judged(given, replace(predicted, labels=[*seen]), names, scores)


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


def make_scores(
    context: ScoringContext,
    samples: list[str],
    judged: Judged,
    unreadable: Mapping[str, str] = MappingProxyType({}),
) -> tuple[ScoredItems, Scores]:
    """The scores of the labelled objects of the view, in their order.

    Args:
        context: what is scored.
        samples: ids, whose positions are the images.
        judged: the objects of all these samples.
        unreadable: id of an object that was left out to the reason; the others were
            left out as crowds.
    """
    labelled, scores = context.labelled, judged.scores
    place = {one: n for n, one in enumerate(judged.given.ids)}
    kept = [n for n, one in enumerate(labelled.ids) if one in place]
    left_out = {
        one: unreadable.get(one, CROWD) for one in labelled.ids if one not in place
    }
    if not kept:
        raise InputError(
            f"none of the {len(labelled.ids)} objects can be scored: "
            f"{next(iter(left_out.values()))}"
        )
    rows = np.array([place[labelled.ids[n]] for n in kept])
    number = {name: n for n, name in enumerate(judged.names)}
    given = [labelled.classes[k] for k in labelled.labels.training_labels[kept]]
    gaps, seen = scores.gaps, judged.predicted
    names = [*given, *(str(seen.labels[n]) for n in gaps)]
    better = np.concatenate([scores.better[rows], seen.boxes[gaps]])
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
        unreadable={**labelled.unreadable, **left_out},
    )
    return items, scores.take(rows, gaps, len(judged.names))
