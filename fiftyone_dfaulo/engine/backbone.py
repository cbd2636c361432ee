"""Embeddings from a pretrained torchvision network, used frozen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import numpy as np
import torch
import torchvision
from torch import nn
from torchvision.models import get_model_builder, get_model_weights, list_models

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.decoding import Source
from fiftyone_dfaulo.engine.device import autocast, pick_device
from fiftyone_dfaulo.engine.images import iter_batches
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.errors import InputError, WeightsError

_NO_LINEAR = "squeezenet"  # the one family that ends in a convolution
_PIXELS = 2**22  # per forward pass, so that large images do not exhaust the memory
_PATIENCE = 10  # seconds that the weights' server has to answer


@dataclass(frozen=True)
class Embedded:
    """The embeddings of the readable ones, M, of some image files.

    Attributes:
        embeddings: float32 (M, D), the network's penultimate activations.
        index: int64 (M,), ascending positions of these images in ``paths``.
        unreadable: position in ``paths`` to a one-line reason.
    """

    embeddings: np.ndarray
    index: np.ndarray
    unreadable: dict[int, str]


def architectures() -> list[str]:
    """The torchvision architectures that :func:`embed_images` takes, sorted."""
    names = list_models(module=torchvision.models)
    return [name for name in names if not name.startswith(_NO_LINEAR)]


def check_architecture(architecture: str) -> None:
    """Checks that :func:`embed_images` takes an architecture; loads nothing.

    Raises:
        InputError: if it does not.
    """
    known = architectures()
    if architecture in known:
        return
    if architecture in list_models(module=torchvision.models):
        raise InputError(
            f"model={architecture!r} does not end in a fully connected layer, whose "
            "input would be the embedding; choose another, such as 'resnet18'"
        )
    near = get_close_matches(architecture.lower(), known) or ["resnet18"]
    raise InputError(
        f"model={architecture!r} is no torchvision classification architecture; "
        f"choose one, such as {' or '.join(map(repr, near))} (engine.backbone."
        "architectures() lists all)"
    )


def weights_file(architecture: str) -> Path:
    """Where torch keeps an architecture's weights, whether they are there or not."""
    name = Path(urlparse(_weights(architecture).url).path).name
    return Path(torch.hub.get_dir(), "checkpoints", name)


def embed_images(
    paths: Sequence[Source],
    architecture: str,
    *,
    settings: Settings,
    report: StageReport = silent_stage,
) -> Embedded:
    """Penultimate activations of image files, decoded and embedded batch by batch.

    Images are squashed to the square that the weights were trained on, not cropped;
    nothing but the embeddings grows with N.

    Args:
        paths: N image files, or crops of some; one may occur more than once.
        architecture: one of :func:`architectures`.
        settings: its ``batch_size``, lowered where images are large, its workers and
            its device are used. The first two change the embeddings by rounding only.
        report: told the fraction done, once per batch. If it raises, embedding stops.

    Raises:
        InputError: if the architecture or the device cannot be used.
        WeightsError: if the weights are neither in torch's cache nor downloadable.
    """
    backbone = _Backbone(architecture, settings.device)
    embeddings = np.empty((len(paths), backbone.width), np.float32)
    index = np.empty(len(paths), np.int64)
    unreadable: dict[int, str] = {}
    count, size = 0, backbone.size
    step = max(1, min(settings.batch_size, _PIXELS // size**2))
    batches = iter_batches(paths, size=size, batch_size=step, workers=settings.workers)
    with closing(batches):
        for number, batch in enumerate(batches, start=1):
            rows = slice(count, count + len(batch.index))
            if len(batch.index):
                embeddings[rows] = backbone.embed(batch.pixels)
                index[rows] = batch.index
            count = rows.stop
            unreadable.update(batch.unreadable)
            report(min(number * step / len(paths), 1.0))
    return Embedded(embeddings[:count], index[:count], unreadable)


class _Backbone:
    """A pretrained network without its last layer.

    Attributes:
        size: side in pixels of the images that it was trained on.
        width: D, the number of its penultimate features.
    """

    def __init__(self, architecture: str, device: str | None) -> None:
        check_architecture(architecture)
        self._device = pick_device(device)
        network = _load(architecture).eval()
        self.width = _remove_head(network)
        self._network = network.to(self._device).to(memory_format=torch.channels_last)
        preset = _weights(architecture).transforms()
        self.size = int(preset.crop_size[0])
        self._mean, self._std = (
            255 * torch.tensor(values, device=self._device).view(1, 3, 1, 1)
            for values in (preset.mean, preset.std)
        )

    @torch.inference_mode()
    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """Embeddings float32 (B, D) of uint8 images (B, size, size, 3)."""
        # Permuted without a copy, the images are in channels-last order.
        images = torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2)
        with autocast(self._device):
            features = self._network((images - self._mean) / self._std)
        return np.asarray(features.flatten(1).float().cpu())


def _weights(architecture: str) -> Any:
    return get_model_weights(architecture).DEFAULT


def _load(architecture: str) -> nn.Module:
    file = weights_file(architecture)
    cached = file.exists()
    weights = _weights(architecture)
    build: Callable[..., nn.Module] = get_model_builder(architecture)
    try:
        if not cached:
            _knock(weights.url)
        # Building draws random weights before the pretrained ones replace them.
        with torch.random.fork_rng(devices=[]):
            return build(weights=weights, progress=False)
    except Exception as error:  # a damaged file may raise anything
        raise _weights_error(architecture, file, cached, error) from error


def _remove_head(network: nn.Module) -> int:
    """Lets the last fully connected layer's input through; returns its width."""
    linear = [name for name, m in network.named_modules() if isinstance(m, nn.Linear)]
    parent, _, name = linear[-1].rpartition(".")
    owner = network.get_submodule(parent)
    width = int(getattr(owner, name).in_features)
    setattr(owner, name, nn.Identity())
    return width


def _knock(url: str) -> None:
    """Raises OSError if the server does not answer; torch would wait for ever."""
    request = Request(url, headers={"User-Agent": "torch.hub"})
    urlopen(request, timeout=_PATIENCE).close()


def _weights_error(
    architecture: str, file: Path, cached: bool, error: Exception
) -> WeightsError:
    reason = (" ".join(str(error).split()) or type(error).__name__)[:200]
    if cached:
        what = (
            f"the weights of model={architecture!r} in {file} cannot be loaded "
            f"({reason}); delete that file and run again, or replace it by a sound one"
        )
    else:
        what = (
            f"the weights of model={architecture!r} are not in torch's cache and could "
            f"not be downloaded ({reason}); put the file {file.name} (from "
            f"{_weights(architecture).url}) into the folder {file.parent}"
        )
    return WeightsError(
        f"{what}, or leave model out to have a network trained here, or pass embeddings"
    )
