"""Label noise in plain loops: what :mod:`.label_noise` computes with arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Found(NamedTuple):
    """What is found of K classes and N samples."""

    expected: list[list[float]]
    mistakes: float
    alike: float
    choosy: list[float]
    odds: list[float]


def find(
    seen: Sequence[Sequence[float]],
    labels: Sequence[int],
    *,
    prior: float,
    mistakes: float | None = None,
    like: Found | None = None,
    steps: int = 40,
) -> Found:
    """Expected samples by class and label, mistakes, likeness, odds of a mistake."""
    n, k = len(labels), len(seen[0])
    share = 0.05 if mistakes is None else min(max(mistakes, 0.001), 0.6)
    kinds = prior * n / k
    expected = [[0.0] * k for _ in range(k)]
    own = [[0.0] * k for _ in range(n)]
    alike = kinds / share if like is None else like.alike
    choosy = [1.0] * k if like is None else like.choosy

    def chance(sample: int, c: int) -> tuple[float, float, float, float, float]:
        """Of the label by the others; for learning the usual part, the total, and how
        much likelier the label were if the class were choosy, or were not."""
        label, mine = labels[sample], own[sample][c]
        total = max(sum(expected[c]) - mine, 0.0) + alike
        if c == label:
            usual = alike * (1 - share)
            rate = max(expected[c][c] - mine, 0.0) + usual
            return rate / total, usual / rate, total, 1.0, 1.0
        usual = alike * share
        mistaken = max(sum(expected[c]) - expected[c][c] - mine, 0.0)
        kind = (max(expected[c][label] - mine, 0.0) + kinds / (k - 1)) / (
            mistaken + kinds
        )
        mixed = choosy[c] * kind + (1 - choosy[c]) / (k - 1)
        rate = mistaken + usual
        if_alike = 1 / (k - 1) / mixed
        return rate / total * mixed, usual / rate, total, kind / mixed, if_alike

    for judging in (False, True) if like is None else (True,):
        for _ in range(steps // 2):
            if not judging:
                choosy = [1.0] * k
            usuals, totals, evidence = 0.0, 0.0, [0.0] * k
            counts, new = [[0.0] * k for _ in range(k)], []
            for i in range(n):
                said = [chance(i, c) for c in range(k)]
                joint = [seen[i][c] * said[c][0] for c in range(k)]
                truth = [one / sum(joint) for one in joint]
                for c in range(k):
                    usuals += truth[c] * said[c][1]
                    totals += truth[c] / said[c][2]
                    others = sum(joint) - joint[c]
                    if_choosy = others + joint[c] * said[c][3]
                    evidence[c] += math.log(
                        if_choosy / (others + joint[c] * said[c][4])
                    )
                    counts[c][labels[i]] += truth[c]
                new.append(truth)
            settled = all(
                abs(counts[c][g] - expected[c][g]) < 1e-2 * (1 + expected[c][g])
                for c in range(k)
                for g in range(k)
            )
            expected, own = counts, new
            if mistakes is None:
                right = sum(expected[c][c] for c in range(k))
                share = min(max(1 - right / n, 0.001), 0.6)
            if like is None:
                alike = max(usuals / totals, kinds / share)
                before = (sum(choosy) + 1) / (k + 2)
                before /= (1 - before) * math.exp(1.5)
                odds = [before * math.exp(one) for one in evidence]
                choosy = [one / (1 + one) for one in odds]
            if settled:
                break
    found = []
    for i in range(n):
        joint = [seen[i][c] * chance(i, c)[0] for c in range(k)]
        found.append((sum(joint) - joint[labels[i]]) / joint[labels[i]])
    return Found(expected, share, alike, choosy, found)
