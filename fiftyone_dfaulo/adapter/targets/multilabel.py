"""Tags, the labels of a ``Classifications`` field: as text, as a matrix, and where.

A sample with an empty list of tags has none, which is a statement about each of them;
a sample without a list is not labelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fiftyone_dfaulo.adapter.targets.base import Place

MISSING = "missing"
"""What the name of the field with the tags that look missing ends in."""


def tag_paths(brain_key: str, place: Place) -> list[str]:
    """Paths of what a run has where tags are scored, and nowhere else.

    These are the suspiciousness and the reasons of each given tag, attributes of it,
    and the samples' field with the missing ones. None where no tags are scored.
    """
    if place.tags_path is None:
        return []
    names = (f"{brain_key}_{part}" for part in ("suspiciousness", "reasons"))
    attributes = (f"{place.tags_path}.{name}" for name in names)
    return [*attributes, f"{brain_key}_{MISSING}"]


def kept_lists(tags_path: str, fields: Iterable[str]) -> list[str]:
    """Paths of the tags, and of those in the original labels among the fields."""
    originals = (name for name in fields if name.endswith("_original_label"))
    kept = (f"{name}.classifications" for name in originals)
    return [*dict.fromkeys((tags_path, *kept))]


def tag_text(tags: Iterable[str | None]) -> str:
    """The classes of a sample's tags as one string, in their order by name."""
    return ", ".join(sorted({tag for tag in tags if tag is not None}))


def label_text(label: Mapping[str, Any] | None) -> str | None:
    """The class of a stored label, or those of stored tags; None without a label."""
    if not label:
        return None
    if "classifications" not in label:
        return label.get("label")
    tags = label["classifications"]
    return None if tags is None else tag_text(tag.get("label") for tag in tags)


def tag_matrix(tags: Sequence[Iterable[str | None]]) -> tuple[np.ndarray, list[str]]:
    """Which samples have which tags: bool (N, K), and the K classes, sorted."""
    sets = [{tag for tag in some if tag is not None} for some in tags]
    classes = sorted(set().union(*sets))
    number = {name: n for n, name in enumerate(classes)}
    given = np.zeros((len(sets), len(classes)), bool)
    for row, some in enumerate(sets):
        given[row, [number[tag] for tag in some]] = True
    return given, classes


def number_sets(given: np.ndarray) -> np.ndarray:
    """Int64 (N,), from 0 on: equal for samples with equal rows, bool (N, K)."""
    return np.unique(given, axis=0, return_inverse=True)[1].reshape(-1)


def tell_apart(given: np.ndarray) -> bool:
    """Whether some tag is one that some samples have and others do not."""
    return bool((given.any(0) & ~given.all(0)).any())
