"""Networks, images and labels that the tests of the paper's method share."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fiftyone_dfaulo.engine.cache.work import UNKEPT, Work
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage

Array = np.ndarray


class TinyModule(nn.Module):
    def __init__(self, side: int, num_classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(3 * side**2, 6), nn.BatchNorm1d(6), nn.ReLU()
        )
        self.head = nn.Linear(6, num_classes)

    def features(self, x: Tensor) -> Tensor:
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


@dataclass
class TinyNetwork:
    """What :class:`.trained.Network` offers, and the images that it was run on."""

    module: nn.Module
    inputs: list[Array] = field(default_factory=list)
    device = torch.device("cpu")

    def __deepcopy__(self, memo: dict[int, Any]) -> TinyNetwork:
        return TinyNetwork(deepcopy(self.module, memo))

    def normalise(self, pixels: Tensor) -> Tensor:
        return pixels.permute(0, 3, 1, 2).float() / 64 - 2

    @torch.no_grad()
    def outputs(
        self,
        pixels: Array,
        *,
        batch_size: int,
        work: Work = UNKEPT,
        report: StageReport = silent_stage,
    ) -> tuple[Array, Array]:
        self.inputs.append(np.array(pixels))
        embeddings, logits = [], []
        for start in range(0, len(pixels), batch_size):
            batch = torch.from_numpy(np.array(pixels[start : start + batch_size]))
            embeddings.append(self.module.features(self.normalise(batch)))
            logits.append(self.module.head(embeddings[-1]))
        report(1.0)
        return torch.cat(embeddings).numpy(), torch.cat(logits).numpy()


def tiny_network(side: int, num_classes: int) -> TinyNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = TinyModule(side, num_classes)
        nn.init.normal_(module.head.weight, std=2)
        return TinyNetwork(module.eval())


def make_images(labels: Array, side: int = 4) -> Array:
    """Images with a pattern of their class under noise."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(40, 216, size=(labels.max() + 1, side, side, 3))
    noise = rng.integers(-40, 41, size=(len(labels), side, side, 3))
    return (patterns[labels] + noise).astype(np.uint8)


def random_labels(rng: np.random.Generator, num_classes: int) -> Array:
    """Class 0 is missing, class 1 has one sample, the others 2 to 60."""
    sizes = rng.integers(2, 60, size=num_classes)
    sizes[0] = 0 if num_classes > 2 else 25
    sizes[1] = 1
    return rng.permutation(np.repeat(np.arange(num_classes), sizes))


def state_of(network: Any) -> dict[str, Tensor]:
    return {name: p.clone() for name, p in network.module.state_dict().items()}


def same_state(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)
