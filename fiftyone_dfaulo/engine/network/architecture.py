"""The network trained on the samples themselves: small and residual."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

LEAST_SPREAD = 0.05
"""Added to a channel's standard deviation, so that a blank image has a logarithm."""


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3 x 3 convolution, batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two convolutions; their input is added to their output."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(channels, channels), convolution(channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class SmallResNet(nn.Module):
    """A residual classifier of square RGB images.

    The stem brings images to at most 16 x 16 cells; every further stage halves the
    side and doubles the channels up to ``width``, down to about 4 x 4; the average over
    the cells is the penultimate activation.

    Args:
        num_classes: K, at least 2.
        size: side of the images in pixels, 8 to 64.
        width: D, the number of penultimate features; a multiple of 4.
    """

    def __init__(self, num_classes: int, size: int, width: int = 128) -> None:
        super().__init__()
        channels = width // 4
        stem = [convolution(3, channels, stride=2 if size > 16 else 1)]
        if size > 32:
            stem.append(convolution(channels, channels, stride=2))
        self.stem = nn.Sequential(*stem)
        self.first = Residual(channels)
        layers: list[nn.Module] = []
        for _ in range(int(math.log2(min(size, 16))) - 2):
            wider = min(2 * channels, width)
            layers += [convolution(channels, wider, stride=2), Residual(wider)]
            channels = wider
        if channels < width:
            layers.append(convolution(channels, width))
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(width, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Penultimate activations (B, D) of normalised images (B, 3, H, W)."""
        return self.body(self.first(self.stem(x)))

    def appearance(self, x: Tensor) -> Tensor:
        """What the first layers see in images, wherever it lies in them: (B, A).

        Of each of their channels, the mean over the image and the logarithm of the
        standard deviation.
        """
        maps = [self.stem(x)]
        maps.append(self.first(maps[0]))
        parts = []
        for each in maps:
            each = each.float()
            parts += [each.mean((2, 3)), (each.std((2, 3)) + LEAST_SPREAD).log()]
        return torch.cat(parts, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, K) of normalised images (B, 3, H, W)."""
        return self.head(self.features(x))


def seeded_network(
    num_classes: int, size: int, seed: int, width: int = 128
) -> SmallResNet:
    """A :class:`SmallResNet` with weights drawn from ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SmallResNet(num_classes, size, width)
