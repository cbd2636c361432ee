"""A picture of the most suspicious samples, to look at without the App."""

from __future__ import annotations

import numbers
import os
from pathlib import Path
from typing import Any

from fiftyone_dfaulo.adapter.review.files import check_target, replace_file
from fiftyone_dfaulo.adapter.review.session import Review, check_of_samples, open_review
from fiftyone_dfaulo.adapter.review.views import suspicious_view
from fiftyone_dfaulo.adapter.runs.brain_run import check_run_field
from fiftyone_dfaulo.adapter.targets.multilabel import tag_text
from fiftyone_dfaulo.errors import InputError, RunError

MOST = 1_000
"""The most samples on one picture."""


def save_gallery(
    samples: Any,
    brain_key: str = "dfaulo",
    path: str | os.PathLike[str] = "gallery.png",
    *,
    top: int = 50,
) -> Path:
    """Saves a contact sheet of the most suspicious samples.

    Under each image stand its label, the class that it looks like and its
    suspiciousness. A file of that name is replaced, once the picture is drawn.

    Args:
        samples: a dataset or view; of a view, only its own samples are shown.
        brain_key: the key of the run.
        path: the file, whose name ends in ``.png``.
        top: how many to show, 1 to 1,000.

    Returns:
        the path of the file.

    Raises:
        InputError: if ``top`` is out of range, the name ends otherwise, its folder does
            not exist or take it, the view leaves out a field that is needed, or the run
            has scored objects.
        RunError: if there is no such run, a field of it or its label field was deleted,
            or none of the samples has a score.
    """
    target = check_target(path, ".png")
    _check_top(top)
    review = open_review(samples, brain_key, "suspiciousness", "suggestion")
    check_of_samples(review)
    names = review.fields
    _check_labels(samples, review)
    label = review.place.label_path
    paths = ("filepath", label, f"{names.suggestion}.label", names[0])
    view = suspicious_view(samples, brain_key, limit=top)
    rows = list(zip(*view.values(list(paths))))
    if not rows:
        raise RunError(
            f"none of these samples has a score of brain run {brain_key!r}; pass the "
            "samples that were scored"
        )
    from fiftyone_dfaulo.engine.images.contact_sheet import Tile, draw_sheet

    tiles = [
        Tile(file, (_text(given), _text(seen), f"{score:.3f}"))
        for file, given, seen, score in rows
    ]
    title = (
        f"{review.dataset.name}, run {brain_key}: the {len(rows)} most suspicious. "
        "Label; in red, what it looks like; suspiciousness"
    )
    picture = draw_sheet(title, tiles)
    replace_file(target, lambda file: picture.save(file, format="PNG"))
    return target


def _check_labels(samples: Any, review: Review) -> None:
    name = review.config.label_field
    if not review.storage.has_field(name):
        raise RunError(
            f"the label field {name!r} of brain run {review.key!r} was deleted or "
            "renamed; run compute_suspiciousness again"
        )
    check_run_field(samples, review.key, review.place, name)


def _text(label: Any) -> str:
    return tag_text(label) if isinstance(label, list) else str(label)


def _check_top(top: Any) -> None:
    whole = isinstance(top, numbers.Integral) and not isinstance(top, bool)
    if not whole or not 1 <= top <= MOST:
        raise InputError(f"top={top!r}; expected a whole number from 1 to {MOST}")
