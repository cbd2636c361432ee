"""Paints the images of planted faults, and writes them as new files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from fiftyone_dfaulo.engine.images.decoding import decode_whole, read_shape, reason
from fiftyone_dfaulo.engine.injection.plans import (
    BLACK,
    COPY,
    FOREIGN,
    GREY,
    NOISE,
    WHITE,
    Plan,
)
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.errors import InputError

_TONES = {BLACK: 0, GREY: 128, WHITE: 255}


def read_shapes(paths: Sequence[str], plan: Plan) -> dict[int, tuple[int, ...]]:
    """The shapes of the images that a plan replaces, by position.

    Raises:
        InputError: if one of them, or one that is to be copied, cannot be read.
    """
    shapes = {}
    for position in (*plan.images, *plan.sources.values()):
        try:
            shapes[position] = read_shape(paths[position])
        except Exception as error:
            raise _unreadable(paths[position], error) from error
    return {position: shapes[position] for position in plan.images}


def write_images(
    paths: Sequence[str],
    plan: Plan,
    shapes: dict[int, tuple[int, ...]],
    rng: np.random.Generator,
    targets: dict[int, Path],
    report: StageReport = silent_stage,
) -> None:
    """Paints the images of a plan, each of the shape of the one it replaces.

    Args:
        paths: the image files of all samples; they are only read.
        plan: what to paint, in its order.
        shapes: from :func:`read_shapes`.
        rng: what is drawn from.
        targets: position to the PNG file to write.
        report: called with the fraction done; what it raises stops the writing.

    Raises:
        InputError: if an image to be copied cannot be read, or a file not be written.
    """
    for number, (position, what) in enumerate(plan.images.items()):
        report(number / len(plan.images))
        source = plan.sources.get(position)
        copied = None
        if source is not None:
            copied = _read_as(paths[source], shapes[position])
        pixels = paint(what, shapes[position], rng, copied)
        try:
            Image.fromarray(pixels).save(targets[position])
        except OSError as error:
            raise InputError(
                f"{targets[position]} cannot be written ({reason(error)}); free space, "
                "or pass another folder"
            ) from error


def _read_as(path: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        image = decode_whole(path)
    except Exception as error:
        raise _unreadable(path, error) from error
    fitted = image.convert("RGB" if len(shape) == 3 else "L")
    return np.asarray(fitted.resize((shape[1], shape[0])))


def _unreadable(path: str, error: Exception) -> InputError:
    return InputError(
        f"the image {path} cannot be read ({reason(error)}), so that no image can be "
        "planted in its place; repair it, or leave its sample out by a view"
    )


def paint(
    what: str,
    shape: tuple[int, ...],
    rng: np.random.Generator,
    source: np.ndarray | None = None,
) -> np.ndarray:
    """A new image for a sample.

    Args:
        what: one of the values of :attr:`Plan.images`.
        shape: (H, W) or (H, W, 3).
        rng: what is drawn from.
        source: uint8 of that shape, the image to copy; for :data:`COPY`.

    Returns:
        uint8 of that shape.
    """
    if what == FOREIGN:
        return _photo_crop(shape, rng)
    if what == NOISE:
        return rng.integers(0, 256, shape, dtype=np.uint8)
    if what == COPY:
        if source is None:
            raise ValueError("a copy needs a source")
        noisy = source + rng.normal(scale=8, size=shape)
        return np.asarray(np.clip(noisy, 0, 255), np.uint8)
    return np.full(shape, _TONES[what], np.uint8)


@cache
def _photos() -> list[np.ndarray]:
    from sklearn.datasets import load_sample_images

    return list(load_sample_images().images)


def _photo_crop(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A crop out of scikit-learn's two photographs, at half their size.

    An image too large for that gets a crop that is enlarged.
    """
    photo = _photos()[rng.integers(len(_photos()))]
    index = []
    for side, whole in zip(shape, photo.shape[:2]):
        span = min(2 * side, whole - 1)
        start = rng.integers(whole - span)
        index.append(start + np.arange(side) * span // side)
    crop = photo[np.ix_(*index)]
    return np.asarray(crop if len(shape) == 3 else crop.mean(2), np.uint8)
