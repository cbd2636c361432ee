"""Cases for the estimated number of faults: embeddings and predictions of many kinds.

Every case has a name, embeddings (N, D), labels to be checked, and which are faults.
Synthetic classes resemble each other in twos: the centres of two lie ``near`` apart,
those of others ``far``, in units of the spread of a class in each direction. Cases of
``predictions`` are out-of-sample log-probabilities of small networks trained on the
labels as they are, for few or many steps: flat or sharp.

    PYTHONPATH=examples python -m bench.counts FOLDER CACHE [START OF A NAME]

FOLDER has CIFAR-10N's and the hands' files; CACHE keeps what was made. What is chosen
in the method is chosen on every second case, from the first on; the figures of the
others are those that count.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.feedback.estimate import estimate_faults
from fiftyone_dfaulo.engine.method import single_label

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class NumberCase:
    """Embeddings float32 (N, D), labels int64 (N,), faults bool (N,)."""

    embeddings: np.ndarray
    labels: np.ndarray
    faults: np.ndarray
    predictions: bool = False


def synthetic(
    count: int,
    classes: int,
    dim: int,
    *,
    near: float = 2.5,
    far: float = 5.0,
    largest: float = 0.0,
    noise: float = 0.05,
    kind: str = "random",
    seed: int = 0,
) -> NumberCase:
    """Gaussian classes that resemble each other in twos.

    Args:
        largest: share of the samples that the first class has; 0 makes all equal.
        kind: how a share ``noise`` of the labels is changed: ``random`` to any other
            class, ``pair`` to the class that resembles it, in every third pair alone.
    """
    rng = np.random.default_rng(seed)
    centres = far / np.sqrt(2 * dim) * rng.normal(size=((classes + 1) // 2, dim))
    away = rng.normal(size=(classes, dim))
    away *= near / 2 / np.linalg.norm(away, axis=1, keepdims=True)
    centres = np.repeat(centres, 2, 0)[:classes]
    centres[::2] += away[::2]
    centres[1::2] -= away[::2][: classes // 2]
    truth = rng.permutation(np.arange(count) % classes)
    if largest:
        others = 1 + np.arange(count) % (classes - 1)
        truth = np.where(rng.random(count) < largest, 0, rng.permutation(others))
    embeddings = centres[truth] + rng.normal(size=(count, dim))
    return plant(embeddings, truth, noise, kind, rng)


def plant(
    embeddings: np.ndarray,
    truth: np.ndarray,
    noise: float,
    kind: str,
    rng: np.random.Generator,
) -> NumberCase:
    """Changes a share of the labels, as of :func:`synthetic`."""
    truth = np.unique(truth, return_inverse=True)[1]
    classes = int(truth.max()) + 1
    labels = truth.copy()
    if kind == "random":
        chosen = rng.random(len(truth)) < noise
        moved = (truth + rng.integers(1, classes, len(truth))) % classes
        labels[chosen] = moved[chosen]
    else:
        leaking = truth % 6 == 0
        chosen = leaking & (rng.random(len(truth)) < noise)
        labels[chosen] = np.minimum(truth[chosen] + 1, classes - 1)
    embeddings = embeddings.astype(np.float32)
    return NumberCase(embeddings, labels.astype(np.int64), labels != truth)


def with_predictions(
    case: NumberCase, epochs: int, *, width: int = 64, seed: int = 0
) -> NumberCase:
    """The same, seen through five networks' out-of-sample log-probabilities.

    Few epochs leave them flat, many make them follow single labels: too sure.
    """
    seen = np.empty((len(case.labels), int(case.labels.max()) + 1), np.float32)
    scaled = (case.embeddings - case.embeddings.mean(0)) / (
        case.embeddings.std() + 1e-9
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    for training, held_out in folds.split(scaled, case.labels):
        network = MLPClassifier(
            (width,),
            alpha=1e-4,
            batch_size=128,
            learning_rate_init=2e-3,
            max_iter=epochs,
            tol=0.0,
            n_iter_no_change=epochs,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopped on purpose
            network.fit(scaled[training], case.labels[training])
        found = np.clip(network.predict_proba(scaled[held_out]), 1e-12, 1.0)
        seen[held_out] = log_softmax(np.log(found), axis=1)
    return NumberCase(seen, case.labels, case.faults, predictions=True)


def cifar(folder: Path, name: str) -> NumberCase:
    """10,000 images of CIFAR-10N by MobileNet embeddings, with human labels."""
    found = np.load(folder / "cifar10n_10000.npz")
    embeddings = np.load(folder / "cifar10n_10000_mobilenet.npz")["embeddings"]
    labels, truth = found[name].astype(np.int64), found["clean"].astype(np.int64)
    return NumberCase(embeddings.astype(np.float32), labels, labels != truth)


def hands(folder: Path, noise: float, kind: str, seed: int) -> NumberCase:
    """2,062 photos of hands that show ten digits, by MobileNet embeddings."""
    found = np.load(folder / "hands_mobilenet.npz")
    rng = np.random.default_rng(seed)
    return plant(found["embeddings"], found["labels"], noise, kind, rng)


def cifar_planted(folder: Path, noise: float, kind: str, seed: int) -> NumberCase:
    """The same images with true labels, some changed."""
    found = np.load(folder / "cifar10n_10000.npz")
    embeddings = np.load(folder / "cifar10n_10000_mobilenet.npz")["embeddings"]
    rng = np.random.default_rng(seed)
    return plant(embeddings, found["clean"].astype(np.int64), noise, kind, rng)


Maker = Callable[[], NumberCase]


def makers(folder: Path, seed: int = 0) -> dict[str, Maker]:
    """What makes each case, by its name; ``folder`` has the shared data."""
    s = partial(synthetic, seed=seed)
    made: dict[str, Maker] = {
        "2 x 400": partial(s, 400, 2, 16),
        "2 x 3000": partial(s, 3000, 2, 32),
        "2 x 3000, 20 %": partial(s, 3000, 2, 32, noise=0.2),
        "2 x 3000, none": partial(s, 3000, 2, 32, noise=0.0),
        "8 x 800": partial(s, 800, 8, 64),
        "8 x 800, none": partial(s, 800, 8, 64, noise=0.0),
        "10 x 10000": partial(s, 10000, 10, 64),
        "10 x 10000, 20 %": partial(s, 10000, 10, 64, noise=0.2),
        "10 x 5000, 40 %": partial(s, 5000, 10, 64, noise=0.4),
        "10 x 5000, none": partial(s, 5000, 10, 64, noise=0.0),
        "10 x 5000, far": partial(s, 5000, 10, 64, near=6.0, far=9.0),
        "10 x 5000, far, none": partial(s, 5000, 10, 64, near=6.0, far=9.0, noise=0.0),
        "12 x 6000, one of 60 %, pair": partial(
            s, 6000, 12, 64, largest=0.6, noise=0.15, kind="pair"
        ),
        "3 x 5000, one of 85 %": partial(s, 5000, 3, 32, largest=0.85),
        "5 x 5000, one of 99 %": partial(s, 5000, 5, 32, largest=0.99, noise=0.02),
        "3 x 5000, one of 95 %, none": partial(s, 5000, 3, 32, largest=0.95, noise=0.0),
        "50 x 5000": partial(s, 5000, 50, 128, near=3.5, far=7.0),
        "50 x 10000, 20 %": partial(s, 10000, 50, 128, near=3.5, far=7.0, noise=0.2),
        "50 x 5000, none": partial(s, 5000, 50, 128, near=3.5, far=7.0, noise=0.0),
        "100 x 5000": partial(s, 5000, 100, 128, near=3.5, far=7.0),
        "100 x 5000, pair": partial(
            s, 5000, 100, 128, near=3.5, far=7.0, noise=0.15, kind="pair"
        ),
        "200 x 10000": partial(s, 10000, 200, 128, near=4.0, far=8.0),
        "200 x 10000, none": partial(s, 10000, 200, 128, near=4.0, far=8.0, noise=0.0),
        "1000 x 10000": partial(s, 10000, 1000, 128, near=5.0, far=10.0),
        "hands": partial(hands, folder, 0.05, "random", seed),
        "hands, 20 %": partial(hands, folder, 0.2, "random", seed),
        "hands, none": partial(hands, folder, 0.0, "random", seed),
        "hands, pair": partial(hands, folder, 0.15, "pair", seed),
        "CIFAR-10, none": partial(cifar_planted, folder, 0.0, "random", seed),
        "CIFAR-10, 5 %": partial(cifar_planted, folder, 0.05, "random", seed),
        "CIFAR-10, 20 %": partial(cifar_planted, folder, 0.2, "random", seed),
        "CIFAR-10N aggregate": partial(cifar, folder, "aggre_label"),
        "CIFAR-10N random1": partial(cifar, folder, "random_label1"),
        "CIFAR-10N worse": partial(cifar, folder, "worse_label"),
    }
    far = partial(s, 5000, 10, 64, near=5.0, far=8.0)

    def sight(make: Maker, epochs: int) -> Maker:
        return lambda: with_predictions(make(), epochs, seed=seed)

    for epochs, what in ((2, "flat"), (8, "middle"), (40, "sharp")):
        for noise in (0.0, 0.05, 0.2):
            made[f"networks, {what}, {noise:.0%}"] = sight(
                partial(far, noise=noise), epochs
            )
        for name in ("aggre_label", "random_label1", "worse_label"):
            made[f"networks, {what}, CIFAR-10N {name}"] = sight(
                partial(cifar, folder, name), epochs
            )
        made[f"networks, {what}, hands, 15 %"] = sight(
            partial(hands, folder, 0.15, "random", seed), 4 * epochs
        )
    return made


def read(
    folder: Path, cache: Path, start: str = "", seed: int = 0
) -> Iterator[tuple[str, NumberCase]]:
    """The cases whose name starts so; ``cache`` keeps those that were made before."""
    cache.mkdir(parents=True, exist_ok=True)
    for number, (name, make) in enumerate(makers(folder, seed).items()):
        if not name.startswith(start):
            continue
        path = cache / f"{number:02}-{seed}.npz"
        if not path.exists():
            case = make()
            np.savez(path, e=case.embeddings, l=case.labels, f=case.faults)
        found = np.load(path)
        predictions = name.startswith("networks")
        yield name, NumberCase(found["e"], found["l"], found["f"], predictions)


class Counted(NamedTuple):
    """What was estimated of one case: a number of faults and its 90 % interval."""

    name: str
    samples: int
    faults: int
    estimate: float
    low: float
    high: float
    precision: float


def score(case: NumberCase, settings: Settings) -> np.ndarray:
    """The suspiciousness (N,) of a case's labels."""
    return single_label.score(
        case.embeddings,
        case.labels,
        logits=case.embeddings if case.predictions else None,
        settings=settings,
    ).suspiciousness


def count(name: str, case: NumberCase, seed: int) -> Counted:
    """Scores a case, and estimates its faults as the product does."""
    suspiciousness = score(case, Settings(seed=seed))
    unchecked = np.full(len(case.labels), -1, np.int8)
    found = estimate_faults(suspiciousness, unchecked)
    precision = np.nan
    if case.faults.any():
        precision = float(average_precision_score(case.faults, suspiciousness))
    faults = int(case.faults.sum())
    ends = found.count, found.low, found.high
    return Counted(name, len(case.labels), faults, *ends, precision)


def shares(counted: Sequence[Counted]) -> str:
    """How many of some cases are counted well, in one line."""
    faulty = [each for each in counted if each.faults]
    human = [each for each in faulty if "CIFAR-10N" in each.name]
    planted = [each for each in faulty if each not in human]
    clean = [each.estimate / each.samples for each in counted if not each.faults]

    def within(some: Sequence[Counted], least: float, most: float) -> str:
        good = sum(least <= each.estimate / each.faults <= most for each in some)
        return f"{good} of {len(some)}"

    covered = sum(each.low <= each.faults <= each.high for each in faulty)
    return (
        f"planted within a quarter {within(planted, 0.75, 1.25)}, human within .6 to "
        f"1.4 {within(human, 0.6, 1.4)}, intervals hold {covered} of {len(faulty)}, "
        f"without faults at most {max(clean, default=0.0):.2%}"
    )


def main() -> None:
    """Prints a line for each case and seed, then what holds for each half of them."""
    folder, cache = map(Path, sys.argv[1:3])
    start = sys.argv[3] if len(sys.argv) > 3 else ""
    halves: tuple[list[Counted], list[Counted]] = ([], [])
    for seed in SEEDS:
        for number, (name, case) in enumerate(read(folder, cache, start, seed)):
            found = count(name, case, seed)
            halves[number % 2].append(found)
            print(
                f"{name:38} {seed} {found.faults:5} {found.estimate:7.0f} "
                f"({found.low:.0f} to {found.high:.0f}) AP {found.precision:.4f}",
                flush=True,
            )
    print(f"chosen on: {shares(halves[0])}\nnot chosen on: {shares(halves[1])}")


if __name__ == "__main__":
    main()
