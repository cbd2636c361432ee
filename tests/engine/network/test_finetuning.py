"""Full mutants: trained without the subset, on a copy."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fiftyone_dfaulo.config import Preprocessing, Settings
from fiftyone_dfaulo.engine.cache.folder import Folder, RunOf
from fiftyone_dfaulo.engine.cache.work import Keeper, Pace, Work
from fiftyone_dfaulo.engine.models.embedder import work_of
from fiftyone_dfaulo.engine.models.original import OriginalModel
from fiftyone_dfaulo.engine.models.torch_embedder import TorchEmbedder
from fiftyone_dfaulo.engine.network import finetuning
from fiftyone_dfaulo.engine.network.finetuning import retrain_model, retrain_network
from fiftyone_dfaulo.errors import InputError

COUNT = 200


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bright rows of two classes, labels of which 10 are wrong, and the truth."""
    rng = np.random.default_rng(0)
    truth = np.arange(COUNT) % 2
    pixels = rng.integers(0, 200, (COUNT, 8, 8, 3), np.uint8)
    for number, row in enumerate(truth):
        pixels[number, row] = 220
    labels = truth.copy()
    labels[:10] = 1 - labels[:10]
    return pixels, labels, truth


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(288, 5),
        )


def embedder(module: nn.Module, *, open_: bool = True) -> TorchEmbedder:
    settings = Settings(
        model="mine", device="cpu", preprocessing=Preprocessing(8), depth="full"
    )
    return TorchEmbedder(OriginalModel(module, "mine", open=open_), settings)


def retrain(one: TorchEmbedder, images: Any, suspiciousness: np.ndarray) -> Any:
    pixels, labels, _ = images
    vectors, _ = finetuning.embed_pixels(one, pixels)
    return retrain_model(
        one, pixels, labels, vectors, suspiciousness, settings=Settings(seed=3)
    )


def test_mutant_learns_the_classes_and_the_network_stays_as_it_is(images: Any) -> None:
    module = network()
    before = copy.deepcopy(module.state_dict())
    one = embedder(module)
    frozen, _ = finetuning.embed_pixels(one, images[0])
    suspicious = np.r_[np.ones(10), np.zeros(COUNT - 10)]

    features, logits = retrain(one, images, suspicious)

    assert features.shape == (COUNT, 288)
    assert logits.shape == (COUNT, 2)
    assert (logits.argmax(1) == images[2]).mean() > 0.95
    assert np.abs(features - frozen).max() > 1e-3
    np.testing.assert_array_equal(finetuning.embed_pixels(one, images[0])[0], frozen)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    again = retrain(one, images, suspicious)
    np.testing.assert_array_equal(again[1], logits)


def test_mutants_never_see_the_most_suspicious(
    images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspicious = np.r_[np.ones(20), np.zeros(COUNT - 20)]
    one = embedder(network())
    seen: list[np.ndarray] = []
    real = TorchEmbedder.prepare

    def prepare(self: TorchEmbedder, pixels: np.ndarray) -> Any:
        if torch.is_grad_enabled():
            seen.append(pixels)
        return real(self, pixels)

    monkeypatch.setattr(TorchEmbedder, "prepare", prepare)
    retrain(one, images, suspicious)
    trained = {image.tobytes() for batch in seen for image in batch}
    assert trained == {image.tobytes() for image in images[0][20:]}

    given: list[Any] = []

    class Trained:
        def outputs(self, pixels: np.ndarray, **_: Any) -> Any:
            return np.zeros((len(pixels), 3)), np.zeros((len(pixels), 2))

    def train(*arguments: Any, left_out: np.ndarray, **_: Any) -> Any:
        given.append((*arguments, left_out))
        return Trained()

    monkeypatch.setattr(finetuning, "train_network", train)
    pixels, labels, _ = images
    features, logits = retrain_network(pixels, labels, suspicious, settings=Settings())
    assert (features.shape, logits.shape) == ((COUNT, 3), (COUNT, 2))
    assert given[0][:3] == (pixels, labels, 2)
    np.testing.assert_array_equal(given[0][3], suspicious == 1)


def test_new_head_says_what_a_regression_says(images: Any) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    vectors = (3 + 2 * rng.normal(size=(90, 4)) + labels[:, None]).astype(np.float32)
    head = finetuning._fitted_head(vectors, labels)
    with torch.no_grad():
        shares = head(torch.from_numpy(vectors)).softmax(1).numpy()
    from sklearn.linear_model import LogisticRegression

    from fiftyone_dfaulo.engine.method.heads import standardise

    model = LogisticRegression(C=30 / 90, max_iter=200)
    expected = model.fit(standardise(vectors), labels)
    np.testing.assert_allclose(
        shares, expected.predict_proba(standardise(vectors)), atol=1e-4
    )


def test_archives_cannot_be_trained_on(images: Any) -> None:
    with pytest.raises(InputError, match="depth='full' trains the network further"):
        retrain(embedder(network(), open_=False), images, np.zeros(COUNT))


class Killed(Exception):
    """What ends a training in its midst."""


@pytest.mark.parametrize("moments", [(0.05,), (0.3, 0.55), (0.9,)])
def test_a_mutant_goes_on_where_it_was_with_the_same_bits(
    images: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moments: tuple[float, ...],
) -> None:
    monkeypatch.setattr(Pace, "due", lambda _: True)
    suspicious, one = np.r_[np.ones(10), np.zeros(COUNT - 10)], embedder(network())
    pixels, labels, _ = images
    usual = retrain(one, images, suspicious)  # dropout draws, too
    done: list[float] = []

    def run(until: float = 2.0, seed: int = 3) -> tuple[Any, tuple[str, ...]]:
        def report(fraction: float) -> None:
            done.append(fraction)
            if fraction >= until:
                raise Killed

        done.clear()
        kept = Work(Keeper(Folder(tmp_path), RunOf("5f", "rows", "dfaulo")))
        work = work_of(one, kept)
        vectors, _ = finetuning.embed_pixels(one, pixels, work=work)
        how = {"settings": Settings(seed=seed), "work": work, "report": report}
        found = retrain_model(one, pixels, labels, vectors, suspicious, **how)
        return found, kept.notes

    for moment in moments:
        with pytest.raises(Killed):
            run(moment)
    found, notes = run()
    assert done[0] > moments[-1]
    told = f"Embedded by earlier runs: {COUNT} of {COUNT} images."
    assert notes[0] == told
    assert "The full mutant had learned for" in notes[1]
    for mine, its in zip(found, usual):
        assert mine.tobytes() == its.tobytes()
    _, notes = run()
    assert done == [1.0]
    assert notes == (told, "The full mutant was trained by an earlier run.")
    assert run(seed=4)[1] == (told,)
