"""Boxes with planted faults, and a simulated detector whose quality is known."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fiftyone_dfaulo.engine.boxes.elsewhere import OVERLAP, place_anywhere
from fiftyone_dfaulo.engine.boxes.overlaps import intersection_over_union
from fiftyone_dfaulo.engine.injection.box_plans import (
    BOX_KINDS,
    DOUBLED,
    MISSING,
    plan_boxes,
)

KINDS = ("class", "misplaced", "spurious", "doubled", "missing")
"""What can be wrong with a box, or with there being none."""

RIGHT = -1


@dataclass(frozen=True)
class Objects:
    """N objects in some images.

    Attributes:
        paths: of the images.
        images: int64 (N,), which image each is in.
        boxes: float64 (N, 4), left, top, width and height, fractions of the image.
        labels: int64 (N,).
        names: of the classes.
        kinds: int64 (N,), the position in :data:`KINDS` of the fault; -1 for none.
        twin: int64 (N,), of objects that were counted twice the other one; -1 for none.
    """

    paths: list[str]
    images: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    names: list[str]
    kinds: np.ndarray
    twin: np.ndarray


@dataclass(frozen=True)
class Predictions:
    """M predictions of a detector.

    Attributes:
        images, boxes, labels: as of :class:`Objects`.
        confidence: float64 (M,), in [0, 1].
        of: int64 (M,), the true object that each is of; -1 for none.
    """

    images: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    of: np.ndarray


def right_objects(
    paths: list[str],
    images: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    names: list[str],
) -> Objects:
    """Objects without faults."""
    none = np.full(len(labels), RIGHT)
    return Objects(paths, images, boxes, labels, names, none, none.copy())


def read_voc(folder: Path) -> Objects:
    """A folder with ``Annotations`` (VOC XML) and ``JPEGImages``."""
    paths: list[str] = []
    images: list[int] = []
    boxes: list[list[float]] = []
    found: list[str] = []
    for file in sorted((folder / "Annotations").glob("*.xml")):
        root = ElementTree.parse(file).getroot()
        width, height = (int(root.findtext(f"size/{n}", "0")) for n in SIDES)
        for one in root.iter("object"):
            x0, y0, x1, y1 = (float(one.findtext(f"bndbox/{n}", "0")) for n in CORNERS)
            if x1 > x0 and y1 > y0:
                box = [x0 / width, y0 / height, (x1 - x0) / width, (y1 - y0) / height]
                boxes.append(box)
                images.append(len(paths))
                found.append(one.findtext("name", ""))
        paths.append(str(folder / "JPEGImages" / f"{file.stem}.jpg"))
    names = sorted(set(found))
    labels = np.array([names.index(name) for name in found])
    return right_objects(paths, np.array(images), np.array(boxes), labels, names)


SIDES = ("width", "height")
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def detect(
    objects: Objects, rng: np.random.Generator, *, skill: float = 1.0
) -> Predictions:
    """A simulated detector on the true objects, better the higher its skill.

    Each object is easy or hard, and small ones are harder. From that follow how
    confident the detector is, whether it sees the object at all, its class and where.
    Beside these it sees things that are not there, and some objects twice.
    """
    size = np.log(np.prod(objects.boxes[:, 2:], 1))
    spread = max(float(size.std()), 1e-9)
    ease = rng.normal(size=len(size)) + 0.3 * (size - size.mean()) / spread
    sure = 1 / (1 + np.exp(-(1.5 * skill + ease)))
    rows = np.flatnonzero(rng.random(len(sure)) < sure ** (0.2 / skill))
    twice = rows[rng.random(len(rows)) < 0.03 / skill]
    of = np.concatenate([rows, twice])
    confidence = sure[of] * np.where(np.arange(len(of)) < len(rows), 1, 0.4)
    labels = objects.labels[of]
    if len(objects.names) > 1:
        slip = rng.random(len(of)) > sure[of] ** (0.3 / skill)
        other = rng.integers(1, len(objects.names), len(of))
        labels = np.where(slip, (labels + other) % len(objects.names), labels)
    noise = 0.05 / skill * (1.5 - sure[of])
    boxes = _jitter(objects.boxes[of], noise, rng)
    count = rng.poisson(0.25 * len(size) / skill)
    like = rng.integers(0, len(size), count)
    ghosts = place_anywhere(objects.boxes[like, 2:], rng)
    return Predictions(
        np.concatenate(
            [objects.images[of], rng.integers(0, len(objects.paths), count)]
        ),
        np.concatenate([boxes, ghosts]),
        np.concatenate([labels, objects.labels[like]]),
        np.concatenate([confidence, rng.beta(1.5, 4.0, count)]),
        np.concatenate([of, np.full(count, -1)]),
    )


def _jitter(
    boxes: np.ndarray, noise: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Moves and scales boxes by a share of their size."""
    size = boxes[:, 2:] * np.exp(noise[:, None] * rng.normal(size=(len(boxes), 2)))
    move = noise[:, None] * rng.normal(size=(len(boxes), 2)) * boxes[:, 2:]
    return np.column_stack([boxes[:, :2] + (boxes[:, 2:] - size) / 2 + move, size])


def plant(
    objects: Objects, rng: np.random.Generator, kinds: tuple[str, ...], rate: float
) -> tuple[Objects, np.ndarray]:
    """Plants faults of some kinds, each in a share of the objects.

    Returns:
        the objects as they are labelled now, and bool (N,), which of the true ones are
        missing.
    """
    names = dict(zip(KINDS, BOX_KINDS))
    plan = plan_boxes(
        objects.images,
        objects.boxes,
        objects.labels,
        classes=len(objects.names),
        pictures=len(objects.paths),
        rates={names[kind]: rate for kind in kinds},
        overlap=OVERLAP,
        rng=rng,
    )
    numbers: dict[str | None, int] = {name: n for n, name in enumerate(BOX_KINDS)}
    numbers[None] = RIGHT
    missing = plan.kinds == MISSING
    kept = np.append(~missing, np.ones(len(plan.of), bool))
    doubled = plan.added_kinds == DOUBLED
    first = np.where(doubled, np.cumsum(~missing)[plan.of] - 1, RIGHT)
    found = [numbers[kind] for kind in (*plan.kinds, *plan.added_kinds)]
    new = replace(
        objects,
        images=np.append(objects.images, plan.added_images)[kept],
        boxes=np.concatenate([plan.boxes, plan.added_boxes])[kept],
        labels=np.append(plan.labels, plan.labels[plan.of])[kept],
        kinds=np.array(found)[kept],
        twin=np.append(np.full(len(missing), RIGHT), first)[kept],
    )
    return new, missing


def objectlab(objects: Objects, found: Predictions) -> dict[str, np.ndarray]:
    """Scores after ObjectLab (Tkachenko et al., 2023), an own short implementation.

    Returns:
        higher is more suspicious: ``class`` and ``misplaced`` (N,) of the objects,
        ``missing`` (M,) of the predictions. Similarity is the overlap.
    """
    swapped, apart = np.zeros(len(objects.labels)), np.ones(len(objects.labels))
    overlooked = found.confidence.copy()
    by_image: dict[int, list[int]] = {}
    for row, image in enumerate(found.images.tolist()):
        by_image.setdefault(image, []).append(row)
    for row, image in enumerate(objects.images.tolist()):
        some = np.array(by_image.get(image, []), int)
        if not len(some):
            continue
        box = np.repeat(objects.boxes[row : row + 1], len(some), 0)
        alike = intersection_over_union(box, found.boxes[some])
        same = found.labels[some] == objects.labels[row]
        apart[row] = 1 - max(alike[same], default=0.0)
        swapped[row] = max((alike * found.confidence[some])[~same], default=0.0)
        left = found.confidence[some] * (1 - alike)
        overlooked[some[same]] = np.minimum(overlooked[some], left)[same]
    return {"class": swapped, "misplaced": apart, "missing": overlooked}
