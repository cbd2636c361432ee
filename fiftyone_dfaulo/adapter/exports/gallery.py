"""A picture of the most suspicious samples, or objects, to look at without the App."""

from __future__ import annotations

import os
from pathlib import Path

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.exports.files import check_target, replace_file
from fiftyone_dfaulo.adapter.exports.ranking import top_rows
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.checks import check_whole_number
from fiftyone_dfaulo.errors import RunError

MOST = 1_000
"""The most images on one picture."""


@public
def save_gallery(
    samples: Samples,
    brain_key: str = "dfaulo",
    path: str | os.PathLike[str] = "gallery.png",
    *,
    top: int = 50,
    overwrite: bool = False,
) -> Path:
    """Saves a contact sheet of the most suspicious samples, or objects.

    Under each image stand its label, the class that it looks like and its
    suspiciousness. Objects are cut out of their images.

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
            folder, or of a file while ``overwrite`` is False; or if the view leaves out
            a field that is needed.
        RunError: if there is no such run, a field of it or its label field was deleted,
            or none of the samples or objects has a score.

    Examples:
        >>> dfaulo.save_gallery(dataset, path="worst.png", top=6).name
        'worst.png'
    """
    file = check_target(path, ".png", overwrite=overwrite)
    limit = check_whole_number("top", top, 1, MOST)
    review = open_review(samples, brain_key, "suspiciousness", "suggestion")
    review.check_label_field("run compute_suspiciousness again")
    rows = top_rows(review, limit)
    if not rows:
        raise RunError(
            f"none of these {review.target.noun}s has a score of brain run "
            f"{brain_key!r}; pass the samples that were scored"
        )
    from fiftyone_dfaulo.engine.images.contact_sheet import Tile, draw_sheet

    tiles = [
        Tile(row.source, (row.given, row.seen, f"{row.score:.3f}")) for row in rows
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
