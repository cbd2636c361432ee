"""How well wrong and missing tags are found, and counted.

A share of each tag is taken away where it belongs, and given to as many samples where
it does not. The peer is how unlikely a cross-fitted regression holds each tag, as
cleanlab scores them. Printed is, for ours and for the peer, the average precision over
all tags of all samples, and over samples, and how many of the faults ours counts: means
of the seeds, with half the range.

    PYTHONPATH=examples python -m bench.tags [--seeds 3] [--rates .02 .05 .2 .35]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.datasets import load_digits, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.method import multi_label

Case = tuple[np.ndarray, np.ndarray]
"""Embeddings float (N, D), and true tags bool (N, K)."""


def vectors(
    tags: int, each: float, noise: float, count: int = 2_000
) -> Callable[[int], Case]:
    """A vector of unit length for each tag, summed up, and noise of some length.

    Args:
        tags: K.
        each: how many a sample has, about; some tags are four times as frequent.
        noise: its length.
        count: N.
    """

    def draw(seed: int) -> Case:
        rng = np.random.default_rng(seed)
        often = each / tags * np.linspace(1.6, 0.4, tags)
        truth = rng.random((count, tags)) < often
        own = rng.normal(size=(tags, 64))
        own /= np.linalg.norm(own, axis=1, keepdims=True)
        return truth @ own + noise / 8 * rng.normal(size=(count, 64)), truth

    return draw


def digits(seed: int) -> Case:
    """Pixels of handwritten digits laid over each other, three on average."""
    rng = np.random.default_rng(seed)
    pixels, numbers = load_digits(return_X_y=True)
    truth = rng.random((2_000, 10)) < 0.3
    sums = 0.1 * rng.normal(size=(2_000, 64))
    for digit, column in enumerate(truth.T):
        some = np.flatnonzero(numbers == digit)
        sums[column] += pixels[rng.choice(some, column.sum())] / 16
    return sums, truth


def words(seed: int) -> Case:
    """Counts of words, by scikit-learn's generator; tags of 20 samples and more.

    It was not looked at in choosing.
    """
    counts, truth = make_multilabel_classification(
        2_000, 100, n_classes=15, n_labels=3, random_state=seed
    )
    return counts, truth[:, truth.sum(0) >= 20].astype(bool)


CASES: dict[str, Callable[[int], Case]] = {
    "10 tags": vectors(10, 3, 1.0),
    "30 tags": vectors(30, 3, 0.7),
    "10 tags, hardly told apart": vectors(10, 3, 2.5),
    "60 rare tags": vectors(60, 0.6, 0.7),
    "digits": digits,
    "words": words,
}


def plant(truth: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """The tags with faults, bool (N, K)."""
    given = truth.copy()
    for k, column in enumerate(truth.T):
        count = round(rate * column.sum())
        given[rng.choice(np.flatnonzero(column), count, False), k] = False
        given[rng.choice(np.flatnonzero(~column), count, False), k] = True
    return given


def peer(embeddings: np.ndarray, given: np.ndarray) -> np.ndarray:
    """How unlikely each tag is, or that there is none, float (N, K)."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    likely = [
        cross_val_predict(model, embeddings, column, method="predict_proba")[:, 1]
        for column in given.T
    ]
    return np.abs(given - np.column_stack(likely))


def measure(case: Case, rate: float, seed: int) -> list[float]:
    """Of ours and the peer, AP over tags and over samples; and counted over planted."""
    embeddings, truth = case
    given = plant(truth, rate, np.random.default_rng(seed))
    wrong = given != truth
    found = multi_label.score(embeddings, given, settings=Settings())
    ours, theirs = found.class_suspiciousness, peer(embeddings, given)
    return [
        *(
            average_precision_score(wrong.ravel(), one.ravel())
            for one in (ours, theirs)
        ),
        *(average_precision_score(wrong.any(1), one.max(1)) for one in (ours, theirs)),
        float(ours.sum() / wrong.sum()),
    ]


def row(figures: Sequence[Sequence[float]]) -> str:
    """The cells of a table: means and half the ranges."""
    every = np.array(figures)
    halves = (every.max(0) - every.min(0)) / 2
    return " | ".join(f"{m:.3f} ± {h:.3f}" for m, h in zip(every.mean(0), halves))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--rates", type=float, nargs="*", default=[0.02, 0.05, 0.2, 0.35]
    )
    options = parser.parse_args()
    print("| case | wrong | ours, tags | peer | ours, samples | peer | counted |")
    print("|---|---|---|---|---|---|---|")
    for name, draw in CASES.items():
        for rate in options.rates:
            seeds = range(options.seeds)
            figures = [measure(draw(seed), rate, seed) for seed in seeds]
            print(f"| {name} | {rate:.0%} | {row(figures)} |", flush=True)


if __name__ == "__main__":
    main()
