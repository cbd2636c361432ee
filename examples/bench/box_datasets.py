"""FiftyOne datasets of objects and a detector's predictions."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np

from bench.boxes import KINDS, Objects, Predictions

FIELD, PREDICTED = "boxes", "predictions"


def add_samples(dataset: Any, given: Objects, found: Predictions) -> None:
    """Adds a sample for each image.

    The objects are in ``boxes`` in the order of the arrays, with the attributes ``row``
    and ``fault``, the kind; those of the detector in ``predictions``, with ``row``.
    """
    mine = _by_image(given.images, len(given.paths))
    theirs = make_predictions(given, found)
    samples = []
    for path, some, predictions in zip(given.paths, mine, theirs):
        boxes = [
            fo.Detection(
                label=given.names[given.labels[n]],
                bounding_box=given.boxes[n].tolist(),
                row=int(n),
                fault=KINDS[given.kinds[n]] if given.kinds[n] >= 0 else None,
            )
            for n in some
        ]
        sample = fo.Sample(filepath=path)
        sample[FIELD] = fo.Detections(detections=boxes)
        sample[PREDICTED] = predictions
        samples.append(sample)
    dataset.add_samples(samples, progress=False)


def make_predictions(given: Objects, found: Predictions) -> list[fo.Detections]:
    """The predictions of each image, with ``row``."""
    return [
        fo.Detections(
            detections=[
                fo.Detection(
                    label=given.names[found.labels[n]],
                    bounding_box=found.boxes[n].tolist(),
                    confidence=float(found.confidence[n]),
                    row=int(n),
                )
                for n in some
            ]
        )
        for some in _by_image(found.images, len(given.paths))
    ]


def _by_image(images: np.ndarray, count: int) -> list[np.ndarray]:
    """The rows of each image."""
    order = np.argsort(images, kind="stable")
    return np.split(order, np.searchsorted(images[order], np.arange(1, count)))
