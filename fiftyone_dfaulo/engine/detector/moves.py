"""Images that are moved, scaled and mirrored, so that more is learned of each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class Moves(NamedTuple):
    """How B images are moved: points, fractions of the image, are scaled and shifted.

    Attributes:
        scale, shift: float64 (B, 2), of x and y; a scale below 0 mirrors.
    """

    scale: np.ndarray
    shift: np.ndarray


def draw_moves(count: int, rng: np.random.Generator) -> Moves:
    """Moves by up to a tenth, at scales from 0.8 to 1.25, every other one mirrored.

    One class alone is told, so that no letter becomes another by a mirror.
    """
    scale = np.exp(rng.uniform(-np.log(1.25), np.log(1.25), (count, 2)))
    scale[:, 0] *= rng.choice([-1.0, 1.0], count)
    return Moves(scale, 0.5 - 0.5 * scale + rng.uniform(-0.1, 0.1, (count, 2)))


def move(images: Tensor, moves: Moves) -> Tensor:
    """The images (B, 3, S, S), moved; what comes in from outside is 0, the mean."""
    scale, shift = moves
    # torch asks where each new point comes from, in numbers from -1 to 1
    back = np.zeros((len(images), 2, 3), np.float32)
    back[:, [0, 1], [0, 1]] = 1 / scale
    back[:, :, 2] = (1 - 2 * shift) / scale - 1
    theta = torch.from_numpy(back).to(images.device)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, align_corners=False)
    return moved.contiguous(memory_format=torch.channels_last)
