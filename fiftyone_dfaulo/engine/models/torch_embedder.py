"""A torch module as an embedder: its penultimate layer found, its input prepared."""

from __future__ import annotations

import copy
from contextlib import nullcontext, suppress
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fiftyone_dfaulo.config import Preprocessing, Settings
from fiftyone_dfaulo.engine.cache.digest import digest
from fiftyone_dfaulo.engine.device import autocast, pick_device, surroundings
from fiftyone_dfaulo.engine.models.embedder import PROBES, Embedder, noise
from fiftyone_dfaulo.engine.models.identity import identify
from fiftyone_dfaulo.engine.models.model_output import check_finite, checked_output
from fiftyone_dfaulo.engine.models.original import OriginalModel
from fiftyone_dfaulo.engine.models.penultimate import (
    capture_activations,
    find_penultimate,
    freeze_first,
    named_layer,
    pool,
)
from fiftyone_dfaulo.engine.threads import sharing_cores
from fiftyone_dfaulo.errors import InputError, one_line

_PIXELS = 2**22  # per forward pass, so that large images do not exhaust the memory
_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's "L"


class TorchEmbedder(Embedder):
    """A copy of a model, frozen, on its device, with its penultimate layer found.

    Args:
        model: the model; its module is left as it is.
        settings: ``layer``, ``preprocessing``, ``batch_size`` and ``device`` are used.

    Attributes:
        module: the copy.
        device: where it lies.
        penultimate: where the embedding is taken.
        preprocessing: how images are prepared.
        open: whether its layers are Python modules, which can be named and trained.

    Raises:
        InputError: if the model cannot be copied or run, returns something else than
            logits, has no layer to take, or states a batch that it does not take.
    """

    def __init__(self, model: OriginalModel, settings: Settings) -> None:
        self.name, self.classes = model.name, model.classes
        self.open, self._mixed, self._batch = model.open, model.mixed, model.batch
        self._wanted = settings.device
        self.device = pick_device(settings.device)
        self.module = _copy(model, self.device)
        given, stated = settings.preprocessing, model.preprocessing
        self.preprocessing = given or stated or _guess(self.module)
        known = given or (stated and not model.assumed)
        self.notes = () if known else (_assumed(self.preprocessing),)
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=self.device) * 255
            for values in (
                self.preprocessing.channel_mean,
                self.preprocessing.channel_std,
            )
        )
        self.size = self.preprocessing.size
        self.step = max(1, min(settings.batch_size, _PIXELS // self.size**2))
        self._probe(settings.layer)

    def identity(self) -> str | None:
        """See :meth:`.Embedder.identity`."""
        try:
            own = identify(self.module)
        except Exception:  # noqa: BLE001 - it is somebody's network
            return None
        if own is None:
            return None
        prepared, layer = asdict(self.preprocessing), self.penultimate.layer
        said = self(noise(self._batch or PROBES, self.size))
        known = self.classes and list(self.classes)
        parts = (own, prepared, layer, self._batch, self._mixed, known, *said)
        return digest(parts, surroundings(self.device))

    def sent(self) -> TorchEmbedder:
        """See :meth:`.Embedder.sent`: in memory that any machine has."""
        if self.device.type == "cpu":
            return self
        other = copy.copy(self)
        other.module = copy.deepcopy(self.module)
        other._move(torch.device("cpu"))
        return other

    def arrived(self) -> TorchEmbedder:
        """See :meth:`.Embedder.arrived`."""
        device = pick_device(self._wanted)
        if device != self.device:
            self._move(device)
        return self

    def _move(self, device: torch.device) -> None:
        self.device = device
        self.module = self.module.to(device)
        self._mean, self._std = self._mean.to(device), self._std.to(device)

    def prepare(self, pixels: np.ndarray) -> Tensor:
        """uint8 images (B, S, S, 3) as the network's input, float32 (B, C, S, S)."""
        if self.preprocessing.mode == "L":
            pixels = np.rint(pixels @ _GREY)[..., None]
        elif self.preprocessing.mode == "BGR":
            pixels = pixels[..., ::-1].copy()
        images = torch.from_numpy(pixels).to(self.device).float()
        # Permuted without a copy, the images are in channels-last order.
        return ((images - self._mean) / self._std).permute(0, 3, 1, 2)

    def __call__(
        self, pixels: np.ndarray, *, with_logits: bool = True
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Embeddings float32 (B, D) and logits (B, K) of images (B, S, S, 3).

        The logits come with the embeddings, whether they are needed or not.
        """
        batch = self._batch or len(pixels)
        parts = [
            self._run(pixels[start : start + batch], batch)
            for start in range(0, len(pixels), batch)
        ]
        features, logits = zip(*parts)
        if logits[0] is None:
            return np.concatenate(features), None
        return np.concatenate(features), np.concatenate(logits)

    def _run(
        self, pixels: np.ndarray, batch: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        count = len(pixels)
        if count < batch:  # an exported network may take so many and no fewer
            pixels = np.concatenate([pixels, np.repeat(pixels[-1:], batch - count, 0)])
        context = autocast(self.device) if self._mixed else nullcontext()
        with torch.no_grad(), context:
            features, output = self.forward(self.prepare(pixels))
        values = np.asarray(features[:count].float().cpu())
        if not self.outputs:
            return values, None
        return values, np.asarray(output[:count].float().cpu())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, D) and the output of prepared images, gradients and all."""
        if self.penultimate.layer == "":
            output = self.module(images)
            values = [output]
        else:
            with capture_activations(
                self.module, self.penultimate, len(images)
            ) as values:
                output = self.module(images)
        if not values or not isinstance(values[-1], Tensor):
            raise InputError(
                f"model={self.name} did not pass its penultimate layer "
                f"{self.penultimate.layer!r} with a tensor; name another by layer="
            )
        features = pool(values[-1], len(images), channels_first=not self._takes_rows())
        return features, output

    def _takes_rows(self) -> bool:
        """Whether features are in the last dimension, as linear layers have them."""
        layer = self.penultimate.layer
        if not layer:
            return False
        owner = self.module.get_submodule(layer.removeprefix("<"))
        return isinstance(owner, nn.Linear)

    @sharing_cores
    def _probe(self, layer: str | None) -> None:
        """Finds the layer on noise, and what the model gives."""
        count = self._batch or PROBES
        images = self.prepare(noise(count, self.size))
        output = self._try(images)
        self.outputs = 0
        if layer is None or layer:
            logits = checked_output(self.name, output, count, strict=layer is None)
            self.outputs = 0 if logits is None else int(logits.shape[1])
            if logits is not None:
                values = logits.float().cpu().numpy()
                check_finite(self.name, {"logits": values}, ["noise"] * count)
        if layer is None:
            if count < 2:
                raise InputError(
                    f"model={self.name} was exported for one image at a time, which "
                    "hides where its logits come from; export it with a dynamic batch "
                    "(dynamic_shapes=({0: torch.export.Dim('batch')},)), or for two "
                    "images or more"
                )
            self.penultimate = find_penultimate(self.module, images)
        else:
            self.penultimate = named_layer(self.module, layer)
        with torch.no_grad():
            self.width = int(self.forward(images)[0].shape[1])
        if layer:
            self._check_leads(images, output, layer)

    def _try(self, images: Tensor) -> Any:
        try:
            with torch.no_grad():
                return self.module(images)
        except Exception as error:  # it is somebody's network
            raise InputError(
                f"model={self.name} cannot be run on images of shape "
                f"{tuple(images.shape)} ({type(error).__name__}: {one_line(error)}); "
                "pass preprocessing=Preprocessing(size=..., mode='RGB' or 'L') as the "
                "model needs it"
            ) from error

    def _check_leads(self, images: Tensor, output: Any, layer: str) -> None:
        """Makes sure that the output depends on what the named layer gives."""
        module = self.module.get_submodule(layer.removeprefix("<"))
        count = len(images)

        def freeze_output(_: nn.Module, __: Any, out: Any) -> Any:
            return freeze_first(out, count) if isinstance(out, Tensor) else None

        handle = module.register_forward_hook(freeze_output)
        try:
            changed = self._try(images)
        finally:
            handle.remove()
        if isinstance(output, Tensor) and torch.equal(changed, output):
            raise InputError(
                f"layer={layer!r} does not lead to the output of model={self.name} "
                "(an auxiliary head?); name a layer that the logits come from"
            )


def _copy(model: OriginalModel, device: torch.device) -> nn.Module:
    module: nn.Module = getattr(model.module, "_orig_mod", model.module)
    try:
        with torch.no_grad():  # or what TorchScript copies is part of a graph
            copied = copy.deepcopy(module)
        with suppress(NotImplementedError):  # exported networks are what they are
            copied.eval()
        return copied.to(device)
    except Exception as error:  # it is somebody's network
        raise InputError(
            f"model={model.name} cannot be copied to {device} "
            f"({type(error).__name__}: {one_line(error)}); pass a "
            "torch.nn.Module that copy.deepcopy can copy"
        ) from error


def _guess(module: nn.Module) -> Preprocessing:
    """ImageNet's, for as many channels as the first convolution takes."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            return Preprocessing(mode="L" if parameter.shape[1] == 1 else "RGB")
    return Preprocessing()


def _assumed(preprocessing: Preprocessing) -> str:
    side = preprocessing.size
    return (
        "Nothing says fully how images are prepared for this model. They were resized "
        f"to {side} x {side}, {preprocessing.mode}, with ImageNet's mean and standard "
        "deviation; pass preprocessing= if it was trained otherwise."
    )
