"""Faults of boxes by a detector's predictions: wrong, misplaced, spurious, missing.

1. Given and predicted boxes are matched: :mod:`.matching`.
2. How far the detector can be trusted is learned from the data, cross-fitted by image,
   by :mod:`.trust`: its *recall* from given boxes that are matched or not, by size,
   neighbours and class; its *precision* from predictions that are matched or not, by
   confidence, size, class and whether a more confident one overlaps; its *class* from
   matches of one class or of two.
3. A given box that looks like boxes anywhere is *no such object*, and one that nothing
   matches was *counted twice*, or the detector has overlooked it (:mod:`.existence`). A
   matched one *looks like another class* if the detector says so, and is *misplaced* if
   it overlaps its prediction less than is usual (:mod:`.places`). A prediction that
   nothing matches is a *missing* object, or the detector's own fault.
4. A box around nothing, or the second one around a thing, has neither a class nor a
   place that could be wrong: these are likely only as far as an object of its own is.
5. A network may have taken a closer look at each box (:class:`.CloserLook`): whether
   anything is in it, and where. Then no predictions are needed, but for missing ones.
6. The suspiciousness of a given box is the probability that any of these is true.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_expit, logit

from fiftyone_dfaulo.engine.boxes.classes import ClassFaults, by_detector
from fiftyone_dfaulo.engine.boxes.existence import find_nothing
from fiftyone_dfaulo.engine.boxes.matching import Matching, match
from fiftyone_dfaulo.engine.boxes.overlaps import Boxes, overlap_with_better
from fiftyone_dfaulo.engine.boxes.places import find_displaced, find_misplaced
from fiftyone_dfaulo.engine.boxes.probes import CloserLook
from fiftyone_dfaulo.engine.boxes.reasons import (
    ANOTHER_CLASS,
    CLASS,
    DEEDS,
    DOUBLE,
    LEAST,
    MISSING,
    PLACE,
    REASONS,
    SPURIOUS,
    find_reasons,
)
from fiftyone_dfaulo.engine.boxes.trust import Trust, learn_trust
from fiftyone_dfaulo.engine.scores import Scores
from fiftyone_dfaulo.errors import InputError


@dataclass(frozen=True)
class BoxScores:
    """What a detector says of N given boxes, and of M predictions.

    Attributes:
        suspiciousness: float64 (N,), in [0, 1]: how likely anything about it is wrong.
        kinds: float64 (N, 4), in [0, 1]: how likely each of :data:`REASONS` is true,
            but the last. The last two, and either of the first, sum to at most 1.
        suggestion: int64 (N,), the class that the detector sees; the label's where it
            sees none.
        confidence: float64 (N,), in [0, 1]: how likely that class is right.
        partner: int64 (N,), the prediction that each is matched with; -1 for none.
        better: float64 (N, 4), where the object is seen; NaN where it is not.
        first: int64 (N,), the other box around the same thing; -1 for none.
        missing: float64 (M,), in [0, 1]: how likely an object is missing there; 0 for
            predictions that are matched.
        notes: plain sentences that a user should read with the result.
    """

    suspiciousness: np.ndarray
    kinds: np.ndarray
    suggestion: np.ndarray
    confidence: np.ndarray
    partner: np.ndarray
    better: np.ndarray
    first: np.ndarray
    missing: np.ndarray
    notes: tuple[str, ...] = ()

    def take(self, rows: np.ndarray, gaps: np.ndarray, classes: int) -> Scores:
        """Of some given boxes, and of some predictions where an object looks missing.

        Args:
            rows: int64 (R,), positions of given boxes.
            gaps: int64 (G,), positions of predictions.
            classes: how many classes there are, K.

        Returns:
            the scores of R + G items. Their ``suggestion`` is the class that the
            detector sees, below K; or K and more: :data:`ANOTHER_BOX`,
            :data:`NO_OBJECT` or :data:`MISSING_OBJECT` - 1 + K, where that is the
            likeliest fault, and at least as likely as :data:`LEAST`.
        """
        count = len(rows)
        kinds = np.zeros((count + len(gaps), len(REASONS)))
        kinds[:count, :MISSING] = self.kinds[rows]
        kinds[count:, MISSING] = self.missing[gaps]
        suspiciousness = np.append(self.suspiciousness[rows], self.missing[gaps])
        likeliest = kinds.max(1)
        deeds = np.where(likeliest >= LEAST, DEEDS[kinds.argmax(1)], ANOTHER_CLASS)
        of_class = deeds == ANOTHER_CLASS
        seen = np.append(self.suggestion[rows], np.full(len(gaps), -1))
        sure = np.append(self.confidence[rows], np.zeros(len(gaps)))
        return Scores(
            suspiciousness=suspiciousness,
            suggestion=np.where(of_class, seen, classes - 1 + deeds),
            confidence=np.where(of_class, sure, likeliest).astype(np.float32),
            reasons=find_reasons(kinds, suspiciousness),
            signals=kinds.astype(np.float32),
            signal_names=REASONS,
            near_duplicate_of=np.full(len(kinds), -1),
            estimated_faults=round(float(suspiciousness.sum())),
            notes=self.notes,
        )

    @property
    def gaps(self) -> np.ndarray:
        """Int64 (G,): the predictions where an object looks missing."""
        return np.flatnonzero(self.missing >= LEAST)

    def estimate(self) -> dict[str, float]:
        """How many faults of each of :data:`REASONS` there probably are."""
        sums = self.kinds.sum(0).tolist()
        return dict(zip(REASONS, [*sums, float(self.missing.sum())]))


def score_boxes(
    given: Boxes,
    labels: np.ndarray,
    predicted: Boxes,
    classes: np.ndarray | None,
    confidence: np.ndarray,
    *,
    class_faults: ClassFaults | None = None,
    closer: CloserLook | None = None,
    seed: int = 51,
) -> BoxScores:
    """Scores given boxes by predicted ones.

    Args:
        given: N boxes, at least 1.
        labels: int64 (N,), their classes, at least 0.
        predicted: M boxes, at least 1 without a closer look, in the same images; of
            images without any given box too, if these are known to be empty.
        classes: int64 (M,), of the same numbers; one that no label has is allowed. None
            if the detector tells no classes.
        confidence: float64 (M,), in [0, 1].
        class_faults: what else tells of the classes of the N boxes, if the detector
            tells none; None is nothing.
        closer: what a closer look at the N boxes has seen, if the detector tells no
            classes; None if there was none.
        seed: deals the images over the folds.

    Raises:
        InputError: if no given box overlaps any prediction.
    """
    one = classes is None
    called = np.zeros_like(labels) if one else labels
    seen = np.zeros(len(confidence), np.int64) if classes is None else classes
    found = match(given, predicted, called, seen)
    if closer is None and not len(found.pairs.iou):
        raise InputError(
            f"none of the {len(labels)} boxes overlaps any of the {len(seen)} "
            "predictions; are they of the same images, and both fractions of the "
            "image's size?"
        )
    sure = logit(np.clip(confidence, 1e-4, 1 - 1e-4))
    crowd = overlap_with_better(given, np.prod(given.boxes[:, 2:], 1))
    gone, double, first = find_nothing(
        given,
        labels,
        _features(given, crowd),
        found,
        predicted,
        confidence,
        seed,
        closer,
    )
    single = np.clip(1 - gone - double, 0.0, 1.0)
    kinds = np.zeros((len(labels), MISSING))
    kinds[:, SPURIOUS], kinds[:, DOUBLE] = gone, double
    rows = np.flatnonzero(found.partner >= 0)
    # what the detector says, not what may be wrong itself
    there = _features(predicted.take(found.partner[rows]), sure[found.partner[rows]])
    better = np.full((len(labels), 4), np.nan)
    better[rows] = predicted.boxes[found.partner[rows]]
    apart = np.zeros(len(labels))  # boxes apart may be of two objects
    if closer is None:
        apart[rows], kinds[rows, PLACE] = _place(
            found.iou[rows], there, given.images[rows], seed
        )
    else:
        kinds[:, PLACE] = find_displaced(given, closer, better, single, seed)
        better = np.where(np.isnan(better), closer.boxes, better)
    if classes is None:
        faults = class_faults or ClassFaults.none(labels)
        apart = kinds[:, PLACE]  # what such a box shows says nothing of its class
    else:
        faults = by_detector(labels, classes, found.partner, there, given.images, seed)
    kinds[:, CLASS] = faults.wrong * (1 - np.minimum(apart, 1.0))
    kept = (1 - kinds[:, CLASS]) * (1 - kinds[:, PLACE])
    suspiciousness = 1 - kept * single
    # what has no object of its own has neither a wrong class nor a wrong place
    kinds[:, [CLASS, PLACE]] *= single[:, None]
    return BoxScores(
        np.clip(suspiciousness, 0.0, 1.0),
        kinds,
        faults.seen,
        faults.right,
        found.partner,
        better,
        first,
        _missing(predicted, seen, sure, found, seed),
        tuple(_notes(called, seen, confidence, found)) if len(seen) else (),
    )


def _features(boxes: Boxes, *others: np.ndarray) -> np.ndarray:
    """The size, and other columns.

    The shape is left out: a box that is misplaced often has an odd one, and would be
    taken for an object that the detector is bad at.
    """
    size = np.log(np.maximum(boxes.boxes[:, 2:], 1e-6)).sum(1)
    return np.column_stack([size, *others])


def _precision(
    predicted: Boxes, classes: np.ndarray, sure: np.ndarray, found: Matching, seed: int
) -> Trust:
    """How far to trust predictions, by whether each is matched.

    What is seen where nothing is has low confidences. How steeply precision rises there
    shall not say how it rises to its upper end: so both ends have a slope of their own
    (Kull et al., "Beta calibration", AISTATS 2017).
    """
    twice = overlap_with_better(predicted, sure)
    low, high = log_expit(sure), -log_expit(-sure)
    return learn_trust(
        (found.given >= 0).astype(float),
        _features(predicted, low, high, twice),
        classes,
        predicted.images,
        seed,
    )


def _missing(
    predicted: Boxes, classes: np.ndarray, sure: np.ndarray, found: Matching, seed: int
) -> np.ndarray:
    """How likely an object without a box is where each prediction is.

    Not where an object that has a box is seen twice: as likely as the square of the
    overlap, as of two given boxes.
    """
    if not len(sure):
        return np.zeros(0)
    precision = _precision(predicted, classes, sure, found, seed)
    overlap = np.zeros(len(found.given))
    np.maximum.at(overlap, found.pairs.second, found.pairs.iou)
    return np.where(found.given < 0, precision.credit() * (1 - overlap**2), 0.0)


def _place(
    iou: np.ndarray, features: np.ndarray, images: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """How likely matched boxes differ in place, and by the label's fault."""
    if not len(iou):
        return np.zeros(0), np.zeros(0)
    away = find_misplaced(iou, features)
    trust = learn_trust(1 - away, features, np.zeros(len(iou), np.int64), images, seed)
    return away, away * trust.blame()


def _notes(
    labels: np.ndarray, classes: np.ndarray, confidence: np.ndarray, found: Matching
) -> list[str]:
    notes = []
    matched = int((found.partner >= 0).sum())
    if matched < len(labels) / 2:
        notes.append(
            f"Only {matched} of the {len(labels)} boxes are matched by a prediction: "
            "the detector finds few of these objects, or was not run on all images. "
            "Read the scores with care."
        )
    if len(np.unique(confidence)) == 1:
        notes.append(
            f"All predictions have the confidence {confidence[0]:.3g}: which of them "
            "to trust had to be told by size and class alone."
        )
    if lacking := len(np.setdiff1d(labels, classes)):
        notes.append(
            f"Classes that no prediction has: {lacking}. Whether labels of these are "
            "wrong could not be told."
        )
    return notes
