"""Training the original model: it learns, repeatably, for as long as it is told."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cache.folder import Folder, RunOf
from fiftyone_dfaulo.engine.cache.work import Keeper, Work
from fiftyone_dfaulo.engine.cluster.executor import Here
from fiftyone_dfaulo.engine.network.architecture import seeded_network
from fiftyone_dfaulo.engine.network.training import _share, _shift, train_network


def digits(count):
    """Real handwritten digits, uint8 (count, 8, 8, 3), and their labels."""
    data = load_digits()
    pixels = (data.images[:count] * 15.9375).astype(np.uint8)
    return np.repeat(pixels[..., None], 3, axis=-1), data.target[:count]


def test_the_network_learns_real_digits():
    pixels, labels = digits(800)
    network = train_network(pixels, labels, 10, settings=Settings(epochs=12))
    embeddings, logits = network.outputs(pixels)
    assert (logits.argmax(1) == labels).mean() > 0.95
    assert embeddings.shape == (800, 128)
    assert embeddings.dtype == logits.dtype == np.float32


def test_the_same_seed_gives_the_same_bits():
    pixels, labels = digits(150)
    settings = Settings(epochs=2, seed=3)
    first, again = (
        train_network(pixels, labels, 10, settings=settings).outputs(pixels)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_another_batch_size_changes_outputs_only_by_rounding():
    pixels, labels = digits(150)
    network = train_network(pixels, labels, 10, settings=Settings(epochs=2))
    large, small = (network.outputs(pixels, batch_size=b)[1] for b in (256, 7))
    np.testing.assert_allclose(small, large, atol=0.05)


class WithGpu(Here):
    """Does the work here, as if it were done elsewhere on a GPU."""

    remote = has_gpu = True
    parts = 0

    def each(self, work, shared, parts, *, gpu=False):
        assert gpu
        self.parts += len(parts)
        for part in parts:  # each begins anew, as on a machine that knows nothing
            yield from work(shared.get(), [part])


def test_epochs_done_elsewhere_give_the_same_bits():
    pixels, labels = digits(300)
    settings = Settings(epochs=3, seed=3)
    here = train_network(pixels, labels, 10, settings=settings)
    elsewhere = WithGpu()
    there = train_network(pixels, labels, 10, settings=settings, executor=elsewhere)
    assert elsewhere.parts == 3
    np.testing.assert_array_equal(here.learning, there.learning)
    outputs = there.outputs(pixels, executor=elsewhere)
    assert elsewhere.parts == 5  # of 256 images at most
    for one, other in zip(here.outputs(pixels), outputs):
        np.testing.assert_array_equal(one, other)


def test_training_leaves_global_randomness_alone():
    pixels, labels = digits(60)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    train_network(pixels, labels, 10, settings=Settings(epochs=1))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])


@pytest.mark.parametrize(("epochs", "first"), [(1, 0), (2, 1), (5, 2)])
def test_what_it_said_in_the_second_half_of_training_is_kept(epochs, first):
    pixels, labels = digits(60)
    steps: list[np.ndarray] = []
    network = train_network(
        pixels, labels, 10, settings=Settings(epochs=epochs), after_epoch=steps.append
    )
    assert len(steps) == epochs
    assert all((one != other).any() for one, other in zip(steps, steps[1:]))
    kept = np.mean(steps[first:], axis=0)
    np.testing.assert_allclose(network.learning, kept, rtol=0, atol=1e-5)


def test_samples_left_out_are_neither_learned_nor_measured():
    pixels, labels = digits(60)
    left_out = np.arange(60) % 3 == 0
    changed = np.where(left_out[:, None, None, None], 255 - pixels, pixels)
    settings = Settings(epochs=2)
    one, other = (
        train_network(these, labels, 10, settings=settings, left_out=left_out)
        for these in (pixels, changed)
    )
    np.testing.assert_array_equal(one.outputs(pixels)[1], other.outputs(pixels)[1])
    assert np.isnan(one.learning[left_out]).all()
    np.testing.assert_array_equal(one.learning[~left_out], other.learning[~left_out])
    alone = train_network(pixels[~left_out], labels[~left_out], 10, settings=settings)
    np.testing.assert_array_equal(one.learning[~left_out], alone.learning)


def test_each_sample_has_the_logits_that_its_own_step_saw():
    pixels, labels = digits(400)
    steps: list[np.ndarray] = []
    train_network(
        pixels, labels, 10, settings=Settings(epochs=12), after_epoch=steps.append
    )
    assert (steps[-1].argmax(1) == labels).mean() > 0.9
    assert (steps[0].argmax(1) == labels).mean() < 0.5  # seen before it learned


@pytest.mark.parametrize("count", [2, 3, 11])
def test_a_handful_of_images_is_enough_to_run(count):
    pixels, _ = digits(count)
    labels = np.arange(count) % 2
    network = train_network(pixels, labels, 2, settings=Settings(epochs=3))
    assert np.isfinite(network.outputs(pixels)[1]).all()


def test_blank_images_give_finite_outputs():
    pixels = np.zeros((20, 8, 8, 3), np.uint8)
    network = train_network(pixels, np.arange(20) % 2, 2, settings=Settings(epochs=2))
    assert np.isfinite(network.outputs(pixels)[1]).all()


def test_progress_rises_to_the_end():
    pixels, labels = digits(60)
    fractions: list[float] = []
    settings = Settings(epochs=4)
    train_network(pixels, labels, 10, settings=settings, report=fractions.append)
    assert fractions == sorted(fractions)
    assert len(set(fractions)) >= 3
    assert fractions[-1] == 1.0


def test_a_single_step_learns():
    pixels, labels = digits(10)
    trained = train_network(pixels, labels, 10, settings=Settings(epochs=1)).module
    fresh = seeded_network(10, 8, Settings.seed)
    assert (trained.head.weight != fresh.head.weight).any()


def test_the_rate_rises_for_one_epoch_and_falls_for_three():
    shares = [_share(done, 11) for done in (0, 0.5, 1, 4, 8, 9.5, 11)]
    assert shares == [0.0, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0]
    # of one epoch a third each, rather than nothing at its peak
    assert [_share(done / 6, 1) for done in (1, 3, 5)] == pytest.approx([0.5, 1, 0.5])


def test_a_shift_moves_an_image_by_at_most_a_sixteenth():
    image = torch.zeros(1, 3, 16, 16)
    image[:, :, 8, 8] = 1.0
    rng = np.random.default_rng(0)
    moves = set()
    for _ in range(50):
        moved = _shift(image, rng)
        assert moved.shape == image.shape
        moves.add(tuple(torch.nonzero(moved[0, 0])[0].tolist()))
    assert moves == {(y, x) for y in (7, 8, 9) for x in (7, 8, 9)}


class Killed(Exception):
    """What ends a training in its midst."""


def trained(folder, epochs, until=None, **how):
    """A training whose work is kept, ended after some epochs; and what it tells."""
    work = Work(Keeper(Folder(folder), RunOf("5f", "digits", "dfaulo")))
    pixels, labels = digits(150)
    count = []

    def go_on(logits):
        count.append(1)
        if len(count) == until:
            raise Killed

    given = {"settings": Settings(epochs=epochs), "work": work, "after_epoch": go_on}
    given |= how
    network = train_network(given.pop("pixels", pixels), labels, 10, **given)
    found = network.outputs(pixels, views=True, batch_size=64, work=work)
    return network, found, len(count), work.notes


@pytest.mark.parametrize("left_out", [None, np.arange(150) % 7 == 0])
def test_a_training_goes_on_where_it_was_with_the_same_bits(tmp_path, left_out):
    settings = Settings(epochs=5)
    pixels, labels = digits(150)
    usual = train_network(pixels, labels, 10, settings=settings, left_out=left_out)
    expected = usual.outputs(pixels, views=True, batch_size=64)
    for done in (2, 1, 1):  # ended three times
        with pytest.raises(Killed):
            trained(tmp_path, 5, done, left_out=left_out)
    for left, told in ((1, 4), (0, 5)):
        network, found, count, notes = trained(tmp_path, 5, left_out=left_out)
        assert count == left
        assert f"{told} of 5" in notes[0]
        assert network.learning.tobytes() == usual.learning.tobytes()
        for one, other in zip(found, expected):
            assert one.tobytes() == other.tobytes()


def test_another_training_goes_on_from_nothing(tmp_path):
    trained(tmp_path, 2)
    pixels, _ = digits(150)
    pixels = pixels.copy()
    pixels[3, 2, 2, 1] ^= 1
    for how in (
        {"settings": Settings(epochs=2, seed=3)},
        {"settings": Settings(epochs=3)},
        {"left_out": np.arange(150) == 4},
        {"pixels": pixels},
    ):
        assert (
            trained(tmp_path, 2, **how)[2]
            == how.get("settings", Settings(epochs=2)).epochs
        )
    assert trained(tmp_path, 2)[2] == 0


def test_outputs_that_are_kept_are_of_this_network(tmp_path):
    work = Work(Keeper(Folder(tmp_path), RunOf("5f", "digits", "dfaulo")))
    pixels, labels = digits(300)
    network = train_network(pixels, labels, 10, settings=Settings(epochs=1))
    before = network.outputs(pixels, work=work)
    np.testing.assert_array_equal(network.outputs(pixels, work=work)[0], before[0])
    network.module.head.weight.data[0, 0] += 1
    after = network.outputs(pixels, work=work)[1]
    np.testing.assert_array_equal(after, network.outputs(pixels)[1])
    assert (after != before[1]).any()
