"""Contact sheets of what looks missing, misplaced or of another class, to be looked at.

::

    python examples/box_sheets.py FOLDER [--out docs/images] [--planted SEED]
        [--keep FILE]

The folder is in VOC's format. A detector is trained on its boxes, and the first 50 of
each kind are drawn: the given box in red, where the detector sees the object in green.
With ``--planted``, faults are planted before as in ``boxes.py``, and none of these is
drawn, so that one run shows both.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import fiftyone as fo
import numpy as np
from bench.box_datasets import FIELD, add_samples
from bench.boxes import KINDS, Objects, plant, read_voc
from bench.kept import keeping
from bench.trained_boxes import NOTHING, as_predictions, watching
from PIL import Image, ImageDraw

from fiftyone_dfaulo import compute_suspiciousness
from fiftyone_dfaulo.adapter.scoring.boxes.method import Judged
from fiftyone_dfaulo.engine.boxes.reasons import CLASS, PLACE

RATE = 0.05
COUNT, COLUMNS, TILE = 50, 10, 104
GIVEN, BETTER = "red", "lime"


def main() -> None:
    """Trains, scores and draws."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--planted", type=int, metavar="SEED")
    parser.add_argument("--keep", type=Path, help="npz file of what was trained")
    options = parser.parse_args()
    true = read_voc(options.folder)
    given, gone = true, np.zeros(len(true.labels), bool)
    if options.planted is not None:
        rng = np.random.default_rng(options.planted)
        given, gone = plant(true, rng, KINDS, RATE)
    dataset = fo.Dataset()
    add_samples(dataset, given, NOTHING)
    with keeping(options.keep), watching() as seen:
        compute_suspiciousness(dataset, FIELD, predictions="auto", progress=False)
    objects = [one for some in dataset.values(f"{FIELD}.detections") for one in some]
    row = {one.id: one.row for one in objects}
    rows = np.array([row[one] for one in seen[0].given.ids])
    dataset.delete()
    draw_all(seen[0], given, rows, as_predictions(seen[0], true).of, gone, options.out)


def draw_all(
    judged: Judged,
    given: Objects,
    rows: np.ndarray,
    of: np.ndarray,
    gone: np.ndarray,
    out: Path,
) -> None:
    """Draws the three sheets.

    Args:
        judged: N boxes and M predictions, and what is said of them.
        given: the objects as they are labelled, with the planted faults.
        rows: int64 (N,), which of them each box is.
        of: int64 (M,), which true object each prediction is of; -1 for none.
        gone: bool, which true objects were taken away.
        out: the folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    scores, found = judged.scores, judged.predicted
    own = given.kinds[rows] < 0
    for name, kind in (("misplaced", PLACE), ("class", CLASS)):
        order = np.argsort(-scores.kinds[:, kind] * own, kind="stable")[:COUNT]
        tiles = []
        for n in order:
            partner, other = scores.partner[n], scores.suggestion[n]
            seen = found.boxes[partner] if partner >= 0 else None
            label = given.names[given.labels[rows[n]]]
            text = f"{label} > {judged.names[other]}" if kind == CLASS else label
            path, box = given.paths[given.images[rows[n]]], given.boxes[rows[n]]
            tiles.append(tile(path, box, seen, text))
        sheet(tiles).save(out / f"bccd-{name}.jpg", quality=70)
    planted = (of >= 0) & gone[of]
    order = np.argsort(-np.where(planted, 0.0, scores.missing), kind="stable")[:COUNT]
    tiles = [
        tile(given.paths[found.images[n]], None, found.boxes[n], str(found.labels[n]))
        for n in order
    ]
    sheet(tiles).save(out / "bccd-missing.jpg", quality=70)


def tile(
    path: str, box: np.ndarray | None, seen: np.ndarray | None, text: str
) -> Image.Image:
    """A part of an image, twice as large as the boxes, which are drawn."""
    image = Image.open(path).convert("RGB")
    size = np.array([*image.size, *image.size])
    both = [(one, colour) for one, colour in ((box, GIVEN), (seen, BETTER))]
    corners = [
        (np.concatenate([one[:2], one[:2] + one[2:]]) * size, colour)
        for one, colour in both
        if one is not None
    ]
    low = np.min([one[:2] for one, _ in corners], 0)
    high = np.max([one[2:] for one, _ in corners], 0)
    side, middle = 2 * max(*(high - low), 20), (low + high) / 2
    start = middle - side / 2
    part = image.crop((*start, *(start + side))).resize((TILE, TILE))
    draw = ImageDraw.Draw(part)
    for one, colour in corners:
        draw.rectangle([*((one - np.tile(start, 2)) * TILE / side)], outline=colour)
    draw.text((2, TILE - 11), text, fill="white", stroke_fill="black", stroke_width=1)
    return part


def sheet(tiles: list[Image.Image]) -> Image.Image:
    """The tiles, numbered, row by row."""
    lines = -(-len(tiles) // COLUMNS)
    whole = Image.new("RGB", (COLUMNS * (TILE + 2), lines * (TILE + 2)), "white")
    for n, one in enumerate(tiles):
        place = (n % COLUMNS * (TILE + 2), n // COLUMNS * (TILE + 2))
        ImageDraw.Draw(one).text(
            (2, 1), str(n + 1), fill="yellow", stroke_fill="black", stroke_width=1
        )
        whole.paste(one, place)
    return whole


if __name__ == "__main__":
    main()
