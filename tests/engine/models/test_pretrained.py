from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models import get_model_weights

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.features import Features
from fiftyone_dfaulo.engine.images import shards
from fiftyone_dfaulo.engine.models import embedder, pretrained, torch_embedder
from fiftyone_dfaulo.engine.models.pretrained import (
    architectures,
    check_architecture,
    load_pretrained,
    weights_file,
)
from fiftyone_dfaulo.engine.models.torch_embedder import TorchEmbedder
from fiftyone_dfaulo.errors import Cancelled, InputError, WeightsError
from tests.weights import cache_weights, empty_cache

SETTINGS = Settings(device="cpu", batch_size=2, num_workers=2)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """See :func:`empty_cache`."""
    return empty_cache(tmp_path, monkeypatch)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full precision, so that results can be compared closely on every machine."""
    monkeypatch.setattr(torch_embedder, "autocast", lambda device: nullcontext())


def embed_images(
    paths: list[str], architecture: str, *, settings: Settings, **more: Any
) -> Features:
    loaded = TorchEmbedder(load_pretrained(architecture), settings)
    return embedder.embed_images(paths, loaded, settings=settings, **more)


def make_images(folder: Path, count: int, side: int = 20) -> list[str]:
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        pixels = rng.integers(0, 256, (side, side, 3), np.uint8)
        paths.append(str(folder / f"{number}.png"))
        Image.fromarray(pixels).save(paths[-1])
    return paths


def last_linear_input(network: nn.Module, images: torch.Tensor) -> np.ndarray:
    """What the last linear layer to run is given, told by a hook."""
    seen: list[torch.Tensor] = []
    for module in network.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        assert network(images).shape == (len(images), 1000)
    return seen[-1].flatten(1).numpy()


@pytest.mark.usefixtures("exact")
def test_embeddings_are_the_input_of_the_last_layer(
    tmp_path: Path, cache: Path
) -> None:
    network = cache_weights(cache, "resnet18")
    paths = make_images(tmp_path, 3, side=224)
    transforms = get_model_weights("resnet18").DEFAULT.transforms(resize_size=224)
    images = []
    for path in paths:
        with Image.open(path) as image:
            images.append(transforms(image))

    result = embed_images(paths, "resnet18", settings=SETTINGS)

    assert result.embeddings.shape == (3, 512)
    assert result.embeddings.dtype == np.float32
    assert result.index.tolist() == [0, 1, 2]
    assert result.unreadable == {}
    expected = last_linear_input(network, torch.stack(images))
    np.testing.assert_allclose(result.embeddings, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("exact")
def test_the_batch_size_changes_rounding_only(tmp_path: Path, cache: Path) -> None:
    cache_weights(cache, "resnet18")
    paths = make_images(tmp_path, 3)
    one, three = (
        embed_images(
            paths,
            "resnet18",
            settings=Settings(device="cpu", batch_size=size, num_workers=1),
        )
        for size in (1, 3)
    )
    np.testing.assert_allclose(one.embeddings, three.embeddings, rtol=1e-4, atol=1e-5)


def test_the_same_run_gives_the_same_bits(tmp_path: Path, cache: Path) -> None:
    cache_weights(cache, "resnet18")
    paths = make_images(tmp_path, 2)
    first, second = (
        embed_images(paths, "resnet18", settings=SETTINGS).embeddings for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first[0] - first[1]).max() > 0.01


@pytest.mark.usefixtures("exact")
def test_unreadable_images_are_left_out(tmp_path: Path, cache: Path) -> None:
    cache_weights(cache, "resnet18")
    good = make_images(tmp_path, 2)
    missing = str(tmp_path / "missing.png")
    paths = [missing, missing, good[0], missing, good[1], good[0]]
    result = embed_images(paths, "resnet18", settings=SETTINGS)
    assert result.index.tolist() == [2, 4, 5]
    assert result.index.dtype == np.int64
    assert sorted(result.unreadable) == [0, 1, 3]
    alone = embed_images(good, "resnet18", settings=SETTINGS).embeddings
    expected = alone[[0, 1, 0]]
    np.testing.assert_allclose(result.embeddings, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(alone[0] - alone[1]).max() > 0.01


def test_no_readable_image_gives_no_embeddings(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_weights(cache, "resnet18")
    monkeypatch.setattr(TorchEmbedder, "__call__", pytest.fail)
    for paths in ([], [str(tmp_path / "missing.png")]):
        result = embed_images(paths, "resnet18", settings=SETTINGS)
        assert result.embeddings.shape == (0, 512)
        assert result.index.shape == (0,)
        assert len(result.unreadable) == len(paths)


def test_progress_is_reported_once_per_shard(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_weights(cache, "resnet18")
    monkeypatch.setattr(shards, "SHARD", 1)  # a batch
    seen: list[float] = []
    paths = make_images(tmp_path, 1) * 5
    embed_images(paths, "resnet18", settings=SETTINGS, report=seen.append)
    assert seen == [0.4, 0.8, 1.0]


def test_large_images_go_through_the_network_a_few_at_a_time(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_weights(cache, "resnet18")
    monkeypatch.setattr(torch_embedder, "_PIXELS", 224 * 224 * 3 - 1)
    monkeypatch.setattr(shards, "SHARD", 1)  # a batch
    seen: list[float] = []
    embed_images(
        make_images(tmp_path, 1) * 4,
        "resnet18",
        settings=Settings(device="cpu", batch_size=256),
        report=seen.append,
    )
    assert seen == [0.5, 1.0]


def test_a_report_that_raises_stops_the_embedding(tmp_path: Path, cache: Path) -> None:
    def report(fraction: float) -> None:
        raise Cancelled("stop")

    cache_weights(cache, "resnet18")
    paths = make_images(tmp_path, 1) * 5
    with pytest.raises(Cancelled):
        embed_images(paths, "resnet18", settings=SETTINGS, report=report)
    names = [thread.name for thread in threading.enumerate()]
    assert not any(name.startswith("dfaulo-decode") for name in names)


def test_the_random_state_of_the_caller_is_left_alone(
    tmp_path: Path, cache: Path
) -> None:
    cache_weights(cache, "resnet18")
    before = torch.random.get_rng_state()
    embed_images(make_images(tmp_path, 1), "resnet18", settings=SETTINGS)
    assert torch.equal(torch.random.get_rng_state(), before)


def assert_is_helpful(error: WeightsError, cache: Path) -> None:
    text = str(error)
    assert "model='resnet18'" in text
    assert "resnet18-f37072fd.pth" in text
    assert str(cache) in text
    assert "leave model out" in text
    assert "pass embeddings" in text
    assert "\n" not in text


@pytest.fixture
def undecodable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes decoding before the weights are there a failure."""
    monkeypatch.setattr(shards, "iter_batches", pytest.fail)


@pytest.mark.usefixtures("undecodable")
def test_missing_weights_are_an_error_that_names_the_alternatives(cache: Path) -> None:
    with pytest.raises(WeightsError, match="no route to host") as caught:
        embed_images(["a.png"], "resnet18", settings=SETTINGS)
    assert_is_helpful(caught.value, cache)


def raise_error(error: Exception) -> Callable[..., None]:
    def function(*args: Any, **kwargs: Any) -> None:
        raise error

    return function


@pytest.mark.usefixtures("undecodable")
@pytest.mark.parametrize(
    "error",
    [
        URLError("certificate"),
        TimeoutError("timed out"),
        RuntimeError('invalid hash value (expected "f37072fd", got "00")'),
        PermissionError(13, "Permission denied"),
    ],
)
def test_a_failing_download_is_an_error_that_names_the_alternatives(
    cache: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Answer:
        def close(self) -> None:
            pass

    monkeypatch.setattr(pretrained, "urlopen", lambda *_, **__: Answer())
    monkeypatch.setattr(torch.hub, "download_url_to_file", raise_error(error))
    with pytest.raises(WeightsError, match="could not be downloaded") as caught:
        embed_images(["a.png"], "resnet18", settings=SETTINGS)
    assert_is_helpful(caught.value, cache)


@pytest.mark.usefixtures("cache")
def test_a_server_that_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timeouts: list[float] = []

    def silent_server(request: object, timeout: float) -> None:
        timeouts.append(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr(pretrained, "urlopen", silent_server)
    with pytest.raises(WeightsError, match="timed out"):
        embed_images([], "resnet18", settings=SETTINGS)
    assert len(timeouts) == 1
    assert 1 <= timeouts[0] <= 30


def damage_cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def damage_empty(file: Path) -> None:
    file.write_bytes(b"")


def damage_page(file: Path) -> None:
    file.write_text("<html>please log in</html>")


def damage_other_network(file: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), file)


def damage_no_weights(file: Path) -> None:
    torch.save([1, 2], file)


@pytest.mark.usefixtures("undecodable")
@pytest.mark.parametrize(
    "damage",
    [
        damage_cut,
        damage_empty,
        damage_page,
        damage_other_network,
        damage_no_weights,
    ],
)
def test_a_damaged_weights_file_is_an_error_that_says_which(
    cache: Path, damage: Callable[[Path], None]
) -> None:
    cache_weights(cache, "resnet18")
    file = weights_file("resnet18")
    damage(file)
    with pytest.raises(WeightsError, match="delete that file") as caught:
        embed_images(["a.png"], "resnet18", settings=SETTINGS)
    assert_is_helpful(caught.value, cache)
    assert file.exists()


def test_the_weights_file_is_where_torch_looks_for_it(cache: Path) -> None:
    assert weights_file("resnet18") == cache / "resnet18-f37072fd.pth"


@pytest.mark.usefixtures("undecodable", "cache")
def test_an_unknown_architecture_is_an_error_with_near_matches() -> None:
    with pytest.raises(InputError, match="'vit_b_16'"):
        embed_images([], "VIT-B-16", settings=SETTINGS)
    with pytest.raises(InputError, match="'mobilenet_v3_small'"):
        check_architecture("mobilenet_v3_smal")
    with pytest.raises(InputError, match="such as 'resnet18'"):
        check_architecture("")


def test_architectures_are_the_classification_networks_that_work() -> None:
    names = architectures()
    assert names == sorted(names)
    assert {"resnet18", "vit_b_16", "convnext_tiny", "swin_t"} <= set(names)
    unusable = {"fcn_resnet50", "r3d_18", "quantized_resnet18"}
    assert not unusable & set(names)
    for name in names:
        check_architecture(name)
        preset = get_model_weights(name).DEFAULT.transforms()
        assert len(preset.mean) == len(preset.std) == 3
        assert len(preset.crop_size) == 1
