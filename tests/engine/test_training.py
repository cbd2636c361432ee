"""Training the original model: it learns, repeatably, for as long as it should."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.training import _shift, _stalled, train_network


def digits(count):
    """Real handwritten digits, uint8 (count, 8, 8, 3), and their labels."""
    data = load_digits()
    pixels = (data.images[:count] * 15.9375).astype(np.uint8)
    return np.repeat(pixels[..., None], 3, axis=-1), data.target[:count]


def test_the_network_learns_real_digits():
    pixels, labels = digits(800)
    network = train_network(pixels, labels, 10, settings=Settings(max_epochs=12))
    embeddings, logits = network.outputs(pixels)
    assert (logits.argmax(1) == labels).mean() > 0.95
    assert embeddings.shape == (800, 128)
    assert embeddings.dtype == logits.dtype == np.float32


def test_the_same_seed_gives_the_same_bits():
    pixels, labels = digits(150)
    settings = Settings(max_epochs=2, seed=3)
    first, again = (
        train_network(pixels, labels, 10, settings=settings).outputs(pixels)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_another_batch_size_changes_outputs_only_by_rounding():
    pixels, labels = digits(150)
    network = train_network(pixels, labels, 10, settings=Settings(max_epochs=2))
    large, small = (network.outputs(pixels, batch_size=b)[1] for b in (256, 7))
    np.testing.assert_allclose(small, large, atol=0.05)


def test_training_leaves_global_randomness_alone():
    pixels, labels = digits(60)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    train_network(pixels, labels, 10, settings=Settings(max_epochs=1))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])


@pytest.mark.parametrize("cap", [1, 2, 3, 5])
def test_the_cap_on_epochs_holds(cap):
    pixels, labels = digits(60)
    network = train_network(pixels, labels, 10, settings=Settings(max_epochs=cap))
    assert 1 <= network.epochs <= cap


@pytest.mark.parametrize("count", [2, 3, 11])
def test_a_handful_of_images_is_enough_to_run(count):
    pixels, _ = digits(count)
    labels = np.arange(count) % 2
    network = train_network(pixels, labels, 2, settings=Settings(max_epochs=3))
    assert np.isfinite(network.outputs(pixels)[1]).all()


def test_blank_images_give_finite_outputs():
    pixels = np.zeros((20, 8, 8, 3), np.uint8)
    network = train_network(
        pixels, np.arange(20) % 2, 2, settings=Settings(max_epochs=2)
    )
    assert np.isfinite(network.outputs(pixels)[1]).all()


def test_progress_rises_to_the_end():
    pixels, labels = digits(60)
    told: list[float] = []
    settings = Settings(max_epochs=4)
    train_network(pixels, labels, 10, settings=settings, report=told.append)
    assert told == sorted(told)
    assert len(set(told)) >= 3
    assert told[-1] == 1.0


@pytest.mark.parametrize(
    ("losses", "stalled"),
    [
        ([], False),
        ([2.0], False),
        ([2.0, 2.1], False),
        ([2.0, 2.1, 2.2], True),
        ([2.0, 1.99, 1.98], True),
        ([2.0, 1.95, 1.9], False),
        ([2.0, 2.1, 1.9, 2.1], False),
    ],
)
def test_the_peak_ends_after_two_epochs_without_a_loss_three_per_cent_better(
    losses, stalled
):
    assert _stalled(losses) is stalled


def test_a_shift_moves_an_image_by_at_most_a_sixteenth():
    image = torch.zeros(1, 3, 16, 16)
    image[:, :, 8, 8] = 1.0
    rng = np.random.default_rng(0)
    places = set()
    for _ in range(50):
        moved = _shift(image, rng)
        assert moved.shape == image.shape
        places.add(tuple(torch.nonzero(moved[0, 0])[0].tolist()))
    assert places == {(y, x) for y in (7, 8, 9) for x in (7, 8, 9)}
