"""Small images of discs and squares on dark noise, with a box around each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from bench.boxes import Objects, right_objects
from PIL import Image

SIDE = 64
NAMES = ["disc", "square"]


def draw_shapes(count: int = 48, seed: int = 51) -> tuple[np.ndarray, Objects]:
    """Images, uint8 (count, 64, 64, 3), with one to three shapes in quarters of each,
    and the shapes."""
    rng = np.random.default_rng(seed)
    pixels = np.repeat(rng.integers(0, 40, (count, SIDE, SIDE, 1), np.uint8), 3, 3)
    rows: list[tuple[int, list[float], int]] = []
    for image, picture in enumerate(pixels):
        for quarter in rng.choice(4, rng.integers(1, 4), replace=False):
            size, label = int(rng.integers(14, 19)), int(rng.integers(2))
            left, top = (
                32 * corner + int(rng.integers(0, 32 - size))
                for corner in (quarter % 2, quarter // 2)
            )
            part = picture[top : top + size, left : left + size]
            across = np.abs(np.arange(size) - (size - 1) / 2)
            inside = across[:, None] ** 2 + across**2 <= (size / 2) ** 2
            part[inside | (label == 1)] = 200
            box = np.array([left, top, size, size]) / SIDE
            rows.append((image, box.tolist(), label))
    images, boxes, labels = (np.array(column) for column in zip(*rows))
    paths = [f"{n:03}.png" for n in range(count)]
    return pixels, right_objects(paths, images, boxes, labels, NAMES)


def write_shapes(pixels: np.ndarray, folder: Path) -> list[str]:
    """Writes the images, and gives their paths."""
    paths = [str(folder / f"{n:03}.png") for n in range(len(pixels))]
    for picture, path in zip(pixels, paths):
        Image.fromarray(picture).save(path)
    return paths
