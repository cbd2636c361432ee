from __future__ import annotations

import math
import random
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.method.reasons import REASONS
from fiftyone_dfaulo.engine.network.training import train_network
from fiftyone_dfaulo.engine.paper import method, subsets
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.engine.scores import Scores
from fiftyone_dfaulo.errors import Cancelled
from tests.engine.paper import paper_oracle

Array = np.ndarray
Spied = dict[str, list[Any]]
E = math.e


# A stand-in for the trained network


class TinyModule(nn.Module):
    def __init__(self, side: int, num_classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(3 * side**2, 6), nn.BatchNorm1d(6), nn.ReLU()
        )
        self.head = nn.Linear(6, num_classes)

    def features(self, x: Tensor) -> Tensor:
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


@dataclass
class TinyNetwork:
    """What engine.training.Network offers, and a list of what it was asked for."""

    module: nn.Module
    asked: list[Array] = field(default_factory=list)
    device = torch.device("cpu")

    def __deepcopy__(self, memo: dict[int, Any]) -> TinyNetwork:
        return TinyNetwork(deepcopy(self.module, memo))

    def normalise(self, pixels: Tensor) -> Tensor:
        return pixels.permute(0, 3, 1, 2).float() / 64 - 2

    @torch.no_grad()
    def outputs(
        self, pixels: Array, *, batch_size: int, report: StageReport = silent_stage
    ) -> tuple[Array, Array]:
        self.asked.append(np.array(pixels))
        embeddings, logits = [], []
        for start in range(0, len(pixels), batch_size):
            batch = torch.from_numpy(np.array(pixels[start : start + batch_size]))
            embeddings.append(self.module.features(self.normalise(batch)))
            logits.append(self.module.head(embeddings[-1]))
        report(1.0)
        return torch.cat(embeddings).numpy(), torch.cat(logits).numpy()


def tiny_network(side: int, num_classes: int) -> TinyNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = TinyModule(side, num_classes)
        nn.init.normal_(module.head.weight, std=2)
        return TinyNetwork(module.eval())


def make_images(labels: Array, side: int = 4) -> Array:
    """Images with a pattern of their class under noise."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(40, 216, size=(labels.max() + 1, side, side, 3))
    noise = rng.integers(-40, 41, size=(len(labels), side, side, 3))
    return (patterns[labels] + noise).astype(np.uint8)


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


# The double-softmax loss


def test_double_softmax_loss_is_the_cross_entropy_of_the_softmax() -> None:
    # Softmax of (0, log 3) is (1/4, 3/4).
    logits = np.array([[0, math.log(3)], [0, math.log(3)]], dtype=np.float32)
    total = math.exp(0.25) + math.exp(0.75)
    expected = [math.log(total) - 0.25, math.log(total) - 0.75]
    found = subsets.double_softmax_loss(logits, np.array([0, 1]))
    assert found.dtype == np.float64
    assert found == pytest.approx(expected, rel=1e-6)


def test_double_softmax_loss_has_a_range_one_wide() -> None:
    logits = np.array([[900, 0, 0], [900, 0, 0]], dtype=np.float32)
    best, worst = subsets.double_softmax_loss(logits, np.array([0, 2]))
    assert best == pytest.approx(math.log(E + 2) - 1)
    assert worst == pytest.approx(math.log(E + 2))


# Step 2


def test_input_outliers_are_the_worst_of_each_class() -> None:
    labels = np.array([0] * 40 + [1] * 20 + [3] * 19)
    errors = np.zeros(79)
    errors[[5, 30]] = 9, 8  # int(40 * .05) = 2 of class 0
    errors[6] = 7
    errors[45] = 0.5  # int(20 * .05) = 1 of class 1, however small its error
    errors[70] = 100  # int(19 * .05) = 0 of class 3
    chosen = subsets.input_outliers(errors, labels, 0.05)
    assert chosen.dtype == bool
    assert np.flatnonzero(chosen).tolist() == [5, 30, 45]


def test_of_equal_errors_the_first_samples_are_taken() -> None:
    labels = np.array([1, 0, 1, 0, 1, 0, 1, 0])
    chosen = subsets.input_outliers(np.ones(8), labels, 0.5)
    assert np.flatnonzero(chosen).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [20, 40, 60, 80, 100, 140, 180, 200, 1000])
def test_rounding_never_drops_a_sample_from_a_whole_share(size: int) -> None:
    chosen = subsets.input_outliers(np.arange(size), np.zeros(size, int), 0.05)
    assert chosen.sum() == size // 20


def test_high_loss_takes_the_worst_fits_to_the_label_in_each_class() -> None:
    logits = np.array([[5, 0], [0, 5], [1, 0], [0, 5], [5, 0], [0, 1]], np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1])
    chosen = subsets.high_loss(logits, labels, 1 / 3)
    assert np.flatnonzero(chosen).tolist() == [1, 4]


def test_unusual_activations_are_the_smaller_cluster_of_each_class() -> None:
    # Class 0: near 0 three times, near 9 twice. Class 1: near 9 twice, near 0 once.
    embeddings = np.array([[0], [9], [0.1], [9.1], [0.2], [9], [9.1], [0]], np.float32)
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    chosen = subsets.unusual_activations(embeddings, labels, seed=0)
    assert np.flatnonzero(chosen).tolist() == [1, 3, 7]


def test_the_smaller_cluster_may_hold_the_first_sample() -> None:
    embeddings = np.array([[9.0, 9.0], [0.0, 0.1], [0.1, 0.0]])
    chosen = subsets.unusual_activations(embeddings, np.zeros(3, int), seed=0)
    assert chosen.tolist() == [True, False, False]


@pytest.mark.parametrize("seed", range(5))
def test_of_equal_clusters_the_one_without_the_first_sample_is_taken(seed: int) -> None:
    embeddings = np.array([[1.0], [8.0], [1.1], [8.1]])
    chosen = subsets.unusual_activations(embeddings, np.zeros(4, int), seed)
    assert chosen.tolist() == [False, True, False, True]


def test_one_sample_or_identical_samples_have_no_unusual_activations() -> None:
    embeddings = np.array([[1.0, 2.0]] * 5 + [[3.0, 4.0]])
    labels = np.array([0, 0, 0, 0, 0, 2])
    assert not subsets.unusual_activations(embeddings, labels, seed=0).any()


def test_two_distinct_points_among_many_copies_are_two_clusters() -> None:
    embeddings = np.array([[1.0]] * 6 + [[2.0]] * 2)
    chosen = subsets.unusual_activations(embeddings, np.zeros(8, int), seed=0)
    assert chosen.tolist() == [False] * 6 + [True] * 2


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


def state_of(network: Any) -> dict[str, Tensor]:
    return {name: p.clone() for name, p in network.module.state_dict().items()}


def same_state(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


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


# Step 4


def test_features_are_in_the_papers_order() -> None:
    def logits(p: float) -> Array:
        return np.log(np.array([[p, 1 - p]], dtype=np.float64))

    models = [logits(p) for p in (0.1, 0.2, 0.3, 0.4)]
    flags = np.array([[True, False, True]])
    (row,) = method.features(models, np.array([1]), flags)

    def loss(p: float) -> float:
        return math.log(math.exp(p) + math.exp(1 - p)) - (1 - p)

    expected = [0.1, 0.9, 0, 1, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6, 1, 0, 1]
    expected += [loss(p) for p in (0.1, 0.2, 0.3, 0.4)]
    assert row.dtype == np.float32
    assert row == pytest.approx(expected, rel=1e-6)


def test_feature_names_are_in_the_order_of_the_features() -> None:
    assert method.feature_names(2) == (
        *("softmax[0]", "softmax[1]", "label[0]", "label[1]"),
        *("input_softmax[0]", "input_softmax[1]"),
        *("activation_softmax[0]", "activation_softmax[1]"),
        *("loss_softmax[0]", "loss_softmax[1]"),
        *("input_flag", "activation_flag", "loss_flag"),
        *("loss", "input_loss", "activation_loss", "loss_loss"),
    )
    assert len(method.feature_names(100)) == 507


def test_noise_is_claimed_to_be_each_class_with_all_flags_set() -> None:
    logits = [np.array([[m, 0, -1]], dtype=np.float32) for m in range(4)]
    rows = method.noise_features(logits, 3)
    assert rows.shape == (3, 22)
    assert (rows[:, 3:6] == np.eye(3)).all()
    assert (rows[:, 15:18] == 1).all()
    assert (rows[0, :3] == rows[2, :3]).all()
    found = rows[:, 18:]
    expected = [
        subsets.double_softmax_loss(np.repeat(each, 3, axis=0), np.arange(3))
        for each in logits
    ]
    assert found == pytest.approx(np.transpose(expected), rel=1e-6)


# Step 5


def test_ten_of_each_class_are_trusted_or_all_of_a_smaller_class() -> None:
    labels = np.array([0] * 30 + [1] * 10 + [3] * 4 + [4])
    trusted = method.draw_trusted(labels, np.random.default_rng(0))
    assert np.bincount(labels[trusted]).tolist() == [10, 10, 0, 4, 1]
    assert len(set(trusted.tolist())) == 25


def test_trusted_samples_are_drawn_evenly() -> None:
    labels = np.zeros(40, int)
    rng = np.random.default_rng(0)
    times = sum(
        np.bincount(method.draw_trusted(labels, rng), minlength=40) for _ in range(400)
    )
    # Each is drawn 100 times of 400, with a standard deviation of 8.7.
    assert times.sum() == 4000
    assert 60 < times.min() <= times.max() < 140


def test_initial_suspiciousness_is_high_for_what_resembles_noise() -> None:
    features = np.array([[0, 0], [0.1, 0], [0, 0.2], [1, 1], [0.9, 1]] * 4, np.float32)
    trusted = np.array([0, 1, 2, 5, 6, 7])
    noise = np.ones((6, 2), np.float32)
    found = method.initial_suspiciousness(features, trusted, noise)
    assert found.dtype == np.float64
    assert (found[features[:, 0] > 0.5] > 0.5).all()
    assert (found[features[:, 0] < 0.5] < 0.5).all()


def test_initial_suspiciousness_solves_the_regularised_regression() -> None:
    # One feature; three trusted rows at 0, one noise row at 1. The penalised optimum
    # has sum(p - y) = 0 and w + sum((p - y) x) = 0.
    features = np.array([[0], [0], [0], [1]], np.float32)
    noise = np.array([[1]], np.float32)
    at_0, _, _, at_1 = method.initial_suspiciousness(features, np.arange(3), noise)
    weight = math.log(at_1 / (1 - at_1)) - math.log(at_0 / (1 - at_0))
    assert 3 * at_0 + at_1 == pytest.approx(1, abs=1e-4)
    assert weight == pytest.approx(1 - at_1, abs=1e-4)


# Step 6


def test_update_learns_from_the_checked_samples_alone() -> None:
    features = np.array([[0, 1], [0, 0], [1, 0], [1, 1], [1, 1]], np.float32)
    before = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    checked, verdicts = np.array([2, 0]), np.array([False, True])
    found = method.update(features, before, checked, verdicts)
    # Faulty at (0, 1), correct at (1, 0): by symmetry both others are even.
    assert found[[1, 3, 4]] == pytest.approx(0.5, abs=1e-6)
    assert found[0] == pytest.approx(1 - found[2], abs=1e-6)
    assert found[0] > 0.5
    turned = method.update(features, 1 - before, checked, ~verdicts)
    assert turned == pytest.approx(1 - found, abs=1e-6)


@pytest.mark.parametrize("verdicts", [[], [True], [False], [True] * 3, [False] * 3])
def test_verdicts_of_one_kind_leave_the_ranking_as_it_is(verdicts: list[bool]) -> None:
    features = np.random.default_rng(0).random((5, 4), dtype=np.float32)
    before = np.array([0.1, 0.5, 0.3, 0.4, 0.2])
    checked = np.array([3, 1, 4])[: len(verdicts)]
    found = method.update(features, before, checked, np.array(verdicts, bool))
    assert found.tolist() == before.tolist()
    assert found is not before


def test_ranking_lists_the_checked_samples_and_then_the_most_suspicious() -> None:
    suspiciousness = np.array([0.2, 0.9, 0.5, 0.9, 0.1, 0.5])
    order = method.ranking(suspiciousness, np.array([4, 3]))
    assert order.tolist() == [4, 3, 1, 2, 5, 0]
    assert method.ranking(suspiciousness, np.array([])).tolist() == [1, 3, 2, 5, 0, 4]


def test_equally_suspicious_samples_are_ranked_in_their_order() -> None:
    suspiciousness = np.tile([0.5, 0.25], 500)
    order = method.ranking(suspiciousness, np.array([]))
    assert order.tolist() == [*range(0, 1000, 2), *range(1, 1000, 2)]


# Against the independent computation


def random_labels(rng: np.random.Generator, num_classes: int) -> Array:
    """Class 0 is missing, class 1 has one sample, the others 2 to 60."""
    sizes = rng.integers(2, 60, size=num_classes)
    sizes[0] = 0 if num_classes > 2 else 25
    sizes[1] = 1
    return rng.permutation(np.repeat(np.arange(num_classes), sizes))


@pytest.mark.parametrize("num_classes", [2, 3, 5, 11])
def test_subsets_agree_with_the_oracle(num_classes: int) -> None:
    rng = np.random.default_rng(num_classes)
    labels = random_labels(rng, num_classes)
    logits = rng.normal(size=(len(labels), num_classes)).astype(np.float32)
    logits[::5] = logits[0]
    errors = rng.integers(8, size=len(labels)) / 4  # many are equal
    embeddings = rng.normal(size=(len(labels), 4)).astype(np.float32)
    embeddings[labels == num_classes - 1] = 1
    listed = labels.tolist()
    for ratio in (0.05, 0.3):
        expected = paper_oracle.highest_in_each_class(errors, listed, ratio)
        found = subsets.input_outliers(errors, labels, ratio)
        assert found.tolist() == expected
        expected = paper_oracle.high_loss(logits.tolist(), listed, ratio)
        assert subsets.high_loss(logits, labels, ratio).tolist() == expected
    expected = paper_oracle.unusual_activations(embeddings.tolist(), listed, 3)
    assert subsets.unusual_activations(embeddings, labels, 3).tolist() == expected


@pytest.mark.parametrize("num_classes", [2, 3, 5, 11])
def test_features_and_suspiciousness_agree_with_the_oracle(num_classes: int) -> None:
    rng = np.random.default_rng(num_classes)
    labels = random_labels(rng, num_classes)
    shape = (4, len(labels), num_classes)
    logits = (4 * rng.normal(size=shape)).astype(np.float32)
    flags = rng.random((len(labels), 3)) < 0.2
    noise = rng.normal(size=(4, 1, num_classes)).astype(np.float32)
    trusted = method.draw_trusted(labels, rng)

    rows = method.features(logits, labels, flags)
    slow_rows = paper_oracle.features(logits.tolist(), labels.tolist(), flags.tolist())
    assert rows == pytest.approx(np.array(slow_rows), abs=1e-6)

    noise_rows = method.noise_features(logits=list(noise), num_classes=num_classes)
    slow_noise = paper_oracle.noise_features(noise[:, 0].tolist(), num_classes)
    assert noise_rows == pytest.approx(np.array(slow_noise), abs=1e-6)

    found = method.initial_suspiciousness(rows, trusted, noise_rows)
    slow = paper_oracle.initial_suspiciousness(slow_rows, trusted.tolist(), slow_noise)
    assert found == pytest.approx(slow, abs=1e-5)

    checked = rng.permutation(len(labels))[: len(labels) // 3]
    for verdicts in (rng.random(len(checked)) < 0.4, np.zeros(len(checked), bool)):
        after = method.update(rows, found, checked, verdicts)
        order = method.ranking(after, checked)
        slow_after, slow_order = paper_oracle.update(
            slow_rows, found.tolist(), checked.tolist(), verdicts.tolist()
        )
        assert after == pytest.approx(slow_after, abs=1e-5)
        assert order.tolist() == slow_order


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

    # Every model was asked for all images, and for the one noise image.
    noise = network.asked[1]
    for model in models:
        assert [len(asked) for asked in model.asked] == [len(labels), 1]
        assert np.array_equal(model.asked[1], noise)
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
    assert found.signal_names == method.feature_names(num_classes)


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
    told: list[float] = []
    tiny_score(np.arange(60) % 3, 3, report=told.append)
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == pytest.approx(1)
    # 5 epochs of 3 autoencoders, 10 epochs of 3 mutants.
    assert len(set(told)) >= 45


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
