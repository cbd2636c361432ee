"""Pretrained weights for tests: random ones, where torch looks for the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from torch import nn
from torchvision.models import get_model

from fiftyone_dfaulo.engine.models import pretrained


def empty_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that torch looks for weights in, with no way to download any."""

    def offline(*args: Any, **kwargs: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(folder / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setattr(pretrained, "urlopen", offline)
    cache = folder / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    return cache


def cache_weights(cache: Path, architecture: str) -> nn.Module:
    """Puts random weights where torch looks for the pretrained ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = get_model(architecture, weights=None).eval()
    name = pretrained.weights_file(architecture).name
    torch.save(network.state_dict(), cache / name)
    return network
