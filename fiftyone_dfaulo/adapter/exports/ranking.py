"""The top of a ranking, as text and pictures show it."""

from __future__ import annotations

from typing import Any, NamedTuple

from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.views import most_suspicious
from fiftyone_dfaulo.adapter.runs.lookup import check_run_field
from fiftyone_dfaulo.adapter.targets.boxes import bounds, box_problem
from fiftyone_dfaulo.adapter.targets.object import ObjectTarget
from fiftyone_dfaulo.engine.images.decoding import Crop, Source


class Row(NamedTuple):
    """A sample or object of a run.

    Attributes:
        path: of the image file.
        source: the file, or the part of it that shows the object.
        given: the label; of several, all of them.
        seen: the class that it looks like instead.
        score: the suspiciousness, in [0, 1].
        reasons: why.
    """

    path: str
    source: Source
    given: str
    seen: str
    score: float
    reasons: list[str]


def top_rows(review: ReviewSession, limit: int) -> list[Row]:
    """The most suspicious items of what a review was opened with, the first first.

    Args:
        review: the review.
        limit: the most rows.

    Raises:
        InputError: if the view leaves out a field that is needed.
        RunError: if one was deleted.
    """
    target, names, samples = review.target, review.fields, review.samples
    check_run_field(samples, review.key, target, review.config.label_field)
    given, seen, shape = target.class_path, f"{names.suggestion}.label", "id"
    if isinstance(target, ObjectTarget):
        parts = ("label", names.suggestion, target.shape_name)
        given, seen, shape = map(target.tile_path, parts)
        if not target.shows_patches(samples):
            samples = target.narrow(samples, None)
    view = most_suspicious(samples, review.key, review.config, limit=limit)
    numbers = map(target.tile_path, (names.suspiciousness, names.reasons))
    columns = view.values(["filepath", given, seen, *numbers, shape])
    return [
        Row(
            path,
            _source(path, part),
            str(target.class_text(label)),
            str(suggestion),
            score,
            list(reasons or ()),
        )
        for path, label, suggestion, score, reasons, part in zip(*columns)
    ]


def _source(path: str, part: Any) -> Source:
    """An object's part of its image; all of it where that is no object, or no box."""
    if isinstance(part, str):  # the id of a sample
        return path
    box = part if part and not isinstance(part[0], list) else bounds(part)
    return path if box_problem(box) else Crop(path, tuple(box))
