"""A torch module as an embedder: what it gets, what it gives, and what is refused."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fiftyone_dfaulo.config import Preprocessing, Settings
from fiftyone_dfaulo.engine.models.original import OriginalModel
from fiftyone_dfaulo.engine.models.torch_embedder import TorchEmbedder
from fiftyone_dfaulo.errors import InputError


def settings(**values: Any) -> Settings:
    return Settings(model="mine", device="cpu", batch_size=2, num_workers=1, **values)


def embedder(module: nn.Module, size: int = 8, mode: str = "RGB", **more: Any) -> Any:
    own = Preprocessing(size, mean=0.0, std=1.0, mode=mode)
    return TorchEmbedder(
        OriginalModel(module, "mine"), settings(preprocessing=own, **more)
    )


class Net(nn.Module):
    """A classifier of 3 classes whose output goes through ``give``."""

    def __init__(self, give: Any = lambda logits: logits, channels: int = 3) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(channels * 64, 5))
            self.drop, self.head = nn.Dropout(), nn.Linear(5, 3)
        self.give = give

    def forward(self, x: Tensor) -> Any:
        return self.give(self.head(self.drop(torch.relu(self.body(x)))))


def pixels(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)


def test_embeddings_and_logits_are_those_of_the_network() -> None:
    module = Net().eval()
    features, logits = embedder(module)(pixels())
    images = torch.from_numpy(pixels()).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        hidden = torch.relu(module.body(images))
        np.testing.assert_allclose(features, hidden, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(logits, module.head(hidden), rtol=1e-5, atol=1e-5)


def test_the_network_that_is_passed_in_stays_as_it_is() -> None:
    module = Net().train()
    before = copy.deepcopy(module.state_dict())
    embedder(module)(pixels())
    assert module.training
    assert not module.head._forward_pre_hooks
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("RGB", [[0.2], [0.6], [1.0]]),
        ("BGR", [[1.0], [0.6], [0.2]]),
        ("L", [[0.299 * 0.2 + 0.587 * 0.6 + 0.114 * 1.0]]),
    ],
)
def test_images_are_prepared_as_said(mode: str, expected: list[list[float]]) -> None:
    module = Net(channels=len(expected))
    own = Preprocessing(8, mean=0.5, std=0.25, mode=mode)
    one = TorchEmbedder(OriginalModel(module, "mine"), settings(preprocessing=own))
    image = np.full((1, 8, 8, 3), [51, 153, 255], np.uint8)
    prepared = one.prepare(image)
    assert prepared.shape == (1, len(expected), 8, 8)
    wanted = (np.array(expected) - 0.5) / 0.25
    np.testing.assert_allclose(prepared.flatten(2)[0, :, :1], wanted, atol=0.01)


def test_without_a_word_images_are_prepared_as_imagenet_s_and_it_is_noted() -> None:
    grey = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)
    )
    one = TorchEmbedder(OriginalModel(grey, "mine"), settings())
    assert one.preprocessing == Preprocessing(224, mode="L")
    assert "resized to 224 x 224, L, with ImageNet's mean" in one.notes[0]
    stated = OriginalModel(Net(), "mine", preprocessing=Preprocessing(8))
    assert TorchEmbedder(stated, settings()).notes == ()
    shape = replace(stated, assumed=True)  # all that an exported network tells
    assert (
        "resized to 8 x 8, RGB, with ImageNet's"
        in TorchEmbedder(shape, settings()).notes[0]
    )
    own = settings(preprocessing=Preprocessing(8, mean=0.5, std=0.5))
    assert TorchEmbedder(shape, own).notes == ()


@pytest.mark.parametrize(
    ("give", "said"),
    [
        (lambda x: (x, x), r"returned a tuple of Tensor\(2, 3\), Tensor\(2, 3\)"),
        (lambda x: {"logits": x}, "returned a dict with 'logits'"),
        (lambda x: x[:, :, None, None], r"a tensor of shape \(2, 3, 1, 1\)"),
        (lambda x: x.mean(), r"a tensor of shape \(\)"),
        (lambda x: None, "returned a NoneType"),
        (lambda x: x / 0, "gives logits of NaN or infinity"),
    ],
)
def test_what_is_no_logits_is_an_error_that_says_what_came(
    give: Any, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        embedder(Net(give))


def test_network_that_needs_other_images_is_an_error_that_says_how_to_say_so() -> None:
    with pytest.raises(InputError, match=r"\(2, 3, 9, 9\).*pass preprocessing="):
        embedder(Net(), size=9)


def test_named_layers_give_their_output_or_their_input() -> None:
    module = Net().eval()
    given, _ = embedder(module)(pixels())
    by_input, logits = embedder(module, layer="<head")(pixels())
    np.testing.assert_array_equal(by_input, given)
    assert logits is not None
    by_output, _ = embedder(module, layer="drop")(pixels())
    np.testing.assert_array_equal(by_output, given)
    whole, nothing = embedder(module, layer="")(pixels())
    np.testing.assert_array_equal(whole, logits)
    assert nothing is None


def test_layer_that_does_not_lead_to_the_logits_is_an_error() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.extra = Net(), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            logits = self.net(x)
            self.extra(logits)
            return logits

    with pytest.raises(InputError, match="'extra' does not lead to the output"):
        embedder(Both(), layer="extra")


def test_exported_network_of_a_fixed_batch_takes_any_number_of_images() -> None:
    module = Net().eval()
    images = torch.zeros(4, 3, 8, 8)
    fixed = torch.export.export(module, (images,)).module()
    own = settings(preprocessing=Preprocessing(8, mean=0.0, std=1.0))
    one = TorchEmbedder(OriginalModel(fixed, "mine", batch=4, open=False), own)
    features, logits = one(pixels(6))
    expected, outputs = embedder(module)(pixels(6))
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(logits, outputs, rtol=1e-5, atol=1e-6)


def test_exported_network_of_one_image_at_a_time_is_an_error() -> None:
    fixed = torch.export.export(Net().eval(), (torch.zeros(1, 3, 8, 8),)).module()
    own = settings(preprocessing=Preprocessing(8))
    with pytest.raises(InputError, match="one image at a time"):
        TorchEmbedder(OriginalModel(fixed, "mine", batch=1, open=False), own)
