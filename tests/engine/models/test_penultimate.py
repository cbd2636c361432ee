"""The penultimate layer of real architectures, by name and by shape."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from fiftyone_dfaulo.engine.models.penultimate import (
    Penultimate,
    capture_activations,
    find_penultimate,
    named_layer,
    pool,
)
from fiftyone_dfaulo.errors import InputError


def seeded(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build().eval()


def noise(side: int, channels: int = 3, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, channels, side, side, generator=generator)


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2 = nn.Linear(256, 120), nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))


class Wrapper(nn.Module):
    """What a training framework keeps a network in."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


def torchvision(name: str) -> Callable[[], nn.Module]:
    return lambda: get_model(name, weights=None, num_classes=7)


ARCHITECTURES = [
    ("resnet18", torchvision("resnet18"), 32, "<fc", 512),
    (
        "mobilenet_v3_small",
        torchvision("mobilenet_v3_small"),
        32,
        "<classifier.3",
        1024,
    ),
    ("efficientnet_b0", torchvision("efficientnet_b0"), 32, "<classifier.1", 1280),
    ("convnext_tiny", torchvision("convnext_tiny"), 32, "<classifier.2", 768),
    (
        "vit",
        lambda: get_model("vit_b_32", weights=None, num_classes=7, image_size=32),
        32,
        "<heads.head",
        768,
    ),
    ("swin_t", torchvision("swin_t"), 32, "<head", 768),
    ("densenet121", torchvision("densenet121"), 32, "<classifier", 1024),
    ("vgg11", torchvision("vgg11"), 32, "<classifier.6", 4096),
    ("squeezenet", torchvision("squeezenet1_1"), 64, "<classifier.1", 512),
    ("lenet", LeNet, 28, "<fc3", 84),
    ("wrapper", lambda: Wrapper(get_model("resnet18", num_classes=7)), 32, None, 512),
    (
        "data parallel",
        lambda: nn.DataParallel(get_model("resnet18", num_classes=7)),
        32,
        "<module.fc",
        512,
    ),
]


@pytest.mark.parametrize(
    ("name", "build", "side", "layer", "width"),
    ARCHITECTURES,
    ids=[name for name, *_ in ARCHITECTURES],
)
def test_penultimate_layer_is_found_by_name_and_by_shape(
    name: str, build: Callable[[], nn.Module], side: int, layer: str | None, width: int
) -> None:
    network = seeded(build)
    images = noise(side, channels=1 if name == "lenet" else 3)

    found = find_penultimate(network, images)

    assert found == Penultimate(layer or "<network.fc")
    with torch.no_grad(), capture_activations(network, found, 2) as values:
        logits = network(images)
    head = network.get_submodule(str(found.layer)[1:])
    features = pool(values[0], 2, channels_first=isinstance(head, nn.Conv2d))
    assert features.shape == (2, width)
    if isinstance(head, nn.Linear):
        torch.testing.assert_close(head(values[0]), logits)


def test_head_of_a_network_that_the_other_tests_do_not_hook_is_its_input() -> None:
    network = seeded(LeNet)
    images = noise(28, 1)
    with (
        torch.no_grad(),
        capture_activations(network, find_penultimate(network, images), 2) as values,
    ):
        network(images)
    x = torch.max_pool2d(torch.relu(network.conv1(images)), 2)
    x = torch.max_pool2d(torch.relu(network.conv2(x)), 2).flatten(1)
    expected = torch.relu(network.fc2(torch.relu(network.fc1(x))))
    torch.testing.assert_close(values[0], expected)


class TwoHeads(nn.Module):
    """The auxiliary head runs last, and the logits do not come from it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3 * 8 * 8, 5)
        self.head, self.auxiliary = nn.Linear(5, 4), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.body(x.flatten(1)) + 1)
        logits = self.head(x)
        self.extra = self.auxiliary(x)
        return logits


def test_auxiliary_head_is_not_taken_for_the_head() -> None:
    assert find_penultimate(seeded(TwoHeads), noise(8)).layer == "<head"


def test_auxiliary_classifier_of_inception_is_not_taken() -> None:
    def build() -> nn.Module:
        return get_model("googlenet", weights=None, num_classes=7, init_weights=False)

    assert find_penultimate(seeded(build), noise(32)).layer == "<fc"


class Functional(nn.Module):
    """A head without a module of its own, and a temperature behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.Tanh())
        self.weight = nn.Parameter(torch.randn(4, 5))

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.normalize(self.body(x))
        return 16 * nn.functional.linear(x, nn.functional.normalize(self.weight))


def test_head_that_is_no_module_is_found_by_its_product() -> None:
    network = seeded(Functional)
    images = noise(8)
    found = find_penultimate(network, images)
    assert found.layer is None
    with torch.no_grad():
        with capture_activations(network, found, 2) as values:
            network(images)
        expected = nn.functional.normalize(network.body(images))
    torch.testing.assert_close(values[0], expected)


class Sum(nn.Module):
    """Two heads that both make the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(192, 4), nn.Linear(192, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x.flatten(1)) + self.two(x.flatten(1))


@pytest.mark.parametrize("build", [Sum, nn.Flatten])
def test_network_without_one_head_is_an_error_that_says_what_to_name(
    build: Callable[[], nn.Module],
) -> None:
    with pytest.raises(InputError, match="makes the logits alone; name the penult"):
        find_penultimate(seeded(build), noise(8))


def test_layer_that_does_not_exist_is_an_error_that_lists_some() -> None:
    with pytest.raises(InputError, match="no layer='<fc'; it has body, head, aux"):
        named_layer(seeded(TwoHeads), "<fc")


def scripted(network: nn.Module, images: Tensor) -> Any:
    return torch.jit.script(network)


def traced(network: nn.Module, images: Tensor) -> Any:
    return torch.jit.trace(network, images)


def exported(network: nn.Module, images: Tensor) -> Any:
    return torch.export.export(network, (images,)).module()


@pytest.mark.parametrize("convert", [scripted, traced, exported])
@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1"])
def test_archived_networks_give_the_features_of_the_module(
    convert: Callable[[nn.Module, Tensor], Any], name: str
) -> None:
    network = seeded(torchvision(name))
    images = noise(64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archived = convert(network, images)
    seen = []
    for one in (network, archived):
        found = find_penultimate(one, images)
        for _ in range(3):  # TorchScript optimises what has run twice
            with torch.no_grad(), capture_activations(one, found, 2) as values:
                one(images)
        seen.append(values[0])
    torch.testing.assert_close(seen[1], seen[0], rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="cannot be taken from a TorchScript"):
        named_layer(archived, "classifier")
