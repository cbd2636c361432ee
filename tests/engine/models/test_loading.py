"""Models from files: each kind loads, and nothing in a file runs."""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fiftyone_dfaulo.engine.models import file_format
from fiftyone_dfaulo.engine.models.loading import load_model
from fiftyone_dfaulo.errors import InputError
from tests.engine.models.test_file_format import Hostile

FACTORY = "made_network:build"

SOURCE = """
from torch import nn

classes = 3

def build():
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 3))
    network.classes = ["x", "y", "z"]
    return network

def broken():
    raise OSError("no disk")

def wrong():
    return {"not": "a network"}

def leave():
    raise SystemExit(3)
"""


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """What the factory builds, with weights of its own."""
    (tmp_path / "made_network.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "made_network", raising=False)
    module = __import__("made_network")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return module.build().eval()


IMAGES = torch.linspace(0, 1, 24).reshape(2, 3, 2, 2)


def save_script(network: nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, IMAGES).save(path)


def save_export(network: nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(network, (IMAGES,)), path)


def save_weights(network: nn.Module, path: Path) -> None:
    torch.save(network.state_dict(), path)


def save_checkpoint(network: nn.Module, path: Path) -> None:
    weights = {f"module.{name}": v for name, v in network.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": weights}, path)


def save_safe(network: nn.Module, path: Path) -> None:
    save_file(network.state_dict(), path)


@pytest.mark.parametrize(
    ("save", "suffix", "factory"),
    [
        (save_script, ".pt", None),
        (save_export, ".pt2", None),
        (save_weights, ".pth", FACTORY),
        (save_checkpoint, ".ckpt", FACTORY),
        (save_safe, ".safetensors", FACTORY),
    ],
)
def test_every_kind_of_file_gives_the_network_that_was_saved(
    network: nn.Module,
    tmp_path: Path,
    save: Callable[[nn.Module, Path], None],
    suffix: str,
    factory: str | None,
) -> None:
    path = tmp_path / f"model{suffix}"
    save(network, path)

    trust = factory is None
    model = load_model(str(path), factory=factory, trust_model_file=trust)

    with torch.no_grad():
        torch.testing.assert_close(model.module(IMAGES), network(IMAGES))
    assert model.classes == (("x", "y", "z") if factory else None)
    assert model.open is (factory is not None)
    assert model.batch == (2 if suffix == ".pt2" else None)


def refused(path: Path, **arguments: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_model(str(path), **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_pickled_network_is_refused_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(nn.Linear(2, 3), path)
    assert "is a pickled object (it names torch.nn.modules.linear.Linear" in refused(
        path
    )
    model = load_model(str(path), trust_model_file=True)
    assert isinstance(model.module, nn.Linear)


@pytest.mark.parametrize("zipped", [True, False])
def test_hostile_pickle_does_not_run(tmp_path: Path, zipped: bool) -> None:
    mark, path = tmp_path / "executed", tmp_path / "model.pt"
    torch.save(Hostile(mark), path, _use_new_zipfile_serialization=zipped)
    said = refused(path, factory=FACTORY)
    assert ("pickled object" if zipped else "bare pickle") in said
    path.write_bytes(pickle.dumps(Hostile(mark)))
    refused(path)
    assert not mark.exists()


def rewrite(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Replaces what is in an archive's entries."""
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, change(entry.filename, old.read(entry)))
    path.write_bytes(copy.getvalue())


HOSTILE_PROGRAMS = {
    "guards": (
        '"guards_code": [',
        "\"guards_code\": [\"__import__('os').mkdir('MARK')\"",
    ),
    "expression": ("Symbol(", "__import__('os').mkdir('MARK') or Symbol("),
    "call": ("torch.ops.aten.relu.default", "torch.hub.load"),
}
"""What hostile archives of torch.export say: an old text, and what replaces it."""


@pytest.mark.parametrize("kind", ["sound", *HOSTILE_PROGRAMS])
def test_exported_program_is_refused_unread_unless_it_is_trusted(
    network: nn.Module, tmp_path: Path, kind: str
) -> None:
    mark, path = tmp_path / "executed", tmp_path / "model.pt2"
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(network, (IMAGES,), dynamic_shapes=({0: batch},))
    torch.export.save(program, path)
    if kind != "sound":
        old, new = HOSTILE_PROGRAMS[kind]

        def change(name: str, data: bytes) -> bytes:
            if not name.endswith("models/model.json"):
                return data
            assert old.encode() in data
            return data.replace(old.encode(), new.replace("MARK", str(mark)).encode())

        rewrite(path, change)
    said = refused(path)
    assert "is a torch.export archive, which is a program" in said
    assert "trust_model_file=True" in said
    assert not mark.exists()
    if kind == "sound":
        assert load_model(str(path), trust_model_file=True).batch is None


class Writer(nn.Module):
    """A network that writes a file whenever it runs."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, x: Tensor) -> Tensor:
        torch.save(x, self.path)
        return x


def test_torchscript_that_writes_a_file_is_refused_unless_it_is_trusted(
    tmp_path: Path,
) -> None:
    mark, path = tmp_path / "executed", tmp_path / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Writer(str(mark))).save(path)
    assert "is a TorchScript archive, which is a program" in refused(path)
    assert not mark.exists()
    load_model(str(path), trust_model_file=True).module(IMAGES)
    assert mark.exists()


def test_hostile_pickle_in_a_trusted_torchscript_archive_is_no_torchscript(
    network: nn.Module, tmp_path: Path
) -> None:
    mark, path = tmp_path / "executed", tmp_path / "model.pt"
    save_script(network, path)
    hostile = pickle.dumps(Hostile(mark), 2)
    rewrite(path, lambda name, data: hostile if name.endswith(".pkl") else data)
    said = refused(path, trust_model_file=True)
    assert "cannot be loaded by torch.jit.load" in said
    assert not mark.exists()


def test_archive_that_was_swapped_after_the_check_runs_nothing(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, path = tmp_path / "executed", tmp_path / "model.pt"
    torch.save(Hostile(mark), path)
    weights = file_format.WEIGHTS
    monkeypatch.setattr(file_format, "identify", lambda path: weights)
    assert "pickled object (it names" in refused(path, factory=FACTORY)
    save_script(network, path)
    refused(path, factory=FACTORY)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        ("made_network", "is no name of a function"),
        ("made_network:build()", "is no name of a function"),
        ("no_such_package:build", "cannot be imported .ModuleNotFoundError"),
        ("made_network:missing", "cannot be imported .AttributeError"),
        ("made_network:classes", "is a int; expected a function"),
        ("made_network:broken", "raised OSError: no disk"),
        ("made_network:wrong", "returned a dict; expected a torch.nn.Module"),
        ("made_network:leave", "raised SystemExit: 3"),
        (None, "pass factory="),
    ],
)
def test_factory_that_cannot_be_used_is_an_error(
    network: nn.Module, tmp_path: Path, factory: str | None, expected: str
) -> None:
    path = tmp_path / "weights.pt"
    save_weights(network, path)
    with pytest.raises(InputError, match=expected):
        load_model(str(path), factory=factory)


def drop(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if name != "3.bias"}


def add(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**weights, "9.bias": torch.zeros(1)}


def reshape(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**weights, "3.bias": torch.zeros(9)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (drop, "1 missing, such as '3.bias'"),
        (add, "1 not in the network, such as '9.bias'"),
        (reshape, "size mismatch for 3.bias"),
    ],
)
def test_weights_that_do_not_fit_are_an_error(
    network: nn.Module, tmp_path: Path, change: Callable[..., Any], expected: str
) -> None:
    path = tmp_path / "weights.pt"
    torch.save(change(dict(network.state_dict())), path)
    assert expected in refused(path, factory=FACTORY)


def test_file_without_a_state_dict_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save([1, 2], path)
    assert "holds a list that is no state dict" in refused(path, factory=FACTORY)


@pytest.mark.parametrize("save", [save_script, save_export, save_weights, save_safe])
def test_file_cut_short_is_an_error(
    network: nn.Module, tmp_path: Path, save: Callable[[nn.Module, Path], None]
) -> None:
    path = tmp_path / "model.pt2"
    save(network, path)
    path.write_bytes(path.read_bytes()[:-200])
    assert str(path) in refused(path, factory=FACTORY)
