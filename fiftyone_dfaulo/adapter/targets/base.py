"""Where the items that a run scores lie in the database; reading and writing them.

An *item* is what has one label: a sample, or an object in a sample's list of objects.
Where it is frames of videos that a run scores, read "frame" for "sample" below.
A run writes its values beside the label: to fields of the sample, or to attributes of
the object. Everything that reads or writes items does so by the names of these values,
as if an item were a document of its own (a sample's tags, together, are its label):

- ``_id``: the item's id; ``_sample``: the id of its sample, the same for samples;
- the run's values, such as ``dfaulo_verdict``, and the sample's ``filepath``;
- the label, under the name of the label field.

Every write is one atomic update of a sample's document, and touches nothing in it but
what it is told to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import groupby
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.targets.storage import Storage

LABEL_PARTS = ("_id", "label", "tags", "confidence")
"""What of an object is its label, when it is read; box, mask and so on are not."""

_IN_ONE_QUERY = 100_000
_ITEM = "item"

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a run's items lie.

    Args:
        label_field: the label field of the samples.
        list_path: where in a sample the list of its objects lies, such as
            ``"ground_truth.detections"``; None if each sample is an item.
        top: the sample's field that holds the maximum of its objects' suspiciousness;
            None if each sample is an item, or the field was deleted.
        score: name of the items' suspiciousness, of which ``top`` is the maximum.
        frames: whether the samples are the frames of a dataset's videos.
        tags_path: where in a sample the list of its tags lies, such as
            ``"ground_truth.classifications"``; None if an item has one class.
    """

    label_field: str
    list_path: str | None = None
    top: str | None = None
    score: str | None = None
    frames: bool = False
    tags_path: str | None = None

    @property
    def noun(self) -> str:
        """What an item is, in one word."""
        if self.list_path:
            return "object"
        return "frame" if self.frames else "sample"

    def storage(self, dataset: Any) -> Storage:
        """The documents of a dataset that the items lie in."""
        return Storage(dataset, self.frames)

    @property
    def tags(self) -> str:
        """Name of the items' tags; those of a frame's labels, as frames have none."""
        whole_frame = self.frames and self.list_path is None
        return f"{self.tags_path or self.label_field}.tags" if whole_frame else "tags"

    def path(self, name: str) -> str:
        """Where FiftyOne finds a value of the items in a dataset."""
        return f"{self.list_path}.{name}" if self.list_path else name

    @property
    def label_path(self) -> str:
        """Name of the item's value that holds its class; of tags, their classes."""
        return f"{self.tags_path or self.label_field}.label"

    def ref(self, name: str) -> str:
        """How an expression of :meth:`change` names a value of the item."""
        return f"$${_ITEM}.{name}" if self.list_path else f"${name}"

    # ---- reading ----

    def find(
        self,
        collection: Any,
        ids: Sequence[Any] | None,
        query: Mapping[str, Any],
        *names: str,
    ) -> Iterator[dict[str, Any]]:
        """The items that match, in whatever group slice.

        Args:
            collection: the samples in the database.
            ids: among these items; None for all.
            query: a MongoDB query on items.
            *names: what to read of an item, besides ``_id`` and ``_sample``.
        """
        parts: Iterable[Any] = [None]
        if ids is not None:
            starts = range(0, len(ids), _IN_ONE_QUERY)
            parts = ([ObjectId(i) for i in ids[n : n + _IN_ONE_QUERY]] for n in starts)
        for part in parts:
            stages = self.stages(part, query, *names)
            yield from collection.aggregate(stages, allowDiskUse=True)

    def locate(self, collection: Any, ids: Sequence[str]) -> dict[str, Item]:
        """By its id, which item lies in which sample; objects that are gone do not."""
        if self.list_path is None:
            return {i: dict.fromkeys(("_id", "_sample"), ObjectId(i)) for i in ids}
        return {str(item["_id"]): item for item in self.find(collection, ids, {})}

    def count(self, collection: Any, query: Mapping[str, Any]) -> int:
        """The number of items that match."""
        stages = [*self.stages(None, query, *query), {"$count": "items"}]
        return sum(found["items"] for found in collection.aggregate(stages))

    def stages(
        self, ids: list[ObjectId] | None, query: Mapping[str, Any], *names: str
    ) -> list[dict[str, Any]]:
        """The aggregation that yields what :meth:`find` does."""
        # What the query asks for has to be there when the query is applied.
        names = tuple(dict.fromkeys((*names, *query)))
        if self.list_path is None:
            some = {} if ids is None else {"_id": {"$in": ids}}
            shown = {"_sample": "$_id", **dict.fromkeys(names, 1)}
            return [{"$match": {**some, **query}}, {"$project": shown}]
        return self._stages_of_list(self.list_path, ids, query, names)

    def _stages_of_list(
        self,
        at: str,
        ids: list[ObjectId] | None,
        query: Mapping[str, Any],
        names: Sequence[str],
    ) -> list[dict[str, Any]]:
        some = {f"{at}._id": {"$exists": True} if ids is None else {"$in": ids}}
        item: dict[str, Any] = {"_id": f"${at}._id", "_sample": "$_id"}
        for name in names:
            field, _, part = name.partition(".")
            if field == self.label_field:
                label = [part] if part else LABEL_PARTS
                item[field] = {one: f"${at}.{one}" for one in label}
            else:
                item[name] = "$filepath" if name == "filepath" else f"${at}.{name}"
        return [
            {"$match": some},
            {"$project": {at: 1, "filepath": 1}},
            {"$unwind": f"${at}"},
            {"$match": some},
            {"$replaceRoot": {"newRoot": item}},
            {"$match": dict(query)},
        ]

    # ---- writing ----

    def change(
        self,
        item: Item,
        condition: Mapping[str, Any],
        values: Mapping[str, Any],
        remove: Sequence[str] = (),
    ) -> UpdateOne:
        """The update of one item, if it is still as the condition says.

        Args:
            item: the item's ``_id`` and ``_sample``.
            condition: a MongoDB query on the item.
            values: name to an aggregation expression, which names other values of the
                item as :meth:`ref` does.
            remove: names of values to take out.
        """
        now = {"last_modified_at": datetime.now(timezone.utc)}
        if self.list_path is None:
            stages: list[dict[str, Any]] = [{"$set": {**values, **now}}]
            if remove:
                stages.append({"$unset": list(remove)})
            return UpdateOne({"_id": item["_id"], **condition}, stages)
        changed: dict[str, Any] = {"$mergeObjects": [f"$${_ITEM}", dict(values)]}
        for name in remove:
            changed = {"$unsetField": {"field": name, "input": changed}}
        ours = {"$eq": [f"$${_ITEM}._id", item["_id"]]}
        each = {"$cond": [ours, changed, f"$${_ITEM}"]}
        wanted = {"$elemMatch": {"_id": item["_id"], **condition}}
        query = {"_id": item["_sample"], self.list_path: wanted}
        return UpdateOne(query, self._map(each, now))

    def fill(self, rows: Iterable[tuple[Item, Mapping[str, Any]]]) -> list[UpdateOne]:
        """The updates that give items these values, whatever they have; one a sample.

        Args:
            rows: items, each ``_id`` and ``_sample``, those of a sample together; and
                their values as they are to be stored.
        """
        now = {"last_modified_at": datetime.now(timezone.utc)}
        if self.list_path is None:
            return [
                UpdateOne({"_id": item["_id"]}, {"$set": {**values, **now}})
                for item, values in rows
            ]
        updates = []
        for sample, group in groupby(rows, key=lambda row: row[0]["_sample"]):
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
            query = {"_id": sample, f"{self.list_path}._id": {"$in": ids}}
            updates.append(UpdateOne(query, self._map(each, now)))
        return updates

    def _map(self, each: Any, also: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Replaces each object by an expression of it, and sets the maximum anew."""
        at = self.list_path
        mapped = {"$map": {"input": f"${at}", "as": _ITEM, "in": each}}
        stages: list[dict[str, Any]] = [{"$set": {at: mapped, **also}}]
        if self.top and self.score:
            stages.append({"$set": {self.top: {"$max": f"${at}.{self.score}"}}})
        return stages


def drop_attributes(collection: Any, list_path: str, names: Sequence[str]) -> None:
    """Takes attributes out of all objects, or tags: one atomic update a sample.

    Args:
        collection: the samples in the database.
        list_path: where in a sample the list of these lies.
        names: the attributes.
    """
    there = [{f"{list_path}.{name}": {"$exists": True}} for name in names]
    gone = {f"{list_path}.$[].{name}": "" for name in names}
    collection.update_many({"$or": there}, {"$unset": gone})


def move_attributes(collection: Any, list_path: str, moves: Mapping[str, str]) -> None:
    """Renames attributes of all objects: one atomic update a sample, order kept.

    FiftyOne's own renaming reads all labels and writes them back, which would undo
    what another process has written meanwhile.

    Args:
        collection: the samples in the database.
        list_path: where in a sample the list of its objects lies.
        moves: old to new name.
    """
    pair = {
        "k": {
            "$switch": {
                "branches": [
                    {"case": {"$eq": ["$$pair.k", old]}, "then": new}
                    for old, new in moves.items()
                ],
                "default": "$$pair.k",
            }
        },
        "v": "$$pair.v",
    }
    pairs = {"$objectToArray": f"$${_ITEM}"}
    each = {"$arrayToObject": {"$map": {"input": pairs, "as": "pair", "in": pair}}}
    mapped = {"$map": {"input": f"${list_path}", "as": _ITEM, "in": each}}
    now = datetime.now(timezone.utc)
    named = [{f"{list_path}.{old}": {"$exists": True}} for old in moves]
    collection.update_many(
        {"$or": named}, [{"$set": {list_path: mapped, "last_modified_at": now}}]
    )
