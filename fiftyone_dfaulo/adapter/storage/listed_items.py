"""Items that lie in a list of each sample, such as the objects of Detections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.storage.items import (
    CLASS,
    LABEL,
    LIST,
    SAMPLE,
    Item,
    Items,
    Query,
    Stages,
    now,
)

LABEL_PARTS = ("_id", "label", "tags", "confidence")
"""What of an object is its label, when it is read; box, mask and so on are not."""

_ITEM = "item"


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
