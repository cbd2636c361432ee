"""What is seen of boxes: cut from the image with what is around, and then moved.

The *surroundings* of a box are :data:`AROUND` times as wide and as high, squashed to a
square. A *view* is a part of them: :data:`SEEN` times as wide and as high as some box
that lies in there. Boxes in surroundings are given as left, top, right and bottom, in
sides of the box they were cut for, from its centre.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align

from fiftyone_dfaulo.engine.boxes.overlaps import Boxes
from fiftyone_dfaulo.engine.closeup.network import VIEW
from fiftyone_dfaulo.engine.network.training import channel_statistics

AROUND, SEEN = 3.0, 2.0

SIDE = 72
"""Of surroundings, in pixels: those of the box itself make a view of it."""

MOVED, SCALED = 0.35, 0.45
"""How far boxes are moved, in sides, and scaled, as the logarithm, at most: they then
overlap where they were by a fifth or more."""

ITSELF = np.array([-0.5, -0.5, 0.5, 0.5])
"""The box that surroundings were cut for, in them."""

_FOR_STATISTICS = 64  # images whose colours are looked at; it bounds the memory
_GREY, _STEP = 128, 32  # surroundings have this many steps for a standard deviation


class Cutter:
    """Cuts the surroundings of boxes from images.

    Args:
        pixels: uint8 (I, S, S, 3), at least 1; may be a memmap.
    """

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels
        every = np.arange(len(pixels))
        self._mean, self._std = channel_statistics(pixels, every, most=_FOR_STATISTICS)

    def cut(self, boxes: Boxes) -> np.ndarray:
        """The surroundings of N boxes: uint8 (N, 3, :data:`SIDE`, :data:`SIDE`).

        What lies outside of the image has its mean colour.

        Args:
            boxes: by position of the image.
        """
        found = np.zeros((len(boxes.images), 3, SIDE, SIDE), np.uint8)
        low, size = boxes.boxes[:, :2], boxes.boxes[:, 2:]
        margin = (AROUND - 1) / 2 * size
        shares = np.concatenate([low - margin, low + size + margin], 1)
        edges = torch.from_numpy(shares * self._pixels.shape[1]).float()
        order = np.argsort(boxes.images, kind="stable")
        images, starts = np.unique(boxes.images[order], return_index=True)
        for image, rows in zip(images, np.split(order, starts[1:])):
            colours = torch.from_numpy(np.array(self._pixels[image]))
            normal = ((colours - self._mean) / self._std).permute(2, 0, 1)[None]
            cut = roi_align(normal, [edges[rows]], SIDE, aligned=True)
            found[rows] = (cut * _STEP + _GREY).round().clamp(0, 255).byte().numpy()
        return found


def view(around: Tensor, boxes: np.ndarray, mirrored: np.ndarray) -> Tensor:
    """Views (B, 3, :data:`VIEW`, :data:`VIEW`) of boxes in surroundings.

    Args:
        around: uint8 (B, 3, :data:`SIDE`, :data:`SIDE`).
        boxes: float (B, 4), in surroundings.
        mirrored: bool (B,), whether left and right change places.
    """
    low, high = boxes[:, :2], boxes[:, 2:]
    # torch asks where each new point comes from, in numbers from -1 to 1
    where = np.zeros((len(boxes), 2, 3), np.float32)
    where[:, [0, 1], [0, 1]] = (high - low) * SEEN / AROUND
    where[mirrored, 0, 0] *= -1
    where[:, :, 2] = (low + high) / AROUND
    theta = torch.from_numpy(where).to(around.device)
    grid = F.affine_grid(theta, [len(boxes), 3, VIEW, VIEW], align_corners=False)
    seen = F.grid_sample((around.float() - _GREY) / _STEP, grid, align_corners=False)
    return seen.contiguous(memory_format=torch.channels_last)


def draw_boxes(count: int, rng: np.random.Generator) -> np.ndarray:
    """Float64 (N, 4), in surroundings: boxes from which the middle one is told."""
    middle = rng.uniform(-MOVED, MOVED, (count, 2))
    half = np.exp(rng.uniform(-SCALED, SCALED, (count, 2))) / 2
    return np.concatenate([middle - half, middle + half], 1)


def offsets(boxes: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """Float64 (B, 4): how far the middle box's edges are from those of others."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return _turned((ITSELF - boxes) / sides, mirrored)


def moved_by(boxes: np.ndarray, seen: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """Float64 (B, 4), in surroundings: boxes whose edges are off by what was seen."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return boxes + _turned(seen, mirrored) * sides


def _turned(edges: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """In the mirror, the left edge is the right one, and as far to the other side."""
    turned = edges[:, [2, 1, 0, 3]] * [-1, 1, -1, 1]
    return np.where(mirrored[:, None], turned, edges)
