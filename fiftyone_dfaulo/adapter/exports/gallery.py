"""A picture of the most suspicious samples, to look at without the App."""

from __future__ import annotations

import os
from pathlib import Path

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.exports.files import check_target, replace_file
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.adapter.review.views import most_suspicious
from fiftyone_dfaulo.adapter.runs.lookup import check_run_field
from fiftyone_dfaulo.checks import check_whole_number
from fiftyone_dfaulo.errors import RunError

MOST = 1_000
"""The most samples on one picture."""


@public
def save_gallery(
    samples: Samples,
    brain_key: str = "dfaulo",
    path: str | os.PathLike[str] = "gallery.png",
    *,
    top: int = 50,
    overwrite: bool = False,
) -> Path:
    """Saves a contact sheet of the most suspicious samples.

    Under each image stand its label, the class that it looks like and its
    suspiciousness.

    Args:
        samples: a dataset or view; of a view, only its own samples are shown.
        brain_key: the key of the run.
        path: the file, whose name ends in ``.png``.
        top: how many to show, 1 to 1,000.
        overwrite: whether a file of that name is replaced, once the picture is drawn.

    Returns:
        the path of the file.

    Raises:
        InputError: if ``top`` is out of range; if the name ends otherwise, its folder
            does not exist or can't be written to; if it is the name of a link, pipe or
            folder, or of a file while ``overwrite`` is False; if the view leaves out a
            field that is needed; or if the run has scored objects.
        RunError: if there is no such run, a field of it or its label field was deleted,
            or none of the samples has a score.

    Examples:
        >>> dfaulo.save_gallery(dataset, path="worst.png", top=6).name
        'worst.png'
    """
    file = check_target(path, ".png", overwrite=overwrite)
    limit = check_whole_number("top", top, 1, MOST)
    review = open_review(samples, brain_key, "suspiciousness", "suggestion")
    review.check_of_samples()
    review.check_label_field("run compute_suspiciousness again")
    config, names, target = review.config, review.fields, review.target
    check_run_field(samples, brain_key, target, config.label_field)
    paths = ("filepath", target.class_path, f"{names.suggestion}.label", names[0])
    view = most_suspicious(samples, brain_key, config, limit=limit)
    rows = list(zip(*view.values(list(paths))))
    if not rows:
        raise RunError(
            f"none of these samples has a score of brain run {brain_key!r}; pass the "
            "samples that were scored"
        )
    from fiftyone_dfaulo.engine.images.contact_sheet import Tile, draw_sheet

    tiles = [
        Tile(path, (str(target.class_text(given)), str(seen), f"{score:.3f}"))
        for path, given, seen, score in rows
    ]
    title = (
        f"{review.dataset.name}, run {brain_key}: the {len(rows)} most suspicious. "
        "Label; in red, what it looks like; suspiciousness"
    )
    picture = draw_sheet(title, tiles)
    replace_file(
        file, lambda stream: picture.save(stream, format="PNG"), overwrite=overwrite
    )
    return file
