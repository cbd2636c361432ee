"""What one network makes of a case: every method judges the same outputs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.cases import Case
from fiftyone_dfaulo import config
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine import device
from fiftyone_dfaulo.engine.images import batches
from fiftyone_dfaulo.engine.injection import class_pairs
from fiftyone_dfaulo.engine.method import heads
from fiftyone_dfaulo.engine.network import architecture, training

MODULES = (config, device, batches, architecture, training)
SOURCES = [Path(str(module.__file__)) for module in MODULES]


@dataclass(frozen=True)
class Outputs:
    """A trained network's outputs on the N samples of a case.

    Attributes:
        embeddings: float32 (N, D), of the penultimate layer.
        logits: float32 (N, K), at the end of training.
        views: the embeddings, averaged over an image and moved copies of it.
        views_logits: float32 (N, K), of that average.
        appearance: float32 (N, A), what the first layers see.
        learning: float32 (N, K), logits while it learned, as the plugin takes them.
        epochs: float32 (E, N, K), logits that the steps of each epoch saw.
        seconds: what training and the outputs at its end took.
    """

    embeddings: np.ndarray
    logits: np.ndarray
    views: np.ndarray
    views_logits: np.ndarray
    learning: np.ndarray
    appearance: np.ndarray
    epochs: np.ndarray
    seconds: np.ndarray


def prepare(pixels: np.ndarray) -> np.ndarray:
    """Images as the plugin gives them to the network: uint8 (N, S, S, 3)."""
    if pixels.ndim == 3:
        pixels = np.repeat(pixels[..., None], 3, axis=3)
    return np.ascontiguousarray(pixels)


def train(case: Case, seed: int) -> Outputs:
    """Trains the plugin's network on the case as it is."""
    pixels, settings = prepare(case.images), Settings(seed=seed)
    epochs: list[np.ndarray] = []
    start = time.perf_counter()
    trained = training.train_network(
        pixels,
        case.labels,
        int(case.labels.max()) + 1,
        settings=settings,
        after_epoch=epochs.append,
    )
    embeddings, logits = trained.outputs(pixels)
    seconds = time.perf_counter() - start
    views, views_logits = trained.outputs(pixels, views=True)
    return Outputs(
        embeddings=embeddings,
        logits=logits,
        views=views,
        views_logits=views_logits,
        learning=trained.learning,
        appearance=trained.appearance(pixels),
        epochs=np.stack(epochs),
        seconds=np.float64(seconds),
    )


def load(case: Case, seed: int, folder: Path) -> Outputs:
    """As :func:`train`, once: the outputs are kept in the folder."""
    file = folder / f"{case.name}-{seed}-{_version(case)}.npz"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez(part, **asdict(train(case, seed)))
        part.replace(file)
    with np.load(file, allow_pickle=False) as arrays:
        return Outputs(**arrays)


def _version(case: Case) -> str:
    """Changes with the images, the labels and the code that trains."""
    digest = hashlib.sha256()
    for part in (case.images.tobytes(), case.labels.tobytes()):
        digest.update(part)
    for source in SOURCES:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def confused(clean: Case, load: Callable[[Case], Outputs]) -> list[tuple[int, int]]:
    """Each class with the one that it is most often taken for, most confused first.

    Args:
        clean: a case without faults.
        load: gives the outputs of a case.
    """
    outputs, labels = load(clean), clean.labels
    features = heads.standardise(outputs.embeddings)
    folds = heads.assign_folds(labels, np.random.default_rng(0))
    seen = heads.out_of_sample(features, labels, folds)[:]
    seen[np.arange(len(labels)), labels] = -np.inf
    return class_pairs.rank_pairs(labels, seen.argmax(1), int(labels.max()) + 1)
