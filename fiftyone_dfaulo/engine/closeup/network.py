"""The network that looks at one box, with what is around it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fiftyone_dfaulo.engine.network.architecture import Residual, convolution

VIEW = 48
"""Side of what the network is shown, in pixels."""


class CloseNet(nn.Module):
    """From views of boxes to whether an object is there, and where its edges are.

    What it sees keeps its place up to the last layers, as edges are places.

    Args:
        width: channels of the finest maps.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        cells = VIEW // 8
        self.body = nn.Sequential(
            convolution(3, width, stride=2),
            convolution(width, 2 * width, stride=2),
            Residual(2 * width),
            convolution(2 * width, 4 * width, stride=2),
            Residual(4 * width),
            nn.Flatten(),
            nn.Linear(4 * width * cells**2, 8 * width),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Linear(8 * width, 5)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of views (B, 3, :data:`VIEW`, :data:`VIEW`), normalised.

        Returns:
            log-odds (B,) that an object is there; and offsets (B, 4): how far its
            left, upper, right and lower edge are from the box's, in sides of the box.
        """
        out = self.head(self.body(x)).float()
        return out[:, 0], out[:, 1:]


def seeded_net(seed: int) -> CloseNet:
    """A :class:`CloseNet` with weights drawn from ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CloseNet()
