"""Items in the database, read and written as if each were a document of its own.

An *item* is what has one label, or one set of labels: a sample, a frame of a video, or
an object in the list of a sample. These are the names of its values:

- ``_id``: its id; :data:`SAMPLE`: the id of its sample, the same for samples;
- the values of a run, such as ``dfaulo_verdict``, and the sample's ``filepath``;
- :data:`LABEL`: its label; :data:`CLASS`: the class alone, or the classes.

Every write is one atomic update of a sample's document. It changes nothing in the
document but the values that it names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.host import Documents
from fiftyone_dfaulo.adapter.storage import packed

SAMPLE, LABEL, CLASS = "_sample", "_label", "_class"

LIST = "_list"
"""Which list an item lies in, where a run's items lie in several."""

_IN_ONE_QUERY = 100_000

Item = Mapping[str, Any]
Query = Mapping[str, Any]
Stages = list[dict[str, Any]]


@dataclass(frozen=True)
class Items(ABC):
    """The items of a dataset.

    Args:
        documents: the samples, or frames, in the database.
        label_field: the field with their labels.
        class_path: where in a document the class lies, or the classes.
    """

    documents: Documents
    label_field: str
    class_path: str

    def find(
        self, ids: Sequence[Any] | None, query: Query, *names: str
    ) -> Iterator[dict[str, Any]]:
        """The items that match, in whatever group slice.

        Args:
            ids: among these items; None for all.
            query: a MongoDB query on items.
            *names: what to read of an item, besides its id and its sample's.
        """
        for part in [None] if ids is None else _parts(ids):
            stages = self.stages(part, query, *names)
            yield from self.documents.aggregate(stages, allowDiskUse=True)

    def by_id(self, ids: Sequence[str]) -> dict[str, Item]:
        """Those of these items that exist, by their ids."""
        pushed = {"ids": {"$push": "$_id"}, "samples": {"$push": f"${SAMPLE}"}}
        together = {"_id": {LIST: f"${LIST}"}, **pushed}
        found: dict[str, Item] = {}
        for group in self._grouped(ids, together):
            at = group["_id"].get(LIST)
            where = {} if at is None else {LIST: at}
            both = (packed.object_ids(group[name]) for name in pushed)
            for one, sample in zip(*both):
                found[str(one)] = {"_id": one, SAMPLE: sample, **where}
        return found

    def by_class(self, ids: Sequence[str]) -> Iterator[tuple[Any, np.ndarray]]:
        """Classes, or their lists, and ids, S12, of those of these items that exist."""
        together = {"_id": {CLASS: f"${CLASS}"}, "ids": {"$push": "$_id"}}
        for group in self._grouped(ids, together, CLASS):
            yield group["_id"].get(CLASS), group["ids"]

    def existing(self, ids: Sequence[str]) -> set[str]:
        """The ids of those of these items that exist."""
        found = self._grouped(ids, {"_id": {}, "ids": {"$push": "$_id"}})
        return {one for group in found for one in packed.id_texts(group["ids"])}

    def _grouped(
        self, ids: Sequence[str], together: Item, *names: str
    ) -> Iterator[dict[str, Any]]:
        """What :func:`.packed.aggregate` makes of these items, put together so."""
        for part in _parts(ids):
            stages = [*self.stages(part, {}, *names), {"$group": together}]
            yield from packed.aggregate(self.documents, stages)

    def count(self, query: Query) -> int:
        """The number of items that match."""
        stages = [*self.stages(None, query), {"$count": "items"}]
        return sum(found["items"] for found in self.documents.aggregate(stages))

    @property
    def lists(self) -> tuple[str, ...]:
        """Where in a document lists of items lie; none if the document is the item."""
        return ()

    @abstractmethod
    def locate(self, ids: Sequence[str]) -> dict[str, Item]:
        """As :meth:`by_id`, but without a query where the ids alone are enough."""

    @abstractmethod
    def stages(self, ids: list[ObjectId] | None, query: Query, *names: str) -> Stages:
        """The aggregation that yields what :meth:`find` does."""

    @abstractmethod
    def ref(self, name: str) -> str:
        """How an expression of :meth:`change` names a value of the item."""

    @abstractmethod
    def change(
        self, item: Item, condition: Query, values: Item, remove: Sequence[str] = ()
    ) -> UpdateOne:
        """The update of one item, if it is still as the condition says.

        Args:
            item: the item's ``_id`` and :data:`SAMPLE`.
            condition: a MongoDB query on the item.
            values: name to an aggregation expression, which names other values of the
                item as :meth:`ref` does.
            remove: names of values to take out.
        """

    @abstractmethod
    def fill(self, rows: Iterable[tuple[Item, Item]]) -> list[UpdateOne]:
        """The updates that give items these values, whatever they have; one a sample.

        Args:
            rows: items, each ``_id`` and :data:`SAMPLE`, those of a sample together;
                and their values as they are to be stored.
        """


def _parts(ids: Sequence[Any]) -> Iterator[list[ObjectId]]:
    """Ids in parts that one query can hold."""
    for begin in range(0, len(ids), _IN_ONE_QUERY):
        yield [ObjectId(one) for one in ids[begin : begin + _IN_ONE_QUERY]]


def now() -> dict[str, datetime]:
    """What every update sets as well."""
    return {"last_modified_at": datetime.now(timezone.utc)}


@dataclass(frozen=True)
class SampleItems(Items):
    """Items that are samples, or frames."""

    def locate(self, ids: Sequence[str]) -> dict[str, Item]:
        """The ids are those of the samples."""
        return {i: dict.fromkeys(("_id", SAMPLE), ObjectId(i)) for i in ids}

    def stages(self, ids: list[ObjectId] | None, query: Query, *names: str) -> Stages:
        """A query, and what is shown of the samples that match."""
        some = {} if ids is None else {"_id": {"$in": ids}}
        labels = {LABEL: f"${self.label_field}", CLASS: f"${self.class_path}"}
        shown = {name: labels.get(name, 1) for name in names}
        return [{"$match": {**some, **query}}, {"$project": {SAMPLE: "$_id", **shown}}]

    def ref(self, name: str) -> str:
        """A field of the document."""
        return f"${name}"

    def change(
        self, item: Item, condition: Query, values: Item, remove: Sequence[str] = ()
    ) -> UpdateOne:
        """Sets fields of the document."""
        stages: Stages = [{"$set": {**values, **now()}}]
        if remove:
            stages.append({"$unset": list(remove)})
        return UpdateOne({"_id": item["_id"], **condition}, stages)

    def fill(self, rows: Iterable[tuple[Item, Item]]) -> list[UpdateOne]:
        """Sets fields of each document."""
        when = now()
        return [
            UpdateOne({"_id": item["_id"]}, {"$set": {**values, **when}})
            for item, values in rows
        ]
