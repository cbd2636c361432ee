"""The paper's method computed again, slowly: one sample, one number at a time.

It shares nothing with ``engine/paper.py`` but the two estimators of scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

Row = list[float]
Rows = list[Row]


def logits_of(
    module: nn.Module, normalise: Callable[[Tensor], Tensor], pixels: np.ndarray
) -> Rows:
    """The logits of each image, passed through the module on its own."""
    module.eval()
    rows = []
    with torch.no_grad():
        for image in pixels:
            batch = torch.from_numpy(np.array(image)).unsqueeze(0)
            rows.append([float(x) for x in module(normalise(batch))[0]])
    return rows


def softmax(logits: Row) -> Row:
    exponentials = [math.exp(x - max(logits)) for x in logits]
    return [e / sum(exponentials) for e in exponentials]


def double_softmax_loss(logits: Row, label: int) -> float:
    probabilities = softmax(logits)
    return -math.log(softmax(probabilities)[label])


def highest_in_each_class(
    values: Sequence[float], labels: Sequence[int], ratio: float
) -> list[bool]:
    chosen = [False] * len(labels)
    for given in set(labels):
        members = [i for i in range(len(labels)) if labels[i] == given]
        count = int(len(members) * ratio)
        for i in sorted(members, key=lambda i: (-values[i], i))[:count]:
            chosen[i] = True
    return chosen


def high_loss(logits: Rows, labels: Sequence[int], ratio: float) -> list[bool]:
    losses = [double_softmax_loss(row, y) for row, y in zip(logits, labels)]
    return highest_in_each_class(losses, labels, ratio)


def unusual_activations(
    embeddings: Rows, labels: Sequence[int], seed: int
) -> list[bool]:
    chosen = [False] * len(labels)
    for given in set(labels):
        members = [i for i in range(len(labels)) if labels[i] == given]
        if len({tuple(embeddings[i]) for i in members}) < 2:
            continue
        points = np.array([embeddings[i] for i in members], dtype=float)
        means = KMeans(n_clusters=2, n_init=10, random_state=seed).fit(points)
        with_first: list[int] = []
        without_first: list[int] = []
        for i, cluster in zip(members, means.labels_):
            same = cluster == means.labels_[0]
            (with_first if same else without_first).append(i)
        smaller = with_first if len(with_first) < len(without_first) else without_first
        for i in smaller:
            chosen[i] = True
    return chosen


def feature_row(logits: Rows, label: int, flags: Sequence[bool]) -> Row:
    """One sample's features, from the four models' logits of it."""
    row = softmax(logits[0])
    row += [1.0 if k == label else 0.0 for k in range(len(logits[0]))]
    for mutant in logits[1:]:
        row += softmax(mutant)
    row += [1.0 if flag else 0.0 for flag in flags]
    row += [double_softmax_loss(model, label) for model in logits]
    return row


def features(
    logits: Sequence[Rows], labels: Sequence[int], flags: Sequence[Sequence[bool]]
) -> Rows:
    """All samples' features; ``logits[model][sample][class]``."""
    return [
        feature_row([model[i] for model in logits], labels[i], flags[i])
        for i in range(len(labels))
    ]


def noise_features(logits: Rows, num_classes: int) -> Rows:
    """``logits[model][class]`` of one noise image, claimed to be each class in turn."""
    return [feature_row(logits, k, [True] * 3) for k in range(num_classes)]


def fault_probabilities(rows: Rows, faulty: Sequence[bool], questions: Rows) -> Row:
    regression = LogisticRegression(C=1.0, tol=1e-6, max_iter=10_000)
    regression.fit(rows, [1 if f else 0 for f in faulty])
    weights, bias = regression.coef_[0], regression.intercept_[0]
    probabilities = []
    for row in questions:
        z = bias + sum(w * x for w, x in zip(weights, row))
        probabilities.append(1 / (1 + math.exp(-z)))
    return probabilities


def initial_suspiciousness(rows: Rows, trusted: Sequence[int], noise_rows: Rows) -> Row:
    examples = [rows[i] for i in trusted] + list(noise_rows)
    faulty = [False] * len(trusted) + [True] * len(noise_rows)
    return fault_probabilities(examples, faulty, rows)


def update(
    rows: Rows, before: Row, checked: Sequence[int], verdicts: Sequence[bool]
) -> tuple[Row, list[int]]:
    """The new suspiciousness, and the order: checked ones first, then the rest."""
    after = list(before)
    if True in verdicts and False in verdicts:
        after = fault_probabilities([rows[i] for i in checked], verdicts, rows)
    rest = [i for i in range(len(rows)) if i not in checked]
    return after, list(checked) + sorted(rest, key=lambda i: (-after[i], i))
