"""Models of every kind on a real dataset: what they score, and what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.models as fom
import fiftyone.utils.torch as fout
import fiftyone.zoo as foz
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, get_model

from fiftyone_dfaulo import InputError, Preprocessing, WeightsError
from fiftyone_dfaulo import compute_suspiciousness as compute
from fiftyone_dfaulo.adapter.scoring import models
from tests.engine.models.test_file_format import Hostile

OWN = Preprocessing(8, mean=0.0, std=1.0)


class Rows(nn.Module):
    """Knows the class of an image that shows it by a bright row; 3 classes."""

    classes: tuple[str, ...] = ("a", "b", "c")

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)
        self.head.weight.data = 9 * torch.eye(3)
        self.head.bias.data = torch.zeros(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.mean((1, 3))[:, :3])


@pytest.fixture
def rows(make_dataset: Callable[..., Any]) -> Any:
    """60 images of classes a, b, c; samples 3, 22 and 41 have a wrong label."""
    dataset = make_dataset(["abc"[n % 3] for n in range(60)])
    labels = ["abc"[(n + (n in (3, 22, 41))) % 3] for n in range(60)]
    dataset.set_values("ground_truth.label", labels)
    return dataset


def worst(results: Any, dataset: Any, count: int = 3) -> set[int]:
    order = np.argsort(-results.suspiciousness)[:count]
    position = {sample: n for n, sample in enumerate(dataset.values("id"))}
    return {position[results.ids[n]] for n in order}


def test_module_finds_the_faults_and_is_described_by_its_class(rows: Any) -> None:
    results = compute(rows, model=Rows(), preprocessing=OWN)
    assert worst(results, rows) == {3, 22, 41}
    assert not results.notes
    assert "loss_original" in results.signal_names
    rows.reload()
    settings = rows.get_brain_info("dfaulo").config.settings
    assert settings["model"] == "tests.adapter.scoring.test_models.Rows"
    assert settings["preprocessing"]["size"] == 8


def test_classes_in_another_order_are_put_in_order_by_name(rows: Any) -> None:
    straight = compute(rows, model=Rows(), preprocessing=OWN)
    turned = Rows()
    turned.head.weight.data = turned.head.weight.data.flip(0)
    turned.classes = ("c", "b", "a")
    for arguments in ({}, {"classes": ["c", "b", "a"]}):
        results = compute(rows, model=turned, preprocessing=OWN, **arguments)
        column = results.signal_names.index("loss_original")
        expected = straight.signals[:, column]
        np.testing.assert_allclose(results.signals[:, column], expected, atol=1e-5)


def test_model_of_other_classes_gives_its_embeddings_and_a_note(rows: Any) -> None:
    other = Rows()
    other.classes = ("a", "b", "x")
    results = compute(rows, model=other, preprocessing=OWN)
    assert worst(results, rows) == {3, 22, 41}
    assert "such as 'c'; only its embeddings are used" in results.notes[0]
    assert "loss_original" not in results.signal_names


def test_model_that_never_saw_the_labels_votes(rows: Any) -> None:
    heads = compute(rows, model=Rows(), preprocessing=OWN)
    both = compute(rows, model=Rows(), preprocessing=OWN, out_of_sample=True)
    assert heads.signal_names == both.signal_names
    np.testing.assert_array_equal(heads.signals[:, :6], both.signals[:, :6])
    assert (heads.suspiciousness != both.suspiciousness).all()
    assert worst(both, rows) == {3, 22, 41}


def test_full_depth_polls_a_copy_too_and_leaves_the_module_alone(rows: Any) -> None:
    module = Rows()
    results = compute(rows, model=module, preprocessing=OWN, depth="full")
    assert worst(results, rows) == {3, 22, 41}
    assert torch.equal(module.head.weight.data, 9 * torch.eye(3))
    assert {"loss_all", "full_loss_all"} <= set(results.signal_names)


def test_full_depth_of_the_built_in_network(rows: Any) -> None:
    results = compute(rows, depth="full", epochs=3)
    assert {"loss_all", "full_loss_all"} <= set(results.signal_names)
    assert list(results.seconds)[-2:] != []


def test_preprocessing_is_taken_from_torchvision_s_weights() -> None:
    weights = ResNet18_Weights.DEFAULT
    expected = Preprocessing(224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert models.read_preprocessing(weights) == expected
    assert models.read_preprocessing(weights.transforms()) == expected
    assert models.read_preprocessing("nonsense") == "nonsense"


def stand_in(**changes: Any) -> fout.TorchImageModel:
    """A FiftyOne model of 3 classes, as the zoo's are made."""
    values = {
        "model": Rows(),
        "classes": ["a", "b", "c"],
        "image_size": [8, 8],
        "embeddings_layer": "<head",
        "output_processor_cls": "fiftyone.utils.torch.ClassifierOutputProcessor",
        "device": "cpu",
        **changes,
    }
    return fout.TorchImageModel(fout.TorchImageModelConfig(values))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"embeddings_layer": None},
        {"output_processor_cls": None, "classes": None},
        {"classes": ["a", "b", "x"]},
    ],
)
def test_fiftyone_s_models_give_embeddings_or_logits(
    rows: Any, changes: dict[str, Any]
) -> None:
    model = stand_in(**changes)
    results = compute(rows, model=model)
    assert worst(results, rows) == {3, 22, 41}
    assert ("loss_original" in results.signal_names) is (
        not changes or "embeddings_layer" in changes
    )
    assert not model.store_logits


def test_zoo_s_own_loading_code_runs_with_weights_where_it_looks(
    rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "resnet18-imagenet-torch"
    monkeypatch.setattr(fo.config, "model_zoo_dir", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    hub = tmp_path / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    zoo_s = foz.get_zoo_model(name).get_path_in_dir(str(tmp_path))
    torch_s = hub / Path(ResNet18_Weights.DEFAULT.url).name
    for file in (zoo_s, torch_s):  # the zoo checks for one and loads the other
        with torch.random.fork_rng(devices=[]):
            torch.save(get_model("resnet18").state_dict(), file)
    results = compute(rows.limit(20), model=name, batch_size=20)
    assert len(results.ids) == 20
    assert "knows 1000 classes" in results.notes[0]


class Failing(fom.Model):
    """A FiftyOne model with neither embeddings nor logits."""

    media_type = "image"


class Nothing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3]


def spoiled(value: float) -> nn.Module:
    module = Rows()
    module.head.weight.data[0, 0] = value
    return module


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"model": 7}, "model is a int; expected a torch.nn.Module"),
        ({"model": "resnet81"}, "no file, no FiftyOne zoo model .* did you mean"),
        ({"model": "missing/model.pt"}, "cannot be opened"),
        ({"model": Failing()}, "neither embeddings nor logits"),
        ({"model": Nothing(), "preprocessing": OWN}, "none of the 0 linear layers"),
        ({"model": spoiled(np.nan), "preprocessing": OWN}, "NaN or infinity"),
        ({"model": Rows(), "classes": ["a", "b"]}, "lists 2 names .* gives 3 logits"),
        ({"model": Rows(), "classes": ["a", "b", "x"]}, "lacks 1 of the 3 classes"),
        ({"model": Rows(), "factory": "a:b"}, "factory and trust_model_file are for a"),
        ({"model": Rows(), "layer": "tail"}, "has no layer='tail'; it has head"),
        ({"model": Rows(), "preprocessing": 224}, "preprocessing is a int"),
        ({"model": stand_in(), "layer": "head"}, "whose embeddings are its own"),
        ({"model": stand_in(), "depth": "full"}, "whose embeddings are its own"),
        ({"model": Rows(), "embeddings": "e"}, "neither a field of these samples"),
        ({"depth": "deep"}, "depth='deep' is unknown"),
        ({"layer": "head"}, "says something about a model; pass model"),
        ({"classes": ["a", "b"]}, "pass model or predictions as well"),
        ({"model": "resnet18", "method": "paper"}, "trains its own network"),
        ({"depth": "full", "method": "paper"}, "has mutants of its own"),
    ],
)
def test_model_that_cannot_be_used_is_an_error_and_nothing_is_written(
    rows: Any, arguments: dict[str, Any], said: str, unchanged: Any
) -> None:
    check = unchanged(rows)
    with pytest.raises(InputError, match=said):
        compute(rows, **arguments)
    check()


def test_zoo_model_that_cannot_be_loaded_is_an_error_that_says_why(
    rows: Any, monkeypatch: pytest.MonkeyPatch, unchanged: Any
) -> None:
    def fail(name: str, **_: Any) -> Any:
        raise ImportError("needs transformers")

    monkeypatch.setattr(foz, "load_zoo_model", fail)
    check = unchanged(rows)
    with pytest.raises(WeightsError, match="cannot be loaded .needs transformers"):
        compute(rows, model="resnet18-imagenet-torch")
    check()


@pytest.mark.parametrize("factory", [None, "made:build"])
def test_hostile_pickle_does_not_run_and_nothing_is_written(
    rows: Any, tmp_path: Path, factory: str | None, unchanged: Any
) -> None:
    mark, path = tmp_path / "executed", tmp_path / "model.pt"
    check = unchanged(rows)
    for save in (torch.save, lambda one, to: Path(to).write_bytes(pickle.dumps(one))):
        save(Hostile(mark), path)
        with pytest.raises(InputError, match="pickled object|pass factory"):
            compute(rows, model=str(path), factory=factory)
    assert not mark.exists()
    check()


def test_pickled_model_is_loaded_where_that_is_asked_for(
    rows: Any, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    torch.save(Rows(), path)
    with pytest.raises(InputError, match="is a pickled object"):
        compute(rows, model=str(path), preprocessing=OWN)
    results = compute(rows, model=path, preprocessing=OWN, trust_model_file=True)
    assert worst(results, rows) == {3, 22, 41}
