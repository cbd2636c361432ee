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
from itertools import groupby
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.host import Documents

SAMPLE, LABEL, CLASS = "_sample", "_label", "_class"

LIST = "_list"
"""Which list an item lies in, where a run's items lie in several."""

LABEL_PARTS = ("_id", "label", "tags", "confidence")
"""What of an object is its label, when it is read; box, mask and so on are not."""

_IN_ONE_QUERY = 100_000
_ITEM = "item"

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
        parts: Iterable[Any] = [None]
        if ids is not None:
            starts = range(0, len(ids), _IN_ONE_QUERY)
            parts = ([ObjectId(i) for i in ids[n : n + _IN_ONE_QUERY]] for n in starts)
        for part in parts:
            stages = self.stages(part, query, *names)
            yield from self.documents.aggregate(stages, allowDiskUse=True)

    def by_id(self, ids: Sequence[str]) -> dict[str, Item]:
        """Those of these items that exist, by their ids."""
        return {str(item["_id"]): item for item in self.find(ids, {})}

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


@dataclass(frozen=True)
class ListedItems(Items):
    """Items that lie in a list of each sample, or in several of them.

    Args:
        list_path: where in a sample the list lies, as ``"ground_truth.detections"``.
        maximum: the sample's field with the maximum of a value of its items; None if
            there is none.
        of: the name of that value.
        others: where more lists of items lie; each item has its :data:`LIST` then.
        label_parts: what of an item is its label, when it is read.
    """

    list_path: str
    maximum: str | None = None
    of: str | None = None
    others: tuple[str, ...] = ()
    label_parts: tuple[str, ...] = LABEL_PARTS

    def locate(self, ids: Sequence[str]) -> dict[str, Item]:
        """As :meth:`by_id`: only the database knows which sample an item lies in."""
        return self.by_id(ids)

    def stages(self, ids: list[ObjectId] | None, query: Query, *names: str) -> Stages:
        """Each item of each list as a document, and a query on these."""
        at = _ITEM if self.others else self.list_path
        wanted: Item = {"$exists": True} if ids is None else {"$in": ids}
        lists = [self._holding(path, ids, query) for path in self.lists]
        all_lists = {"$concatArrays": [self._marked(path) for path in self.lists]}
        # What the query asks for has to be there when the query is applied.
        named = dict.fromkeys((*names, *(name for name in query if name[0] != "$")))
        shown = {name: self._shown(at, name) for name in named}
        if self.others:
            shown[LIST] = f"${at}.{LIST}"
        item = {"_id": f"${at}._id", SAMPLE: "$_id", **shown}
        return [
            {"$match": {"$or": lists} if self.others else lists[0]},
            {"$project": {at: all_lists if self.others else 1, "filepath": 1}},
            {"$unwind": f"${at}"},
            {"$match": {f"{at}._id": wanted}},
            {"$replaceRoot": {"newRoot": item}},
            {"$match": dict(query)},
        ]

    def _holding(self, path: str, ids: list[ObjectId] | None, query: Query) -> Item:
        """A query on documents whose list has such an item, as far as that is simple.

        By the id only where some are wanted: its index would make all take longer.
        """
        if ids is not None:
            return {f"{path}._id": {"$in": ids}}
        made = (LABEL, CLASS, SAMPLE, LIST, "filepath", "_id")
        own = {n: v for n, v in query.items() if n[0] != "$" and n not in made}
        return {path: {"$elemMatch": own}} if own else {f"{path}.0": {"$exists": True}}

    @property
    def lists(self) -> tuple[str, ...]:
        """The list, and the others."""
        return (self.list_path, *self.others)

    def _marked(self, path: str) -> Item:
        """The items of a list, each with its place; none where there is no list."""
        marked = {"$mergeObjects": ["$$one", {LIST: path}]}
        there = {"$ifNull": [f"${path}", []]}
        return {"$map": {"input": there, "as": "one", "in": marked}}

    def _shown(self, at: str, name: str) -> Any:
        if name == LABEL:
            return {part: f"${at}.{part}" for part in self.label_parts}
        others = {CLASS: f"${at}.label", "filepath": "$filepath"}
        return others.get(name, f"${at}.{name}")

    def ref(self, name: str) -> str:
        """An attribute of the item in the list."""
        return f"$${_ITEM}.{name}"

    def change(
        self, item: Item, condition: Query, values: Item, remove: Sequence[str] = ()
    ) -> UpdateOne:
        """Sets attributes of the one item in the list."""
        return UpdateOne(*self.change_parts(item, condition, values, remove))

    def change_parts(
        self, item: Item, condition: Query, values: Item, remove: Sequence[str] = ()
    ) -> tuple[dict[str, Any], Stages]:
        """Query and stages of :meth:`change`, for an update that does more."""
        changed: dict[str, Any] = {"$mergeObjects": [f"$${_ITEM}", dict(values)]}
        for name in remove:
            changed = {"$unsetField": {"field": name, "input": changed}}
        ours = {"$eq": [f"$${_ITEM}._id", item["_id"]]}
        each = {"$cond": [ours, changed, f"$${_ITEM}"]}
        at, wanted = self._place(item), {"_id": item["_id"], **condition}
        query = {"_id": item[SAMPLE], at: {"$elemMatch": wanted}}
        return query, self._map(at, each, now())

    def _place(self, item: Item) -> str:
        return str(item.get(LIST, self.list_path))

    def fill(self, rows: Iterable[tuple[Item, Item]]) -> list[UpdateOne]:
        """Sets attributes of all items of a sample at once."""
        when, updates = now(), []
        for (sample, at), group in groupby(
            rows, key=lambda row: (row[0][SAMPLE], self._place(row[0]))
        ):
            part = list(group)
            ids = [item["_id"] for item, _ in part]
            values = {"$literal": [dict(values) for _, values in part]}
            row = {"$arrayElemAt": [values, "$$row"]}
            merged = {"$mergeObjects": [f"$${_ITEM}", row]}
            within = {"$indexOfArray": [{"$literal": ids}, f"$${_ITEM}._id"]}
            each = {
                "$let": {
                    "vars": {"row": within},
                    "in": {"$cond": [{"$gte": ["$$row", 0]}, merged, f"$${_ITEM}"]},
                }
            }
            query = {"_id": sample, f"{at}._id": {"$in": ids}}
            updates.append(UpdateOne(query, self._map(at, each, when)))
        return updates

    def _map(self, at: str, each: Any, also: Item) -> Stages:
        """Replaces each item of a list by an expression, and sets the maximum anew."""
        mapped = {"$map": {"input": f"${at}", "as": _ITEM, "in": each}}
        stages: Stages = [{"$set": {at: mapped, **also}}]
        return [*stages, *self.maximum_stages()]

    def maximum_stages(self) -> Stages:
        """What sets the sample's maximum anew, at the end of an update."""
        if not (self.maximum and self.of):
            return []
        each = [{"$max": f"${path}.{self.of}"} for path in self.lists]
        value = {"$max": each} if self.others else each[0]
        return [{"$set": {self.maximum: value}}]
