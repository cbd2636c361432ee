"""How badly a small variational autoencoder reconstructs each image of a class.

An image unlike the rest of its class is reconstructed badly: the bottleneck has two
numbers for each image, and only what many images share is worth learning. This is the
detector of input outliers in Yin et al., ESEC/FSE 2023 (doi 10.1145/3611643.3616345).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.threads import threads_for

HIDDEN = (128, 64, 32)
LATENT = 2
EPOCHS = 5
BATCH = 32
LEARNING_RATE = 1e-3

_SCORING_BATCH = 512


def reconstruction_errors(
    pixels: np.ndarray,
    labels: np.ndarray,
    *,
    generator: torch.Generator,
    device: torch.device,
    report: StageReport = silent_stage,
) -> np.ndarray:
    """Trains one autoencoder for each class, and measures its error on its images.

    Args:
        pixels: uint8 (N, H, W, C), of any size; may be a memory map.
        labels: int64 (N,).
        generator: on the CPU; all randomness comes from it.
        device: where the autoencoders run.
        report: called with the fraction done, after each epoch of each class.

    Returns:
        float32 (N,), squared error summed over the pixels scaled to [0, 1], with the
        latent code at its mean. Higher is worse; comparable within a class only.
    """
    errors = np.empty(len(labels), dtype=np.float32)
    done = 0
    for given in np.unique(labels):
        members = np.flatnonzero(labels == given)
        model = VAE(int(np.prod(pixels.shape[1:])), generator).to(device)
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        for _ in range(EPOCHS):
            # so few layers are little work, however large the images
            with threads_for(1, device):
                _train_epoch(model, optimizer, pixels, members, generator)
            done += len(members)
            report(done / (EPOCHS * len(labels)))
        for start in range(0, len(members), _SCORING_BATCH):
            batch = members[start : start + _SCORING_BATCH]
            errors[batch] = model.errors(_flatten(pixels[batch], device)).cpu().numpy()
    return errors


class VAE(nn.Module):
    """A fully connected variational autoencoder of images with values in [0, 1].

    Args:
        size: numbers in one flattened image.
        generator: on the CPU; the initial weights come from it.
    """

    def __init__(self, size: int, generator: torch.Generator) -> None:
        super().__init__()
        self.encoder = _relu_layers((size, *HIDDEN), generator)
        self.mean = _linear(HIDDEN[-1], LATENT, generator)
        self.log_variance = _linear(HIDDEN[-1], LATENT, generator)
        self.decoder = nn.Sequential(
            _relu_layers((LATENT, *reversed(HIDDEN)), generator),
            _linear(HIDDEN[0], size, generator),
            nn.Sigmoid(),
        )

    def loss(self, images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The mean over a batch of squared error plus divergence from N(0, 1).

        Args:
            images: float (B, size), in [0, 1].
            noise: float (B, 2), standard normal.
        """
        hidden = self.encoder(images)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        rebuilt = self.decoder(mean + noise * torch.exp(log_variance / 2))
        divergence = mean.square() + log_variance.exp() - 1 - log_variance
        return ((rebuilt - images).square().sum(1) + divergence.sum(1) / 2).mean()

    @torch.no_grad()
    def errors(self, images: torch.Tensor) -> torch.Tensor:
        """Squared error of each image, float (B,), with the code at its mean."""
        rebuilt = self.decoder(self.mean(self.encoder(images)))
        return (rebuilt - images).square().sum(1)


def _train_epoch(
    model: VAE,
    optimizer: torch.optim.Optimizer,
    pixels: np.ndarray,
    members: np.ndarray,
    generator: torch.Generator,
) -> None:
    device = model.mean.weight.device
    order = members[torch.randperm(len(members), generator=generator).numpy()]
    noise = torch.randn(len(members), LATENT, generator=generator).to(device)
    for start in range(0, len(members), BATCH):
        batch = slice(start, start + BATCH)
        optimizer.zero_grad()
        model.loss(_flatten(pixels[order[batch]], device), noise[batch]).backward()
        optimizer.step()


def _flatten(pixels: np.ndarray, device: torch.device) -> torch.Tensor:
    """uint8 (B, H, W, C) as float32 (B, H * W * C) in [0, 1] on the device."""
    return torch.from_numpy(pixels).to(device).flatten(1).float() / 255


def _relu_layers(sizes: tuple[int, ...], generator: torch.Generator) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [_linear(inputs, outputs, generator), nn.ReLU()]
    return nn.Sequential(*layers)


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    # The usual constructor draws its weights from torch's global generator.
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
