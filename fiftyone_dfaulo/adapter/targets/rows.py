"""What is read of a dataset: items with their labels, and values of items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from fiftyone_dfaulo.engine.images.decoding import Source

Values: TypeAlias = Iterator[list[tuple[int, Any]]]
"""In batches: positions in some ids, each with what was read for it."""


@dataclass(frozen=True)
class Rows:
    """What a dataset or view holds in a label field.

    Attributes:
        rows: id of each item, once, with its image, or part of one, and its class, or
            classes; None if it has no label. In the order of their samples' ids, then
            their own.
        unreadable: id of each item that shows nothing in its image, to the reason.
    """

    rows: Sequence[tuple[str, Source, Any]]
    unreadable: Mapping[str, str]
