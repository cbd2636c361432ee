"""Every way in: the same faults, found by way of each thing that a user may have.

One network is trained on the images with their labels as they are, faults included. It
is then brought in each way that there is: as a module, in files of each kind, as a
model of FiftyOne's, as the embeddings that it makes, and as its predictions.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import fiftyone.operators as foo
import fiftyone.utils.torch as fout
import fiftyone.zoo as foz
import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import nn

import fiftyone_dfaulo as dfaulo
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.network.training import train_network

ROOT = Path(__file__).parents[2]
OPERATOR = "@dfaulo/dfaulo/compute_suspiciousness"
ZOO_NAME = "resnet18-imagenet-torch"
"""The zoo's name that the stand-in, made of the trained network, is loaded by."""

_FACTORY = """
from fiftyone_dfaulo.engine.network.architecture import SmallResNet

def build():
    return SmallResNet({classes}, {size})
"""


@dataclass(frozen=True)
class Brought:
    """A trained network, in every form.

    Attributes:
        python: way in to the arguments of ``compute_suspiciousness``.
        app: way in to the parameters of the operator; a module is for Python only.
        zoo: the stand-in for a zoo model.
    """

    python: dict[str, dict[str, Any]]
    app: dict[str, dict[str, Any]]
    zoo: Any


def bring(
    dataset: Any, pixels: np.ndarray, folder: Path, *, epochs: int, seed: int = 0
) -> Brought:
    """Trains the network and brings it in each way.

    Args:
        dataset: N images with labels in ``ground_truth``; embeddings, a brain run and
            predictions are added to it.
        pixels: uint8 (N, S, S, 3), the images in the dataset's order.
        folder: where to write model files.
        epochs: how often training goes through the images.
        seed: of the training.
    """
    names, labels = np.unique(dataset.values("ground_truth.label"), return_inverse=True)
    classes = [str(name) for name in names]
    settings = Settings(epochs=epochs, seed=seed, device="cpu")
    network = train_network(pixels, labels, len(classes), settings=settings)
    vectors, logits = network.outputs(pixels)
    _fill(dataset, vectors, logits, classes)

    size = pixels.shape[1]
    preprocessing = {
        "size": size,
        "mean": (network.mean / 255).tolist(),
        "std": (network.std / 255).tolist(),
    }
    files = _save(network.module, folder, len(classes), size)
    own = {"epochs": epochs, "seed": seed}
    ways: dict[str, dict[str, Any]] = {"built-in network": own}
    for name, (path, factory) in files.items():
        ways[name] = {"model": path, "classes": classes, "preprocessing": preprocessing}
        if factory:
            ways[name]["factory"] = factory
    ways |= {
        "zoo model": {"model": ZOO_NAME},
        "embeddings field": {"embeddings": "vectors"},
        "brain run": {"embeddings": "similarity"},
        "logits field": {"predictions": "predictions"},
    }
    module = {**ways["TorchScript"], "model": network.module}
    return Brought(
        {"module": module, **ways},
        ways,
        _stand_in(network.module, preprocessing, classes),
    )


def _fill(
    dataset: Any, vectors: np.ndarray, logits: np.ndarray, classes: list[str]
) -> None:
    dataset.set_values("vectors", list(vectors))
    fob.compute_similarity(
        dataset, embeddings="vectors", brain_key="similarity", progress=False
    )
    guesses = [
        fo.Classification(label=classes[row.argmax()], logits=row) for row in logits
    ]
    dataset.set_values("predictions", guesses)
    dataset.classes = {"predictions": classes}


def _save(
    module: nn.Module, folder: Path, classes: int, size: int
) -> dict[str, tuple[str, str | None]]:
    """Way in to the path of a file and the factory that it needs."""
    from safetensors.torch import save_file

    images = torch.zeros(2, 3, size, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates TorchScript
        torch.jit.trace(module, images).save(folder / "script.pt")
        batch = torch.export.Dim("batch", min=1, max=4096)
        program = torch.export.export(module, (images,), dynamic_shapes=({0: batch},))
        torch.export.save(program, folder / "exported.pt2")
    torch.save(module.state_dict(), folder / "weights.pt")
    save_file(
        {name: value.contiguous() for name, value in module.state_dict().items()},
        folder / "weights.safetensors",
    )
    text = _FACTORY.format(classes=classes, size=size)
    (folder / "ways_in_factory.py").write_text(text, encoding="utf-8")
    factory = "ways_in_factory:build"
    return {
        "TorchScript": (str(folder / "script.pt"), None),
        "torch.export": (str(folder / "exported.pt2"), None),
        "state dict + factory": (str(folder / "weights.pt"), factory),
        "safetensors + factory": (str(folder / "weights.safetensors"), factory),
    }


def _stand_in(
    module: nn.Module, preprocessing: dict[str, Any], classes: list[str]
) -> Any:
    size = preprocessing["size"]
    return fout.TorchImageModel(
        fout.TorchImageModelConfig(
            {
                "model": module,
                "classes": classes,
                "image_size": [size, size],
                "image_mean": preprocessing["mean"],
                "image_std": preprocessing["std"],
                "embeddings_layer": "<head",
                "output_processor_cls": (
                    "fiftyone.utils.torch.ClassifierOutputProcessor"
                ),
                "device": "cpu",
            }
        )
    )


@contextmanager
def reachable(brought: Brought, folder: Path) -> Iterator[None]:
    """Has FiftyOne find the plugin and the stand-in, and Python the factory.

    Operators may run what is in the folder.
    """
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    if not (plugins / "dfaulo").exists():
        (plugins / "dfaulo").symlink_to(ROOT, target_is_directory=True)
    before, fo.config.plugins_dir = fo.config.plugins_dir, str(plugins)
    load: Callable[..., Any] = foz.load_zoo_model

    def give(name: str, **kwargs: Any) -> Any:
        return brought.zoo if name == ZOO_NAME else load(name, **kwargs)

    variables = {
        "DFAULO_TRUSTED_MODELS": str(folder),
        "DFAULO_FACTORIES": "ways_in_factory:build",
    }
    os.environ.update(variables)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    foz.load_zoo_model = give
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        fo.config.plugins_dir = before
        foz.load_zoo_model = load
        sys.path.remove(str(folder))
        sys.modules.pop("ways_in_factory", None)


_PROGRAMS = ("TorchScript", "torch.export")
"""Ways in whose file is a program, which is loaded only where it is trusted."""


def find(
    dataset: Any, brought: Brought, folder: Path, faults: np.ndarray
) -> Iterator[tuple[str, str, float]]:
    """Runs every way in, through Python and through the App's operator.

    Args:
        dataset, brought, folder: as of :func:`bring`.
        faults: bool (N,), in the dataset's order.

    Yields:
        way in, ``"Python"`` or ``"operator"``, and the average precision.
    """
    with reachable(brought, folder):
        operator = foo.get_operator(OPERATOR)
        for way, arguments in brought.python.items():
            results = dfaulo.compute_suspiciousness(
                dataset,
                brain_key="way",
                trust_model_file=way in _PROGRAMS,
                progress=False,
                **arguments,
            )
            yield way, "Python", _precision(dataset, results, faults)
            if way in brought.app:
                done = operator(dataset, brain_key="way", **brought.app[way])
                done.raise_exceptions()
                results = dataset.load_brain_results("way")
                yield way, "operator", _precision(dataset, results, faults)


def _precision(dataset: Any, results: Any, faults: np.ndarray) -> float:
    position = {sample: n for n, sample in enumerate(dataset.values("id"))}
    found = faults[[position[sample] for sample in results.ids]]
    return float(average_precision_score(found, results.suspiciousness))
