"""Boxes judged by networks that are trained on them here.

1. Unless the boxes alone are to be judged, a detector is trained on some of the images,
   and looks at the others, in turn: is something there, and where? No box vouches for
   itself.
2. A second network learns from given boxes how an object lies in its box, and looks at
   each box, in turn as well: is something in it, and where exactly?
3. The classes are judged as without a detector, by what is in the boxes.
4. All of it is compared with what is given. Without a detector, nothing is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np

from fiftyone_dfaulo.adapter.reading.detections import Found, read_given
from fiftyone_dfaulo.adapter.results.compared import renumbered
from fiftyone_dfaulo.adapter.scoring.boxes.method import (
    Judged,
    apart_from_crowds,
    make_scores,
    number_labels,
    without_crowds,
)
from fiftyone_dfaulo.adapter.scoring.features import (
    Method,
    ScoredItems,
    ScoringContext,
)
from fiftyone_dfaulo.adapter.scoring.model_sources import TrainedNetwork
from fiftyone_dfaulo.adapter.scoring.request import LOOK
from fiftyone_dfaulo.adapter.targets.detector.labels import ClassesInBoxes
from fiftyone_dfaulo.adapter.targets.detector.target import BoxTarget
from fiftyone_dfaulo.adapter.targets.label_edits import applied_id
from fiftyone_dfaulo.engine.boxes.classes import ClassFaults
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes
from fiftyone_dfaulo.engine.boxes.probes import CloserLook
from fiftyone_dfaulo.engine.boxes.scoring import score_boxes
from fiftyone_dfaulo.engine.images.decoding import Crop
from fiftyone_dfaulo.engine.scores import Scores
from fiftyone_dfaulo.errors import InputError

READING = "Reading images"
DETECTING = "Training detectors"
LOOKING = "Looking at boxes"
COMPARING = "Comparing boxes"

LEAST_IMAGES = 3
"""With fewer, there is nothing that a detector could be trained on for each of them."""


class DetectorMethod(Method):
    """Networks trained here, and what judges classes without a detector.

    Args:
        target: the objects.
        classes: judges their classes.
        network: the network in it.
        detects: whether a detector looks for objects, those without a box too.
    """

    def __init__(
        self,
        target: BoxTarget,
        classes: Method,
        network: TrainedNetwork,
        *,
        detects: bool,
    ) -> None:
        self._target, self._classes, self._network = target, classes, network
        self._detects = detects
        detecting = {DETECTING: 800} if detects else {}
        seeing = {READING: 40, **detecting, LOOKING: 200}
        self.stages = {**seeing, **classes.stages, COMPARING: 20}

    def score(self, context: ScoringContext) -> tuple[ScoredItems, Scores]:
        samples, every = read_given(self._target, context.samples)
        given, crowds = apart_from_crowds(every)
        if len(samples) < LEAST_IMAGES:
            raise InputError(
                f"{len(samples)} images have labels in {self._target.label_field!r}, "
                f"too few to train on; it takes {LEAST_IMAGES}, and some hundred to be "
                "of use. Without predictions, the classes alone are judged"
            )
        paths = dict(zip(*context.samples.values(["id", "filepath"])))
        files = [paths[one] for one in samples]
        there, confidence, closer, damaged = _see(context, files, given, self._detects)
        unreadable = {
            one: damaged[image]
            for one, image in zip(given.ids, given.images.tolist())
            if image in damaged
        }
        given = given.take(np.flatnonzero(~np.isin(given.images, [*damaged])))
        names = sorted({name for name in given.labels if name is not None})
        labels = number_labels(given, names)
        faults, known, judged = self._judge_classes(context, given, names, labels)
        with context.stages.stage(COMPARING):
            scores = score_boxes(
                Boxes(given.images, given.boxes),
                labels,
                there,
                None,
                confidence,
                class_faults=faults,
                closer=closer,
                seed=context.settings.seed,
            )
            scores = without_crowds(scores, there, crowds)
            scores = replace(scores, notes=(*judged.notes, *scores.notes))
            classes = np.full(len(confidence), known[0])
            if len(known) > 1:
                gaps = np.flatnonzero(scores.missing > 0)
                places = zip(there.images[gaps], there.boxes[gaps].tolist())
                crops = [Crop(files[image], tuple(box)) for image, box in places]
                seen = self._network.classify(crops, context.settings)
                classes[gaps] = known[seen]
            called: list[str | None] = [names[n] for n in classes]
            predicted = _as_found(samples, there, called, confidence)
            compared = Judged(given, predicted, names, scores)
            items, done = make_scores(context, samples, compared, unreadable)
            return replace(items, neighbours=judged.neighbours_among(items.ids)), done

    def _judge_classes(
        self,
        context: ScoringContext,
        given: Found,
        names: list[str],
        labels: np.ndarray,
    ) -> tuple[ClassFaults, np.ndarray, _ClassesJudged]:
        """How likely each class is wrong, by what is in the box.

        Returns:
            of the boxes, the class faults; int64, positions in the names of the classes
            that can be told apart, or of the only one; and what more there is to tell.
        """
        number = {name: n for n, name in enumerate(names)}
        place = {one: n for n, one in enumerate(given.ids)}
        found, shown = ClassFaults.none(labels), context.labelled
        kept = [n for n, one in enumerate(shown.ids) if one in place]
        if not kept:
            return found, np.arange(len(names))[:1], _ClassesJudged()
        some = shown.labels.take(np.array(kept))
        if len(some.classes) < 2:
            return found, np.array([number[some.classes[0]]]), _ClassesJudged()
        single = shown._replace(
            ids=[shown.ids[n] for n in kept],
            paths=[shown.paths[n] for n in kept],
            labels=ClassesInBoxes(some.classes, some.numbers),
        )
        items, scores = self._classes.score(replace(context, labelled=single))
        known = np.array([number[name] for name in items.labels.classes])
        rows = [place[one] for one in items.ids]
        scores = cast("Scores", scores)
        found.wrong[rows] = scores.suspiciousness
        found.seen[rows] = known[scores.suggestion]
        found.right[rows] = scores.confidence
        return found, known, _ClassesJudged(items.ids, items.neighbours, scores.notes)


class _ClassesJudged(NamedTuple):
    """What judging the classes tells beside how likely they are wrong.

    Attributes:
        ids: of the objects that were compared with one another.
        neighbours: as of :class:`.features.ScoredItems`, among these.
        notes: plain sentences.
    """

    ids: Sequence[str] = ()
    neighbours: np.ndarray | None = None
    notes: Sequence[str] = ()

    def neighbours_among(self, ids: Sequence[str]) -> np.ndarray | None:
        """The neighbours as positions among these objects."""
        if self.neighbours is None:
            return None
        place = {one: n for n, one in enumerate(ids)}
        number = np.array([place.get(one, -1) for one in self.ids])
        return renumbered(self.neighbours, number)


class _Seen(NamedTuple):
    """What networks see in images that they were not trained on.

    Attributes:
        there: M boxes, by position of the file.
        confidence: float64 (M,), of these.
        closer: what is seen at the given boxes in files that can be read.
        damaged: position of the other files to the reason.
    """

    there: Boxes
    confidence: np.ndarray
    closer: CloserLook
    damaged: dict[int, str]


def _see(
    context: ScoringContext, files: Sequence[str], given: Found, detects: bool
) -> _Seen:
    """Trains networks on files and their boxes, and looks at them.

    Args:
        context: what is scored.
        files: all of them.
        given: their boxes, by position of the file.
        detects: whether a detector is trained as well; without one, M is 0.

    Raises:
        InputError: if too few can be read, or a detector sees nothing.
    """
    from fiftyone_dfaulo.engine.closeup.training import look_closer
    from fiftyone_dfaulo.engine.detector.training import (
        Detected,
        choose_side,
        detect_out_of_sample,
    )
    from fiftyone_dfaulo.engine.images.batches import decode_images

    settings = context.settings
    with context.stages.stage(READING) as report:
        images = decode_images(
            files,
            size=choose_side(given.boxes),
            workers=settings.workers,
            memory_budget=settings.memory_budget,
            report=report,
        )
        if len(images.index) < LEAST_IMAGES:
            first, reason = next(iter(images.unreadable.items()))
            raise InputError(
                f"{len(images.unreadable)} of {len(files)} labelled images could not "
                f"be read, and {len(images.index)} are too few to train on. The first "
                f"is {files[first]}: {reason}"
            )
        rows = np.flatnonzero(np.isin(given.images, images.index))
        if not len(rows):
            raise InputError("no image that can be read has a box")
    at = np.searchsorted(images.index, given.images[rows])
    boxes = Boxes(at, given.boxes[rows])
    found = Detected(Boxes(at[:0], given.boxes[:0]), np.zeros(0))
    if detects:
        with context.stages.stage(DETECTING) as report:
            found = detect_out_of_sample(
                images.pixels,
                boxes,
                settings=settings,
                work=context.work,
                report=report,
            )
        if not len(found.confidence):
            raise InputError(
                f"the detector that was trained here sees none of the {len(rows)} "
                f"objects: {len(images.index)} images are too few for it. With "
                f"predictions={LOOK!r}, the boxes alone are judged"
            )
    with context.stages.stage(LOOKING) as report:
        closer = look_closer(
            images.pixels, boxes, settings=settings, work=context.work, report=report
        )

    def in_files(some: Boxes) -> Boxes:
        return some._replace(images=images.index[some.images])

    return _Seen(
        in_files(found.boxes),
        found.confidence,
        closer._replace(empty=in_files(closer.empty)),
        images.unreadable,
    )


def _as_found(
    samples: Sequence[str], there: Boxes, classes: list[str | None], sure: np.ndarray
) -> Found:
    """Predictions as if they had been read; their ids are the same each time."""
    places = zip(there.images, there.boxes.tolist())
    ids = [
        str(applied_id(samples[image], DETECTING, str(box))) for image, box in places
    ]
    none = np.zeros(len(sure), bool)
    return Found(ids, there.images, there.boxes, classes, sure, none)
