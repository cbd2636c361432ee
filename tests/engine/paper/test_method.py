from __future__ import annotations

import random
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.method.reasons import REASONS
from fiftyone_dfaulo.engine.network.training import train_network
from fiftyone_dfaulo.engine.paper import features, method
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.scores import Scores
from fiftyone_dfaulo.errors import Cancelled
from tests.engine.paper import paper_oracle
from tests.engine.paper.stand_ins import (
    Array,
    TinyNetwork,
    make_images,
    random_labels,
    same_state,
    state_of,
    tiny_network,
)

Spied = dict[str, list[Any]]


def tiny_score(
    labels: Array,
    num_classes: int,
    *,
    network: Any = None,
    report: StageReport = silent_stage,
    seed: int = 7,
    **settings: Any,
) -> Scores:
    return method.score(
        make_images(labels),
        labels,
        num_classes,
        network=network or tiny_network(4, num_classes),
        settings=Settings(method="paper", seed=seed, **settings),
        report=report,
    )


# Step 3


def test_a_mutant_is_trained_by_momentum_descent_on_what_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(method, "autocast", lambda device: nullcontext())
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(5, 1, 1, 3), dtype=np.uint8)
    labels, left_out = np.array([0, 1, 0, 1, 1]), np.array([0, 0, 1, 0, 0], bool)
    network = linear_network()
    weight = network.module[1].weight.detach().double().numpy().copy()

    mutant = method.train_mutant(network, pixels, labels, left_out, seed=0)

    # All four fit into one batch, so the order within an epoch does not matter.
    images = pixels[~left_out].reshape(4, 3) / 64 - 2
    one_hot, velocity = np.eye(2)[labels[~left_out]], 0
    for _ in range(10):
        exponentials = np.exp(images @ weight.T)
        seen = exponentials / exponentials.sum(axis=1, keepdims=True)
        velocity = 0.9 * velocity + (seen - one_hot).T @ images / 4
        weight = weight - 0.001 * velocity
    found = mutant.module[1].weight.detach().numpy()
    assert found == pytest.approx(weight, abs=1e-6)


@dataclass
class LinearNetwork:
    module: nn.Module
    device = torch.device("cpu")
    normalise = TinyNetwork.normalise


def linear_network() -> LinearNetwork:
    module = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        module[1].weight.copy_(torch.tensor([[0.5, -0.2, 0.1], [-0.3, 0.4, 0.2]]))
    return LinearNetwork(module)


def test_what_is_left_out_has_no_part_in_a_mutant() -> None:
    labels = np.arange(150) % 3
    left_out = np.arange(150) % 7 == 2
    pixels = make_images(labels)
    other = pixels.copy()
    other[left_out] = 255 - other[left_out]
    network = tiny_network(4, 3)
    first, second = (
        state_of(method.train_mutant(network, p, labels, left_out, seed=1))
        for p in (pixels, other)
    )
    assert same_state(first, second)
    whole = method.train_mutant(network, pixels, labels, left_out & False, seed=1)
    assert not same_state(first, state_of(whole))


def test_the_original_is_not_changed_by_its_mutants() -> None:
    labels = np.arange(40) % 2
    network = tiny_network(4, 2)
    network.module.eval()
    before = state_of(network)
    mutant = method.train_mutant(
        network, make_images(labels), labels, labels > 5, seed=0
    )
    assert same_state(before, state_of(network))
    assert not network.module.training
    assert all(p.grad is None for p in network.module.parameters())
    assert not same_state(before, state_of(mutant))


@pytest.mark.parametrize("size", [2, 63, 64, 65, 66, 129])
def test_every_kept_sample_is_seen_once_an_epoch_and_none_alone(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    seen: list[int] = []

    def normalise(self: TinyNetwork, batch: Tensor) -> Tensor:
        sizes.append(len(batch))
        seen.extend(batch[:, 0, 0, 0].tolist())
        return batch.permute(0, 3, 1, 2).float()

    monkeypatch.setattr(TinyNetwork, "normalise", normalise)
    pixels = np.zeros((size, 1, 1, 3), np.uint8)
    pixels[:, 0, 0, 0] = np.arange(size)
    labels = np.arange(size) % 2
    method.train_mutant(tiny_network(1, 2), pixels, labels, labels > 5, seed=0)
    epochs = np.reshape(seen, (10, size))
    assert (np.sort(epochs, axis=1) == np.arange(size)).all()
    assert size < 60 or not (epochs[0] == epochs[1]).all()
    assert min(sizes) > 1
    assert max(sizes) <= 65


def test_a_mutant_with_one_sample_left_is_the_original() -> None:
    labels = np.array([0, 1])
    network = tiny_network(4, 2)
    mutant = method.train_mutant(
        network, make_images(labels), labels, np.array([True, False]), seed=0
    )
    assert same_state(state_of(network), state_of(mutant))


# Against the independent computation


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> Spied:
    """What score() computed on its way: results of functions, by name."""
    seen: Spied = {}

    def spy(name: str) -> None:
        original = getattr(method, name)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            seen.setdefault(name, []).append((args, kwargs, result))
            return result

        monkeypatch.setattr(method, name, wrapper)

    for name in ("reconstruction_errors", "unusual_activations", "train_mutant"):
        spy(name)
    spy("draw_trusted")
    monkeypatch.setattr(method, "autocast", lambda device: nullcontext())
    return seen


@pytest.mark.parametrize("num_classes", [2, 4])
def test_score_agrees_with_the_oracle_from_the_models_onwards(
    num_classes: int, spied: Spied
) -> None:
    labels = random_labels(np.random.default_rng(num_classes), num_classes)
    pixels = make_images(labels)
    network = tiny_network(4, num_classes)
    found = tiny_score(labels, num_classes, network=network)

    listed = labels.tolist()
    models = [network, *(result for _, _, result in spied["train_mutant"])]
    logits = [
        paper_oracle.logits_of(m.module, network.normalise, pixels) for m in models
    ]
    ((_, _, errors),) = spied["reconstruction_errors"]
    (((embeddings, _, seed), _, _),) = spied["unusual_activations"]
    subsets = [
        paper_oracle.highest_in_each_class(errors.tolist(), listed, 0.05),
        paper_oracle.unusual_activations(embeddings.tolist(), listed, seed),
        paper_oracle.high_loss(logits[0], listed, 0.05),
    ]
    left_out = [args[3].tolist() for args, _, _ in spied["train_mutant"]]
    assert left_out == subsets

    rows = paper_oracle.features(logits, listed, list(zip(*subsets)))
    assert found.signals == pytest.approx(np.array(rows), abs=1e-5)

    # Every model was run on all images, and on the one noise image.
    noise = network.inputs[1]
    for model in models:
        assert [len(images) for images in model.inputs] == [len(labels), 1]
        assert np.array_equal(model.inputs[1], noise)
    assert noise.dtype == np.uint8
    assert noise.min() < 40
    assert noise.max() > 215
    noise_logits = [
        paper_oracle.logits_of(m.module, network.normalise, noise)[0] for m in models
    ]
    noise_rows = paper_oracle.noise_features(noise_logits, num_classes)
    ((_, _, trusted),) = spied["draw_trusted"]
    slow = paper_oracle.initial_suspiciousness(rows, trusted.tolist(), noise_rows)
    assert found.suspiciousness == pytest.approx(slow, abs=1e-4)

    softmaxes = np.array([[paper_oracle.softmax(r) for r in m] for m in logits[1:]])
    mean = softmaxes.mean(axis=0)
    assert found.suggestion.tolist() == mean.argmax(axis=1).tolist()
    assert found.confidence == pytest.approx(mean.max(axis=1), abs=1e-5)


# The result


def assert_same(a: Scores, b: Scores) -> None:
    assert np.array_equal(a.suspiciousness, b.suspiciousness)
    assert np.array_equal(a.suggestion, b.suggestion)
    assert np.array_equal(a.confidence, b.confidence)
    assert np.array_equal(a.reasons, b.reasons)
    assert np.array_equal(a.signals, b.signals)


def test_same_seed_gives_the_same_bits_and_another_seed_does_not() -> None:
    labels = np.arange(100) % 3
    first = tiny_score(labels, 3)
    assert_same(first, tiny_score(labels, 3))
    other = tiny_score(labels, 3, seed=8)
    assert not np.array_equal(first.suspiciousness, other.suspiciousness)


def test_global_random_state_is_neither_read_nor_changed() -> None:
    labels = np.arange(50) % 2
    network = tiny_network(4, 2)
    first = tiny_score(labels, 2, network=network)
    torch.rand(3), np.random.rand(3), random.random()
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    second = tiny_score(labels, 2, network=network)
    assert_same(first, second)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1][1], np.random.get_state()[1])
    assert before[2] == random.getstate()


def test_the_callers_network_is_untouched() -> None:
    network = tiny_network(4, 3)
    before = state_of(network)
    tiny_score(np.arange(60) % 3, 3, network=network)
    assert same_state(before, state_of(network))


def test_the_batch_size_of_forward_passes_does_not_matter_beyond_rounding() -> None:
    labels = np.arange(90) % 3
    one, other = (tiny_score(labels, 3, batch_size=size) for size in (7, 256))
    assert one.suspiciousness == pytest.approx(other.suspiciousness, abs=1e-4)


@pytest.mark.parametrize(
    ("labels", "num_classes"),
    [([0, 1], 2), ([1, 1], 2), ([0], 2), ([4, 4, 2, 2, 2], 6), ([0] * 41 + [2], 3)],
)
def test_tiny_and_missing_classes_are_scored(
    labels: list[int], num_classes: int
) -> None:
    found = tiny_score(np.array(labels), num_classes)
    assert found.suspiciousness.shape == (len(labels),)
    assert found.suspiciousness.dtype == np.float64
    assert ((found.suspiciousness >= 0) & (found.suspiciousness <= 1)).all()
    assert found.suggestion.dtype == np.int64
    assert found.confidence.dtype == np.float32
    assert found.signals.shape == (len(labels), 5 * num_classes + 7)
    assert found.signals.dtype == np.float32
    assert found.signal_names == features.feature_names(num_classes)


def test_reasons_are_given_for_suspicious_samples_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    labels, chances = rng.integers(2, size=100), np.append(rng.random(99), 0.5)
    monkeypatch.setattr(method, "initial_suspiciousness", lambda *rows: chances)
    found = tiny_score(labels, 2)
    columns = dict(zip(found.signal_names, found.signals.T))
    suspicious = chances > 0.5
    expected = {
        "looks like another class": found.suggestion != labels,
        "fits no class": columns["input_flag"] == 1,
        "hard to learn": columns["loss_flag"] == 1,
    }
    for reason, applies in expected.items():
        given = found.reasons[:, REASONS.index(reason)]
        assert given.tolist() == (applies & suspicious).tolist()
        assert given.any()
        assert (applies & ~suspicious).any()
    assert found.suspiciousness.tolist() == chances.tolist()
    assert found.estimated_faults == suspicious.sum()


def test_notes_tell_of_classes_that_are_too_small() -> None:
    notes = tiny_score(np.array([0] * 20 + [1] + [2] * 19), 4).notes
    assert len(notes) == 2
    assert "only one sample: 1." in notes[0]
    assert "fewer than 20 samples: 2." in notes[1]
    assert tiny_score(np.repeat([0, 1], 20), 2).notes == ()


def test_progress_rises_to_one_and_moves_through_every_epoch() -> None:
    fractions: list[float] = []
    tiny_score(np.arange(60) % 3, 3, report=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == pytest.approx(1)
    # 5 epochs of 3 autoencoders, 10 epochs of 3 mutants.
    assert len(set(fractions)) >= 45


def test_the_network_trained_here_is_scored_too() -> None:
    labels = np.arange(48) % 2
    pixels = make_images(labels, side=8)
    settings = Settings(method="paper", epochs=1, device="cpu")
    network = train_network(pixels, labels, 2, settings=settings)
    first, second = (
        method.score(pixels, labels, 2, network=network, settings=settings)
        for _ in range(2)
    )
    assert_same(first, second)
    assert first.signals.shape == (48, 17)


def test_an_exception_of_the_report_stops_the_run() -> None:
    def report(fraction: float) -> None:
        if fraction > 0.5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        tiny_score(np.arange(60) % 3, 3, report=report)
