"""Pretrained torchvision networks: which there are, and their weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import torch
import torchvision
from torch import nn
from torchvision.models import (
    WeightsEnum,
    get_model_builder,
    get_model_weights,
    list_models,
)

from fiftyone_dfaulo.config import Preprocessing
from fiftyone_dfaulo.engine.models.original import OriginalModel
from fiftyone_dfaulo.errors import InputError, WeightsError, one_line

_PATIENCE = 10  # seconds that the weights' server has to answer


def architectures() -> list[str]:
    """The torchvision architectures that :func:`load_pretrained` takes, sorted."""
    return list_models(module=torchvision.models)


def check_architecture(architecture: str) -> None:
    """Checks that :func:`load_pretrained` takes an architecture; loads nothing.

    Raises:
        InputError: if it does not.
    """
    known = architectures()
    if architecture in known:
        return
    near = get_close_matches(architecture.lower(), known) or ["resnet18"]
    raise InputError(
        f"model={architecture!r} is no torchvision classification architecture; "
        f"choose one, such as {' or '.join(map(repr, near))} (fiftyone_dfaulo.engine."
        "models.pretrained.architectures() lists all)"
    )


def weights_file(architecture: str) -> Path:
    """Where torch keeps the weights of an architecture; the file may not exist yet."""
    name = Path(urlparse(_weights(architecture).url).path).name
    return Path(torch.hub.get_dir(), "checkpoints", name)


def load_pretrained(architecture: str) -> OriginalModel:
    """A torchvision network with its pretrained weights, transform and classes.

    Raises:
        InputError: if there is no such architecture.
        WeightsError: if the weights are neither in torch's cache nor downloadable.
    """
    check_architecture(architecture)
    weights = _weights(architecture)
    preset = weights.transforms()
    return OriginalModel(
        _load(architecture).to(memory_format=torch.channels_last),
        repr(architecture),
        preprocessing=Preprocessing(
            int(preset.crop_size[0]), tuple(preset.mean), tuple(preset.std)
        ),
        classes=_distinct(weights.meta.get("categories")),
        mixed=True,
    )


def _distinct(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """The names made unique: ImageNet has two cranes, which get their numbers."""
    if names is None:
        return None
    counts = Counter(names)
    return tuple(
        name if counts[name] == 1 else f"{name} ({number})"
        for number, name in enumerate(names)
    )


def _weights(architecture: str) -> WeightsEnum:
    weights: WeightsEnum = get_model_weights(architecture).DEFAULT
    return weights


def _load(architecture: str) -> nn.Module:
    file = weights_file(architecture)
    cached = file.exists()
    weights = _weights(architecture)
    build: Callable[..., nn.Module] = get_model_builder(architecture)
    try:
        if not cached:
            _check_reachable(weights.url)
        # Building draws random weights before the pretrained ones replace them.
        with torch.random.fork_rng(devices=[]):
            return build(weights=weights, progress=False)
    except Exception as error:  # a damaged file may raise anything
        raise _weights_error(architecture, file, cached, error) from error


def _check_reachable(url: str) -> None:
    """Raises OSError if the server does not answer; torch would wait for ever."""
    request = Request(url, headers={"User-Agent": "torch.hub"})
    urlopen(request, timeout=_PATIENCE).close()


def _weights_error(
    architecture: str, file: Path, cached: bool, error: Exception
) -> WeightsError:
    reason = one_line(error)
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
