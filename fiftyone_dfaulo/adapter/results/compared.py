"""What the results of a run have where it has compared items with one another."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import fiftyone.core.brain as fob
import fiftyone.core.utils as fou
import numpy as np

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.results.texts import Rows, Texts, number_texts

if TYPE_CHECKING:
    from typing_extensions import Self


class Settled(NamedTuple):
    """When a run was looked at once more, and its dataset said what it had written.

    Attributes:
        at: seconds since 1970, before the look.
        documents: how many samples, or frames, the dataset had.
        took: seconds that the look took.
    """

    at: float
    documents: int
    took: float


class ComparedResults(DFauLoResults):
    """Results with the nearest neighbours of the most suspicious items.

    Attributes:
        neighbours: int32 (M, 31), positions among the N, -1 for none: of each of the M
            most suspicious items, of its 10 nearest neighbours, of the 10 nearest that
            have the same label, and of those that have the suggested one; see
            :func:`.find_neighbours`. M is 0 where a run has looked for none.
        settled: None where labels changed while the run was computed, and for objects
            in lists, as the results do not say which sample each lies in.
    """

    settled: Settled | None = None

    def __init__(
        self, *args: Any, neighbours: np.ndarray | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        none = np.empty((0, 1), np.int32)
        self.neighbours = none if neighbours is None else neighbours

    @cached_property
    def rows(self) -> Rows:
        """The position of an item, by its id."""
        return Rows(self.ids)

    @cached_property
    def texts(self) -> Texts:
        """The labels that were scored and the suggestions, by number."""
        numbers: dict[str, int] = {}
        labels = number_texts(numbers, self.label_texts())
        return Texts(numbers, labels, number_texts(numbers, self.suggestion_texts()))

    @cached_property
    def strata(self) -> np.ndarray:
        """The items' strata of an audit: see :func:`.audit.strata`."""
        from fiftyone_dfaulo.engine.feedback.audit import strata

        return strata(self.suspiciousness)

    def suggested_label(self, row: int) -> str | None:
        """The text of the label that an item would have by the suggestion."""
        (text,) = self.suggestion_texts(slice(row, row + 1))
        return None if text is None else str(text)

    def drop_vanished(self, present: Collection[str]) -> None:
        """As of any results; what is left keeps its neighbours that are."""
        there = np.fromiter((i in present for i in self.ids), bool, len(self.ids))
        self.neighbours = renumbered(
            self.neighbours, np.where(there, np.cumsum(there) - 1, -1)
        )
        super().drop_vanished(present)
        if not there.all():
            self.settled = None
        for name in ("rows", "texts", "strata"):
            self.__dict__.pop(name, None)

    def serialize(self, reflective: bool = False) -> dict[str, object]:
        """As of any results, and the neighbours."""
        packed = fou.serialize_numpy_array(self.neighbours, ascii=True)
        settled = None if self.settled is None else list(self.settled)
        own = {"neighbours": packed, "settled": settled}
        return {**super().serialize(reflective), **own}

    @classmethod
    def _from_dict(
        cls,
        d: dict[str, object],
        samples: Samples,
        config: fob.BrainMethodConfig,
        key: str,
    ) -> Self:
        results = super()._from_dict(d, samples, config, key)
        if "neighbours" in d:  # newer than some runs
            packed = d["neighbours"]
            results.neighbours = fou.deserialize_numpy_array(packed, ascii=True)
        if d.get("settled"):  # newer as well
            results.settled = Settled(*cast("list[Any]", d["settled"]))
        return results


def renumbered(neighbours: np.ndarray, number: np.ndarray) -> np.ndarray:
    """The neighbours where items have other positions.

    Args:
        neighbours: as of :class:`ComparedResults`.
        number: int (N,), the new position of each item; -1 for one that is gone.

    Returns:
        the same of the items that are left.
    """
    moved = np.append(number, -1)[neighbours].astype(np.int32)
    return np.asarray(moved[moved[:, 0] >= 0])
