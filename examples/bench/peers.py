"""What others make of the cases of :mod:`bench.counts`: their orders, their counts.

    PYTHONPATH=examples python -m bench.peers FOLDER CACHE [START OF A NAME]

As of :mod:`bench.counts`, whose cases these are. Peers that need probabilities get
those of the case, or, for embeddings, of five-fold cross-validated logistic regression,
as in cleanlab's text tutorial.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors

from bench.counts import SEEDS, NumberCase, count, read
from fiftyone_dfaulo.engine import signals

NEIGHBOURS = 10
KEPT = 0.9
"""Share of a class's variance that its reconstruction keeps."""
BLOCK = 2000


class Peer(NamedTuple):
    """An order: scores (N,), higher is more suspicious; and a count, NaN for none."""

    scores: np.ndarray
    counted: float = np.nan


def out_of_sample(case: NumberCase, seed: int) -> np.ndarray:
    """Probabilities float64 (N, K)."""
    if case.predictions:
        return signals.softmax(case.embeddings)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    scaled = case.embeddings - case.embeddings.mean(0)
    scaled /= np.maximum(scaled.std(0), 1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)  # classes smaller than the folds
        found = cross_val_predict(
            LogisticRegression(max_iter=1000),
            scaled.astype(np.float64),
            case.labels,
            cv=folds,
            method="predict_proba",
        )
    return np.asarray(found)


def reconstruction_ratio(case: NumberCase) -> Peer:
    """Error of the own class's reconstruction over the least of all others'.

    The idea of reconstruction-error ratios of an autoencoder a class, here with a PCA
    a class: an own short implementation. Ratios above 1 are counted.
    """
    count = int(case.labels.max()) + 1
    errors = np.empty((len(case.labels), count), np.float32)
    for label in range(count):
        own = case.embeddings[case.labels == label]
        kept = PCA(KEPT, svd_solver="full").fit(own) if len(own) > 2 else None
        for start in range(0, len(errors), BLOCK):
            some = case.embeddings[start : start + BLOCK]
            mean = own.mean(0) if kept is None else kept.mean_
            away = some - mean
            error = (away**2).sum(1)
            if kept is not None:
                error -= ((away @ kept.components_.T) ** 2).sum(1)
            errors[start : start + BLOCK, label] = np.maximum(error, 1e-12)
    rows = np.arange(len(errors))
    own_error = errors[rows, case.labels]
    errors[rows, case.labels] = np.inf
    ratio = own_error / errors.min(1)
    return Peer(ratio, float((ratio > 1).sum()))


def neighbours(embeddings: np.ndarray, labels: np.ndarray) -> Peer:
    """Share of the nearest embeddings with another label: SimiFeat, arXiv 2110.06283.

    Its vote, by cosine, over ten neighbours, each weighted by its similarity. Counted
    where most have another label.
    """
    features = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    search = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(features)
    distance, found = search.kneighbors(features)
    agree = labels[found[:, 1:]] == labels[:, None]
    similarity = 1 - distance[:, 1:] ** 2 / 2
    return Peer(-(agree * similarity).sum(1), float((agree.mean(1) < 0.5).sum()))


def peers(case: NumberCase, seed: int) -> dict[str, Peer]:
    """All peers of one case, by name."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    seen = out_of_sample(case, seed)
    found = {}
    quality = get_label_quality_scores(case.labels, seen, method="self_confidence")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        issues = find_label_issues(case.labels, seen, n_jobs=1)
        off = find_label_issues(
            case.labels, seen, filter_by="confident_learning", n_jobs=1
        )
    found["cleanlab self-conf."] = Peer(-quality, float(issues.sum()))
    margin = get_label_quality_scores(case.labels, seen, method="normalized_margin")
    found["cleanlab margin"] = Peer(-margin)
    found["cleanlab CL"] = Peer(off - quality, float(off.sum()))
    if not case.predictions:
        found["reconstruction"] = reconstruction_ratio(case)
        found["k-NN"] = neighbours(case.embeddings, case.labels)
    return found


def main() -> None:
    """Prints a line for each case and seed: AP and count of ours and of each peer."""
    folder, cache = map(Path, sys.argv[1:3])
    start = sys.argv[3] if len(sys.argv) > 3 else ""
    for seed in SEEDS:
        for name, case in read(folder, cache, start, seed):
            ours = count(name, case, seed)
            print(f"{name} | {seed} | {ours.faults} faults", end="")
            print(f" | ours {ours.precision:.4f} {ours.estimate:.0f}", end="")
            for peer, found in peers(case, seed).items():
                precision = np.nan
                if case.faults.any():
                    precision = average_precision_score(case.faults, found.scores)
                print(f" | {peer} {precision:.4f} {found.counted:.0f}", end="")
            print(flush=True)


if __name__ == "__main__":
    main()
