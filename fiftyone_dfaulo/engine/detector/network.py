"""The detector's network: centres of objects, and how far their edges are from there.

Anchor-free, in one stage, of one class: a heat map whose peaks are the centres of
objects (Zhou et al., "Objects as Points", arXiv 1904.07850), and in each cell of it the
distances to the four edges of the box around (Liu et al., "Training-Time-Friendly
Network for Real-Time Object Detection", AAAI 2020).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiftyone_dfaulo.engine.network.architecture import Residual, convolution

STRIDE = 4
"""Pixels of a cell's side."""

LARGEST_STRIDE = 32
"""The side of images is a multiple of it."""

RARE = 0.01
"""How likely a cell is a centre for a network that has learned nothing."""

_STEEPEST = 5.0  # log of how far an edge may be, from the usual distance


class CentreNet(nn.Module):
    """From images to a heat map and distances.

    The image is halved five times, and what is seen coarsely is added to what is seen
    finely, back up to :data:`STRIDE`.

    Args:
        width: channels of the finest maps.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            convolution(3, width // 2, stride=2),
            convolution(width // 2, width, stride=2),
            Residual(width),
        )
        channels = [width, 2 * width, 4 * width, 4 * width]
        self.down = nn.ModuleList(
            nn.Sequential(convolution(one, other, stride=2), Residual(other))
            for one, other in zip(channels, channels[1:])
        )
        self.across = nn.ModuleList(nn.Conv2d(one, width, 1) for one in channels)
        self.smooth = convolution(width, width)
        self.head = nn.Conv2d(width, 5, 1)
        bias = self.head.bias
        assert bias is not None
        with torch.no_grad():
            self.head.weight[1:] = 0.0
            bias[:] = torch.tensor([math.log(RARE / (1 - RARE)), *[0.0] * 4])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of normalised images (B, 3, S, S), in cells of :data:`STRIDE` pixels.

        Returns:
            log-odds (B, S / 4, S / 4) that a cell is the centre of an object; and
            distances (B, 4, S / 4, S / 4) from the cell's middle to the left, upper,
            right and lower edge of its box, in cells.
        """
        maps = [self.stem(x)]
        for stage in self.down:
            maps.append(stage(maps[-1]))
        seen = self.across[-1](maps[-1])
        for lateral, finer in zip(list(self.across)[-2::-1], maps[-2::-1]):
            seen = lateral(finer) + F.interpolate(seen, scale_factor=2.0)
        out = self.head(self.smooth(seen)).float()
        distances = STRIDE * out[:, 1:].clamp(-_STEEPEST, _STEEPEST).exp()
        return out[:, 0], distances


def seeded_detector(seed: int) -> CentreNet:
    """A :class:`CentreNet` with weights drawn from ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CentreNet()
