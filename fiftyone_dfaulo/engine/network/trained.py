"""The trained network: what it says of images."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.cluster.executor import HERE, Executor
from fiftyone_dfaulo.engine.device import autocast, pick_device, surroundings
from fiftyone_dfaulo.engine.network import checkpoint
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.threads import sharing_when_busy

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

    @sharing_when_busy
    def outputs(
        self,
        pixels: np.ndarray,
        *,
        views: bool = False,
        batch_size: int = 256,
        work: Work = UNKEPT,
        executor: Executor = HERE,
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
            executor: runs the network.
            report: called with the fraction of images done.

        Returns:
            float32 (N, D) activations and float32 (N, K) logits.
        """
        if work.kept:
            weights = checkpoint.pack(self.module)
            prepared = self.mean.cpu().numpy(), self.std.cpu().numpy()
            own = weights, prepared, views, batch_size, surroundings(self.device)
            work = work.as_kind("outputs").of(own)
        size = max(_BLOCK // batch_size, 1) * batch_size
        blocks = [pixels[n : n + size] for n in range(0, len(pixels), size)]
        places = [work.of(one) if work.kept else work for one in blocks]
        found = [place.load() for place in places]
        missing = [n for n, one in enumerate(found) if one is None]
        network = self.sent() if executor.remote else self
        how = executor.share(_How(network, executor.remote, views, batch_size))
        made = executor.each(_run, how, [blocks[n] for n in missing], gpu=True)
        with closing(made):
            for one, number in zip(made, missing):  # so that it comes to its end
                places[number].save(**one)
                found[number] = one
                report(min((number + 1) * size / len(pixels), 1.0))
        if not missing:
            report(1.0)
        whole = [one for one in found if one is not None]
        return (
            np.concatenate([one["embeddings"] for one in whole]),
            np.concatenate([one["logits"] for one in whole]),
        )

    def sent(self) -> Network:
        """It, in memory that any machine has, without what it learned from."""
        nothing = self.learning[:0]
        if self.device.type == "cpu":
            return replace(self, learning=nothing)
        module = copy.deepcopy(self.module).cpu()
        return Network(module, self.mean.cpu(), self.std.cpu(), nothing)

    def arrived(self) -> Network:
        """It, on the device of the machine that it was sent to."""
        device = pick_device(None)
        mean, std = self.mean.to(device), self.std.to(device)
        return Network(self.module.to(device), mean, std, self.learning)

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

    @sharing_when_busy
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


class _How(NamedTuple):
    """What is run over images, and how: as of :meth:`Network.outputs`.

    ``moved`` says whether it was sent to another machine.
    """

    network: Network
    moved: bool
    views: bool
    batch_size: int


def _run(how: _How, blocks: Iterable[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """The outputs of a network for blocks of images."""
    network = how.network.arrived() if how.moved else how.network
    for block in blocks:
        own = np.array(block) if how.moved else block  # torch wants to write to it
        yield network._outputs(own, how.views, how.batch_size)


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
