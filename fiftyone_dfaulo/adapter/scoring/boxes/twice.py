"""Objects that were counted twice, told by their boxes alone, with any way to score."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from fiftyone_dfaulo.adapter.scoring.features import (
    Method,
    ScoredItems,
    ScoringContext,
)
from fiftyone_dfaulo.adapter.targets.object import ObjectTarget
from fiftyone_dfaulo.engine.boxes.doubles import with_doubles
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes
from fiftyone_dfaulo.engine.scores import Scores


class CountedTwice(Method):
    """Another way to score objects, and whether any was counted twice.

    Args:
        target: the objects, of a Detections field.
        classes: judges their classes.
    """

    def __init__(self, target: ObjectTarget, classes: Method) -> None:
        self._target, self._classes = target, classes
        self.stages = classes.stages

    def score(self, context: ScoringContext) -> tuple[ScoredItems, Scores]:
        items, scores = self._classes.score(context)
        objects = self._target.objects_in(context.samples)
        found = {one: (sample, box) for sample, one, _, _, box in objects}
        samples, boxes = zip(*(found[one] for one in items.ids))
        _, images = np.unique(samples, return_inverse=True)
        where = Boxes(images, np.array(boxes, float))
        labels = items.labels
        judged = with_doubles(cast(Scores, scores), where, labels.numbers)
        too_many = bool((judged.suggestion >= len(labels.classes)).any())
        return replace(items, too_many=too_many), judged
