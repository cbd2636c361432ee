"""Plans faults in a classification dataset: in which samples, and of what kind.

A plan is made from the labels alone. It says which samples get another label, and
which get another image; :mod:`.painting` makes these images. Both draw from a generator
that the caller holds, so that a seed gives the same faults again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

LABEL = "wrong label"
TAKEN = "label taken away"
FOREIGN = "foreign image"
BLACK, GREY, WHITE = "black image", "grey image", "white image"
NOISE = "noise"
COPY = "copy of another image"
BOXES = "faults of boxes"

LEAK = 3.0
"""In the kind ``pair``, a third of the classes leak this many times the rate."""

IMBALANCE = 10.0
"""In the kind ``imbalanced``, the largest class is this many times the smallest."""

Pairs = Sequence[tuple[int, int]]
"""A class and the one it is taken for, the most confused first."""


@dataclass(frozen=True)
class Plan:
    """What should happen to N samples.

    Attributes:
        labels: int64 (N,), the labels with the faults in them; -1 where the label is
            taken away, which is no fault.
        faults: bool (N,).
        images: position of a sample to what its new image is: :data:`FOREIGN`,
            :data:`BLACK`, :data:`GREY`, :data:`WHITE`, :data:`NOISE` or :data:`COPY`.
            They are painted in this order.
        sources: position of a sample to that of the sample whose image it gets a
            :data:`COPY` of.
    """

    labels: np.ndarray
    faults: np.ndarray
    images: dict[int, str] = field(default_factory=dict)
    sources: dict[int, int] = field(default_factory=dict)

    def what(self, position: int) -> str | None:
        """What is done to a sample, in words; None if nothing."""
        if self.labels[position] < 0:
            return TAKEN
        if not self.faults[position]:
            return None
        return self.images.get(position, LABEL)


def plan_faults(
    labels: np.ndarray,
    kind: str,
    rate: float,
    rng: np.random.Generator,
    pairs: Pairs,
) -> Plan:
    """Draws the faults of a kind.

    Args:
        labels: int64 (N,), in 0..K-1, two classes or more.
        kind: one of :data:`KINDS`.
        rate: share of faults in each class that gets some, above 0; rounded to whole
            samples. In the kind ``pair`` a class leaks :data:`LEAK` times as much.
        rng: what is drawn from.
        pairs: for the kinds that name classes. ``specific_label`` takes the first
            pair, ``specific_data`` its first class, ``pair`` the first K / 3 pairs.
    """
    return KINDS[kind](labels, rate, rng, pairs)


def _some(members: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(members)[: round(rate * len(members))]


def _of_every_class(
    labels: np.ndarray,
    rate: float,
    rng: np.random.Generator,
    classes: Sequence[int] | None = None,
) -> np.ndarray:
    wanted = range(int(labels.max()) + 1) if classes is None else classes
    return np.concatenate(
        [_some(np.flatnonzero(labels == k), rate, rng) for k in wanted]
    )


def _relabelled(labels: np.ndarray, chosen: np.ndarray, new: np.ndarray) -> Plan:
    changed, faults = labels.copy(), np.zeros(len(labels), bool)
    changed[chosen], faults[chosen] = new, True
    return Plan(changed, faults)


def _repainted(
    plan: Plan,
    chosen: np.ndarray,
    images: Sequence[str],
    sources: Sequence[int] = (),
) -> Plan:
    faults, where = plan.faults.copy(), chosen.tolist()
    faults[chosen] = True
    return Plan(
        plan.labels, faults, dict(zip(where, images)), dict(zip(where, sources))
    )


def _untouched(labels: np.ndarray) -> Plan:
    return Plan(labels.copy(), np.zeros(len(labels), bool))


def _other_labels(
    labels: np.ndarray, chosen: np.ndarray, rng: np.random.Generator, count: int
) -> Plan:
    moved = labels[chosen] + rng.integers(1, count, len(chosen))
    return _relabelled(labels, chosen, moved % count)


def random_label(
    labels: np.ndarray, rate: float, rng: np.random.Generator, _: Pairs
) -> Plan:
    """In every class, some get a uniformly drawn other label."""
    chosen = _of_every_class(labels, rate, rng)
    return _other_labels(labels, chosen, rng, int(labels.max()) + 1)


def specific_label(
    labels: np.ndarray, rate: float, rng: np.random.Generator, pairs: Pairs
) -> Plan:
    """Some of two classes get each other's label."""
    first, second = pairs[0]
    a = _of_every_class(labels, rate, rng, [first])
    b = _of_every_class(labels, rate, rng, [second])
    new = np.repeat([second, first], [len(a), len(b)])
    return _relabelled(labels, np.concatenate([a, b]), new)


def pair(
    labels: np.ndarray, rate: float, rng: np.random.Generator, pairs: Pairs
) -> Plan:
    """A third of the classes, at least one, leak into the class each is taken for."""
    third = max(1, (int(labels.max()) + 1) // 3)
    chosen, new = [], []
    for source, target in pairs[:third]:
        some = _some(np.flatnonzero(labels == source), LEAK * rate, rng)
        chosen.append(some)
        new.append(np.full(len(some), target))
    return _relabelled(labels, np.concatenate(chosen), np.concatenate(new))


def imbalanced(
    labels: np.ndarray, rate: float, rng: np.random.Generator, _: Pairs
) -> Plan:
    """Classes shrunk to sizes from 1 down to a tenth; then random labels."""
    count = int(labels.max()) + 1
    sizes = IMBALANCE ** -np.linspace(0, 1, count)
    kept = np.concatenate(
        [
            _some(np.flatnonzero(labels == k), size, rng)
            for k, size in zip(rng.permutation(count), sizes)
        ]
    )
    left = np.full(len(labels), -1, labels.dtype)
    left[kept] = labels[kept]
    return _other_labels(left, _of_every_class(left, rate, rng), rng, count)


def random_data(
    labels: np.ndarray, rate: float, rng: np.random.Generator, _: Pairs
) -> Plan:
    """In every class, some get the image of another dataset, the label kept."""
    chosen = _of_every_class(labels, rate, rng)
    return _repainted(_untouched(labels), chosen, [FOREIGN] * len(chosen))


def specific_data(
    labels: np.ndarray, rate: float, rng: np.random.Generator, pairs: Pairs
) -> Plan:
    """In one class, some get the image of another dataset, the label kept."""
    chosen = _of_every_class(labels, rate, rng, [pairs[0][0]])
    return _repainted(_untouched(labels), chosen, [FOREIGN] * len(chosen))


def mixture(
    labels: np.ndarray, rate: float, rng: np.random.Generator, _: Pairs
) -> Plan:
    """Half random labels, half images of another dataset."""
    chosen = rng.permutation(_of_every_class(labels, rate, rng))
    half = len(chosen) // 2
    plan = _other_labels(labels, chosen[:half], rng, int(labels.max()) + 1)
    return _repainted(plan, chosen[half:], [FOREIGN] * (len(chosen) - half))


def corrupt(
    labels: np.ndarray, rate: float, rng: np.random.Generator, _: Pairs
) -> Plan:
    """In every class, some images become black, grey, white or noise."""
    chosen = _of_every_class(labels, rate, rng)
    parts = np.array_split(chosen, 4)
    images = np.repeat([BLACK, GREY, WHITE, NOISE], [len(part) for part in parts])
    return _repainted(_untouched(labels), chosen, images.tolist())


def duplicates(
    labels: np.ndarray, rate: float, rng: np.random.Generator, _: Pairs
) -> Plan:
    """Some become a noisy copy of an image of another class, the label kept."""
    chosen = _of_every_class(labels, rate, rng)
    others = np.setdiff1d(np.arange(len(labels)), chosen)
    sources = [int(rng.choice(others[labels[others] != labels[i]])) for i in chosen]
    return _repainted(_untouched(labels), chosen, [COPY] * len(chosen), sources)


KINDS: dict[str, Callable[[np.ndarray, float, np.random.Generator, Pairs], Plan]] = {
    "random_label": random_label,
    "specific_label": specific_label,
    "pair": pair,
    "imbalanced": imbalanced,
    "random_data": random_data,
    "specific_data": specific_data,
    "mixture": mixture,
    "corrupt": corrupt,
    "duplicates": duplicates,
}
"""The paper's four kinds (random and specific, label and data), and five more."""

PAINTED = ("random_data", "specific_data", "mixture", "corrupt", "duplicates")
"""The kinds that replace images."""

PAIRED = ("specific_label", "pair", "specific_data")
"""The kinds that name classes."""
