"""Corrections that move whole objects: out of the labels, or into them.

A removed object is kept with all that is on it, in a field of the run, with its place
in the list: how many objects were before it, those that were removed earlier counted.
So the list is as it was once all are back, in whatever order they come.
"""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.results.boxes import MISSING_OBJECT, NO_OBJECT
from fiftyone_dfaulo.adapter.storage.items import LABEL, LIST, SAMPLE, Item, now
from fiftyone_dfaulo.adapter.storage.listed_items import ListedItems
from fiftyone_dfaulo.adapter.targets.detector.writing import make_detection
from fiftyone_dfaulo.adapter.targets.label_edits import TAG, LabelEdit, applied_id


class Removal(LabelEdit):
    """Takes an object out of the labels.

    Args:
        items, original: as of any edit.
        removed: the samples' field that keeps it; None if that was deleted.
    """

    items: ListedItems

    def __init__(self, items: ListedItems, original: str, removed: str | None) -> None:
        super().__init__(items, original)
        self._field = removed
        self._list = items.list_path.rpartition(".")[2]
        self._kept = f"{removed}.{self._list}"

    def obstacle(self, item: Item, new: str) -> str | None:
        """Why :meth:`applying` would change nothing, or None."""
        if item.get(LIST, self.items.list_path) != self.items.list_path:
            return "there is no box yet that could be removed"
        if self._field is None:
            return "the run's field for removed objects was deleted; compute it again"
        return None

    def is_as_applied(self, item: Item) -> bool:
        """It is: what was removed is not edited."""
        return True

    def _is_applied(self, one: ObjectId, original: Item, label: Item) -> bool:
        return True

    def applying(self, item: Item, new: str) -> UpdateOne:
        """The update that removes the object, if it is as it was read."""
        one, at, old = item["_id"], self.items.list_path, item[LABEL]
        same = {part: old.get(part) for part in self.items.label_parts}
        wanted = {"$elemMatch": {**same, self.original: None}}
        kept = {"$ifNull": [f"${self._kept}", []]}
        place = {
            "$reduce": {
                "input": {"$sortArray": {"input": self._places(kept), "sortBy": 1}},
                "initialValue": {"$indexOfArray": [f"${at}._id", one]},
                "in": {
                    "$add": [
                        "$$value",
                        {"$cond": [{"$lte": ["$$this", "$$value"]}, 1, 0]},
                    ]
                },
            }
        }
        original = {
            "_id": applied_id(one, one, NO_OBJECT),
            "_cls": "Classification",
            **{part: f"$$one.{part}" for part in ("label", "tags") if part in old},
            "correction": NO_OBJECT,
            "place": place,
        }
        moved = {
            "$map": {
                "input": _only(f"${at}", one, "$eq"),
                "as": "one",
                "in": {"$mergeObjects": ["$$one", {self.original: original}]},
            }
        }
        field = {
            "_cls": f"${self.items.label_field}._cls",
            self._list: {"$concatArrays": [kept, moved]},
        }
        values = {at: _only(f"${at}", one, "$ne"), str(self._field): field, **now()}
        query = {"_id": item[SAMPLE], at: wanted}
        return UpdateOne(query, [{"$set": values}, *self.items.maximum_stages()])

    def reverting(self, item: Item) -> UpdateOne:
        """The update that puts the object back in its place."""
        one, at, kept = item["_id"], self.items.list_path, f"${self._kept}"
        place = item[self.original]["place"]
        earlier = {
            "$filter": {
                "input": self._places(kept),
                "as": "one",
                "cond": {"$lt": ["$$one", place]},
            }
        }
        old: Any = {"$unsetField": {"field": self.original, "input": "$$one"}}
        back = {
            "$map": {"input": _only(kept, one, "$eq"), "as": "one", "in": old},
        }
        before = {"$max": [0, {"$subtract": [place, {"$size": earlier}]}]}
        labels = f"${at}"
        after = {"$subtract": [{"$size": labels}, "$$before"]}
        put = {
            "$let": {
                "vars": {"before": {"$min": [before, {"$size": labels}]}},
                "in": {
                    "$concatArrays": [
                        {"$slice": [labels, "$$before"]},
                        back,
                        # a slice of the last none is none only if it is not asked for
                        {
                            "$cond": [
                                {"$gt": [after, 0]},
                                {"$slice": [labels, {"$subtract": [0, after]}]},
                                [],
                            ]
                        },
                    ]
                },
            }
        }
        left = _only(kept, one, "$ne")
        field = {
            "$cond": [
                {"$eq": [{"$size": left}, 0]},
                None,
                {"$mergeObjects": [f"${self._field}", {self._list: left}]},
            ]
        }
        query = {
            "_id": item[SAMPLE],
            at: {"$type": "array"},
            f"{at}._id": {"$ne": one},
            self._kept: {"$elemMatch": {"_id": one, self.original: {"$ne": None}}},
        }
        values = {at: put, str(self._field): field, **now()}
        return UpdateOne(query, [{"$set": values}, *self.items.maximum_stages()])

    def _places(self, kept: object) -> dict[str, Any]:
        """The places of the objects that were removed."""
        place = f"$$one.{self.original}.place"
        return {"$map": {"input": kept, "as": "one", "in": place}}


class Addition(LabelEdit):
    """Adds an object that looks missing to the labels."""

    items: ListedItems

    def obstacle(self, item: Item, new: str) -> str | None:
        """Why :meth:`applying` would change nothing, or None."""
        if item[LIST] == self.items.list_path:
            return "it has a box already"
        if not self.items.list_path.endswith(".detections"):
            return "a box cannot be added to polylines; draw it by hand"
        return None

    def is_as_applied(self, item: Item) -> bool:
        """Left to :meth:`reverting`: the object that was added is another item."""
        return True

    def _is_applied(self, one: ObjectId, original: Item, label: Item) -> bool:
        return True

    def applying(self, item: Item, new: str) -> UpdateOne:
        """The update that adds the object, if it is still missing as it was read."""
        one, old, at = item["_id"], item[LABEL], self.items.list_path
        label = old["label"] if new == MISSING_OBJECT else new
        new_id = applied_id(one, one, "add")
        added = make_detection(new_id, label, old["bounding_box"], tag=TAG)
        original = {
            "_id": applied_id(one, one, MISSING_OBJECT),
            "_cls": "Classification",
            "label": None,
            "correction": MISSING_OBJECT,
            "added": label,
        }
        query, stages = self.items.change_parts(
            item,
            {"label": old["label"], self.original: None},
            {self.original: {"$literal": original}},
        )
        there = {at: {"$type": "array"}, f"{at}._id": {"$ne": added["_id"]}}
        labels = {"$concatArrays": [f"${at}", {"$literal": [added]}]}
        return UpdateOne({**query, **there}, [{"$set": {at: labels}}, *stages])

    def reverting(self, item: Item) -> UpdateOne:
        """The update that takes the object out again, if nobody has edited it."""
        one, at = item["_id"], self.items.list_path
        added = {
            "_id": applied_id(one, one, "add"),
            "label": item[self.original]["added"],
            "bounding_box": item[LABEL]["bounding_box"],
        }
        condition = {self.original: {"$ne": None}}
        query, stages = self.items.change_parts(item, condition, {}, [self.original])
        there = {at: {"$elemMatch": added}}
        labels = _only(f"${at}", added["_id"], "$ne")
        return UpdateOne({**query, **there}, [{"$set": {at: labels}}, *stages])


def _only(labels: str, one: ObjectId, how: str) -> dict[str, Any]:
    """The object of a list (``"$eq"``), or all others (``"$ne"``)."""
    same = {how: ["$$each._id", one]}
    return {"$filter": {"input": labels, "as": "each", "cond": same}}
