from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fiftyone_dfaulo.engine.paper.vae import EPOCHS, VAE, reconstruction_errors

CPU = torch.device("cpu")


def errors_of(
    pixels: np.ndarray, labels: np.ndarray, *, seed: int = 0, **options: Any
) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    return reconstruction_errors(
        pixels, labels, generator=generator, device=CPU, **options
    )


def like(pattern: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Images like a pattern, with a little noise."""
    noise = rng.integers(-10, 11, size=(count, *pattern.shape))
    return np.clip(pattern.astype(int) + noise, 0, 255).astype(np.uint8)


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


def test_an_image_unlike_its_class_is_reconstructed_worst() -> None:
    rng = np.random.default_rng(1)
    left, right = np.full((2, 8, 8, 3), 20, dtype=np.uint8)
    left[:, :4] = right[:, 4:] = 235
    pixels = np.concatenate([like(left, 299, rng), like(right, 299, rng)])
    labels = np.repeat([0, 1], 299)
    # One image of each pattern in the other's class.
    pixels = np.concatenate([pixels, like(right, 1, rng), like(left, 1, rng)])
    labels = np.append(labels, [0, 1])

    errors = errors_of(pixels, labels)

    for given in (0, 1):
        of_class = np.where(labels == given, errors, -1)
        assert of_class.argmax() == 598 + given
        others = np.delete(errors[labels == given], -1)
        assert errors[598 + given] > 1.5 * others.max()


def test_errors_are_squared_distances_to_the_image_decoded_from_the_mean_code() -> None:
    model = VAE(5, torch.Generator().manual_seed(3))
    image = np.linspace(0, 1, 5, dtype=np.float32)

    x = image.astype(float)
    weights = {
        name: p.detach().double().numpy() for name, p in model.named_parameters()
    }
    layers = [f"encoder.{i}" for i in (0, 2, 4)] + ["mean"]
    layers += [f"decoder.0.{i}" for i in (0, 2, 4)] + ["decoder.1"]
    for layer in layers:
        x = weights[f"{layer}.weight"] @ x + weights[f"{layer}.bias"]
        if layer not in ("mean", "decoder.1"):
            x = np.maximum(x, 0)
    rebuilt = 1 / (1 + np.exp(-x))

    found = model.errors(torch.from_numpy(image)[None])
    assert found.item() == pytest.approx(((rebuilt - image) ** 2).sum(), rel=1e-5)


def test_loss_is_squared_error_plus_divergence_from_a_standard_normal() -> None:
    model = VAE(4, torch.Generator().manual_seed(3))
    image = torch.tensor([[0.0, 0.25, 0.5, 1.0]])
    with torch.no_grad():
        # A code of mean (1, -2) and variance (1, e), whatever the image.
        for layer, bias in (
            (model.mean, [1.0, -2.0]),
            (model.log_variance, [0.0, 1.0]),
        ):
            layer.weight.zero_()
            layer.bias.copy_(torch.tensor(bias))
        code = torch.tensor([[1.0 + 0.5, -2.0 + 2.0 * math.exp(0.5)]])
        squared = (model.decoder(code) - image).square().sum()

    loss = model.loss(image, torch.tensor([[0.5, 2.0]]))

    # Half of: mean^2 + variance - 1 - log(variance), summed over the two numbers.
    divergence = (1.0 + (4.0 + math.e - 1.0 - 1.0)) / 2
    assert loss.item() == pytest.approx(squared.item() + divergence, rel=1e-5)


def test_pixels_are_scaled_to_between_zero_and_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    monkeypatch.setattr(VAE, "errors", lambda model, x: seen.append(x) or x.sum(1))
    pixels = np.array([0, 51, 255], dtype=np.uint8).reshape(1, 1, 1, 3)
    errors_of(pixels, np.array([0]))
    assert seen[0].tolist() == [pytest.approx([0, 0.2, 1])]


@pytest.mark.parametrize("shape", [(8, 8, 3), (64, 64, 3), (5, 7, 1), (1, 1, 3)])
def test_any_image_size_works(shape: tuple[int, int, int]) -> None:
    errors = errors_of(random_images(6, *shape), np.array([0, 0, 0, 2, 2, 5]))
    assert errors.shape == (6,)
    assert errors.dtype == np.float32
    assert np.isfinite(errors).all()
    assert (errors > 0).all()


def test_same_seed_gives_the_same_bits_and_another_seed_does_not() -> None:
    pixels, labels = random_images(50, 6, 6, 3), np.arange(50) % 2
    first = errors_of(pixels, labels)
    assert np.array_equal(first, errors_of(pixels, labels))
    assert not np.array_equal(first, errors_of(pixels, labels, seed=1))


def test_a_memory_map_gives_what_an_array_gives(tmp_path: Path) -> None:
    pixels, labels = random_images(40, 4, 4, 3), np.arange(40) % 3
    np.save(tmp_path / "pixels.npy", pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    assert np.array_equal(errors_of(pixels, labels), errors_of(mapped, labels))


def test_global_random_state_is_neither_read_nor_changed() -> None:
    pixels, labels = random_images(20, 4, 4, 3), np.arange(20) % 2
    first = errors_of(pixels, labels)
    torch.rand(3)
    before = torch.get_rng_state(), np.random.get_state()[1]
    second = errors_of(pixels, labels)
    assert np.array_equal(first, second)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])


def test_progress_rises_to_one_by_epochs_of_classes() -> None:
    fractions: list[float] = []
    errors_of(
        random_images(8, 2, 2, 3), np.array([0] * 6 + [1] * 2), report=fractions.append
    )
    steps = [6] * EPOCHS + [2] * EPOCHS
    assert fractions == pytest.approx(np.cumsum(steps) / (8 * EPOCHS))
