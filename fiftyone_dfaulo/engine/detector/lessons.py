"""What the detector is to see in an image, cell by cell, and how far off it is."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

SPREAD = 0.54 / 6
"""Standard deviation of the heat around a centre, as a share of the box's side; that of
Liu et al. (AAAI 2020)."""

_AT_ONCE = 64  # boxes of an image that are drawn at once; it bounds the memory


class Lesson(NamedTuple):
    """What is right for an image of G x G cells.

    Attributes:
        heat: float32 (G, G), in [0, 1]: 1 at the centres of boxes.
        distances: float32 (4, G, G), to the edges of the box that a cell belongs to.
        weight: float32 (G, G), how much these count; it sums up to about the same for
            each box.
    """

    heat: Tensor
    distances: Tensor
    weight: Tensor


def draw(boxes: Tensor, cells: int) -> Lesson:
    """The lesson of one image.

    Args:
        boxes: float32 (N, 4), left, top, right and bottom, fractions of the image; what
            lies outside of it is cut off, and may be all of a box.
        cells: G, of each side.
    """
    device = boxes.device
    heat = torch.zeros(cells, cells, device=device)
    owner = torch.zeros(cells, cells, dtype=torch.int64, device=device)
    boxes = boxes.clamp(0, 1) * cells
    boxes = boxes[((boxes[:, 2:] - boxes[:, :2]) > 0.25).all(1)]
    if not len(boxes):
        return Lesson(heat, torch.ones(4, cells, cells, device=device), heat)
    sides = boxes[:, 2:] - boxes[:, :2]
    middles = torch.arange(cells, device=device) + 0.5
    centres = ((boxes[:, :2] + boxes[:, 2:]) / 2).floor().clamp(max=cells - 1) + 0.5
    spread = (SPREAD * sides).clamp(min=0.5)[..., None]
    across = torch.exp(-(((middles - centres[..., None]) / spread) ** 2) / 2)
    for start in range(0, len(boxes), _AT_ONCE):
        some = across[start : start + _AT_ONCE]
        one, which = (some[:, 1, :, None] * some[:, 0, None, :]).max(0)
        owner = torch.where(one > heat, which + start, owner)
        heat = torch.maximum(one, heat)
    edges = boxes[owner].permute(2, 0, 1)
    here = torch.stack([middles.expand(cells, -1), middles[:, None].expand(-1, cells)])
    distances = torch.cat([here - edges[:2], edges[2:] - here])
    inside = (distances > 0).all(0)
    weight = heat * inside / sides.prod(1).clamp(min=1)[owner]
    return Lesson(heat, distances, weight)


def loss(log_odds: Tensor, distances: Tensor, lesson: Lesson) -> Tensor:
    """How far the network is from the lessons of B images.

    Args:
        log_odds: (B, G, G), as of :class:`.network.CentreNet`.
        distances: (B, 4, G, G), likewise.
        lesson: those of the images, stacked.
    """
    return _heat_loss(log_odds, lesson.heat) + 5 * _box_loss(distances, lesson)


def _heat_loss(log_odds: Tensor, heat: Tensor) -> Tensor:
    """The focal loss of Zhou et al.: cells near a centre are blamed less."""
    chance = torch.sigmoid(log_odds)
    hit = F.logsigmoid(log_odds) * (1 - chance) ** 2
    miss = F.logsigmoid(-log_odds) * chance**2 * (1 - heat) ** 4
    centre = heat == 1
    return -torch.where(centre, hit, miss).sum() / centre.sum().clamp(min=1)


def _box_loss(seen: Tensor, lesson: Lesson) -> Tensor:
    """1 less the generalised overlap of boxes (Rezatofighi et al., CVPR 2019)."""
    right = lesson.distances
    both = torch.minimum(seen, right)
    hull = torch.maximum(seen, right)
    inner = ((both[:, 0] + both[:, 2]) * (both[:, 1] + both[:, 3])).clamp(min=0)
    outer = ((hull[:, 0] + hull[:, 2]) * (hull[:, 1] + hull[:, 3])).clamp(min=1e-6)
    union = _area(seen) + _area(right) - inner
    overlap = inner / union.clamp(min=1e-6) - (outer - union) / outer
    return ((1 - overlap) * lesson.weight).sum() / lesson.weight.sum().clamp(min=1e-6)


def _area(distances: Tensor) -> Tensor:
    return (distances[:, 0] + distances[:, 2]) * (distances[:, 1] + distances[:, 3])
