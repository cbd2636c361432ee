"""The trained network: what it says of images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.device import autocast, surroundings
from fiftyone_dfaulo.engine.network import checkpoint
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.threads import sharing_cores

_BLOCK = 256
"""Images, or one batch if that is more, whose outputs are kept together."""


@dataclass(frozen=True)
class Network:
    """A trained network and how images are prepared for it.

    Attributes:
        module: in evaluation mode; ``module(x)`` gives logits and
            ``module.features(x)`` penultimate activations.
        mean: float32 (3,), per channel, on the 0..255 scale.
        std: float32 (3,), per channel, on the 0..255 scale.
        learning: float32 (N, K), mean logits of the samples that it was trained on,
            over the steps of the second half of training, each computed before the step
            learned from the sample; NaN for other samples. They are learned by heart
            less than the logits at the end. (Training dynamics, as of AUM, Pleiss et
            al., arXiv 2001.10528.)
    """

    module: nn.Module
    mean: Tensor
    std: Tensor
    learning: np.ndarray

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return self.mean.device

    def normalise(self, batch: Tensor) -> Tensor:
        """uint8 images (B, H, W, 3) as the network's input, float32 (B, 3, H, W)."""
        images = (batch.to(self.device).float() - self.mean) / self.std
        return images.permute(0, 3, 1, 2)

    @sharing_cores
    def outputs(
        self,
        pixels: np.ndarray,
        *,
        views: bool = False,
        batch_size: int = 256,
        work: Work = UNKEPT,
        report: StageReport = silent_stage,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Penultimate activations and logits of all images.

        Args:
            pixels: uint8 (N, H, W, 3).
            views: whether to average the activations over the image and four copies
                of it, moved diagonally as far as in training: less noise, for five
                times the passes. The logits are those of the average.
            batch_size: images per forward pass.
            work: keeps them, block by block.
            report: called with the fraction of images done.

        Returns:
            float32 (N, D) activations and float32 (N, K) logits.
        """
        if work.kept:
            weights = checkpoint.pack(self.module)
            prepared = self.mean.cpu().numpy(), self.std.cpu().numpy()
            own = weights, prepared, views, batch_size, surroundings(self.device)
            work = work.as_kind("outputs").of(own)
        embeddings, logits = [], []
        size = max(_BLOCK // batch_size, 1) * batch_size
        for start in range(0, len(pixels), size):
            block = pixels[start : start + size]
            place = work.of(block) if work.kept else work
            found = place.load()
            if found is None:
                found = self._outputs(block, views, batch_size)
                place.save(**found)
            embeddings.append(found["embeddings"])
            logits.append(found["logits"])
            report((start + len(block)) / len(pixels))
        return np.concatenate(embeddings), np.concatenate(logits)

    def _outputs(
        self, pixels: np.ndarray, views: bool, batch_size: int
    ) -> dict[str, np.ndarray]:
        head = self.module.get_submodule("head")
        embeddings, logits = [], []
        for images in self._batches(pixels, batch_size):
            copies = _views(images) if views else [images]
            with autocast(self.device):
                seen = [self.module.features(copy) for copy in copies]  # type: ignore[operator]
            features = torch.stack([each.float() for each in seen]).mean(0)
            embeddings.append(features.cpu().numpy())
            logits.append(head(features).cpu().numpy())
        return {
            "embeddings": np.concatenate(embeddings),
            "logits": np.concatenate(logits),
        }

    @sharing_cores
    def appearance(self, pixels: np.ndarray, *, batch_size: int = 256) -> np.ndarray:
        """What the first layers see in all images: float32 (N, A).

        See :meth:`.architecture.SmallResNet.appearance`.
        """
        seen = []
        for images in self._batches(pixels, batch_size):
            with autocast(self.device):
                seen.append(self.module.appearance(images).cpu().numpy())  # type: ignore[operator]
        return np.concatenate(seen)

    def _batches(self, pixels: np.ndarray, size: int) -> Iterator[Tensor]:
        with torch.inference_mode():
            for start in range(0, len(pixels), size):
                batch = torch.from_numpy(pixels[start : start + size])
                yield channels_last(self.normalise(batch))


def most_moved(images: Tensor) -> int:
    """By how many pixels images are moved at most."""
    return max(images.shape[-1] // 16, 1)


def _views(images: Tensor) -> Iterator[Tensor]:
    """The images, and four copies of them moved diagonally as far as in training."""
    yield images
    most, side = most_moved(images), images.shape[-1]
    padded = F.pad(images, [most] * 4, mode="reflect")
    for row in (0, 2 * most):
        for column in (0, 2 * most):
            moved = padded[:, :, row : row + side, column : column + side]
            yield channels_last(moved)


def channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
