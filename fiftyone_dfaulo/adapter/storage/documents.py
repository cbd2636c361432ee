"""The documents that a run is written into: a dataset's samples, or its frames.

FiftyOne keeps frames in a collection of their own, with a schema of its own, and has
a method for samples and one for frames for most things. Here each thing has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import fiftyone as fo
import fiftyone.core.utils as fou
from fiftyone.core.frame import Frame
from fiftyone.core.sample import Sample
from pymongo import WriteConcern
from pymongo.errors import OperationFailure

from fiftyone_dfaulo.adapter.host import Dataset, Documents, Field

BATCH = 5_000
"""How many items one request to the database writes."""

JOURNALLED = WriteConcern(j=True)
"""A write that is acknowledged is on the disk, and survives the database's death."""

T = TypeVar("T")

FRAMES_PREFIX = "frames."
"""What FiftyOne calls a field of the frames begins with."""


@dataclass(frozen=True)
class Storage:
    """The samples, or the frames, of a dataset.

    Paths are those within a document, such as ``"boxes.detections.label"``.

    Args:
        dataset: the dataset.
        frames: whether it is about the frames of its videos.
    """

    dataset: Dataset
    frames: bool = False

    @property
    def collection(self) -> Documents:
        """The documents in the database; what is written to them is journalled.

        So whatever happens to the database, a write that follows another is never there
        without it.
        """
        dataset = self.dataset
        found: Documents = (
            dataset._frame_collection if self.frames else dataset._sample_collection
        )
        return found.with_options(write_concern=JOURNALLED)

    def path(self, name: str) -> str:
        """What FiftyOne calls a field of the documents."""
        return f"{FRAMES_PREFIX}{name}" if self.frames else name

    def has_field(self, name: str) -> bool:
        """Whether the schema has a field, or an attribute."""
        dataset = self.dataset
        has = dataset.has_frame_field if self.frames else dataset.has_sample_field
        return bool(has(name))

    def has_value(self, name: str) -> bool:
        """Whether a document has a value there, whatever the schema says."""
        query = {name: {"$exists": True}}
        return self.collection.find_one(query, {"_id": True}) is not None

    def schema(self) -> dict[str, Field]:
        """Path to field, as :func:`all_fields` has them."""
        dataset = self.dataset
        if self.frames:
            return all_fields(dataset.get_frame_field_schema())
        return all_fields(dataset.get_field_schema())

    def get_field(self, name: str, **how: Any) -> Field | None:
        """The field at a path; None if there is none."""
        return self.dataset.get_field(self.path(name), **how)

    def is_read_only(self, name: str) -> bool:
        """Whether FiftyOne would refuse to write a field."""
        return bool(self.dataset._is_read_only_field(self.path(name)))

    def create_index(self, name: str) -> bool:
        """Indexes a field; returns False where the database allows no more indexes."""
        try:
            self.collection.create_index(name)
        except OperationFailure:
            return False
        return True

    def reload(self, ids: Iterable[Any] | None = None) -> None:
        """Lets documents that this process holds show what the database has.

        Args:
            ids: of these documents; None for all.
        """
        some = None if ids is None else {str(one) for one in ids}
        if self.frames:
            Frame._reload_docs(self.dataset._frame_collection_name, frame_ids=some)
        else:
            Sample._reload_docs(self.dataset._sample_collection_name, sample_ids=some)


def batches(values: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """The values in parts of the size; the last may be smaller."""
    return (values[begin : begin + size] for begin in range(0, len(values), size))


def all_fields(schema: Mapping[str, Field]) -> dict[str, Field]:
    """The fields of a schema by their paths, those in embedded documents included.

    Labels and metadata are fields of their own, which are not looked into.
    """
    found: dict[str, Field] = {}
    for name, field in schema.items():
        found[name] = field
        kind = getattr(field, "document_type", None)
        if kind is not None and not issubclass(kind, (fo.Label, fo.Metadata)):
            inner = all_fields(field.get_field_schema())
            found.update({f"{name}.{path}": one for path, one in inner.items()})
    return found


def unpacked(value: Any) -> Any:
    """An array that no schema declares comes as FiftyOne stores it."""
    return fou.deserialize_numpy_array(value) if isinstance(value, bytes) else value
