"""How the class of an object is corrected and brought back."""

from __future__ import annotations

from typing import Any, NamedTuple

from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.storage.items import LABEL, Item
from fiftyone_dfaulo.adapter.targets.label_edits import (
    SingleLabelEdit,
    added_tags,
    applied_id,
    applied_tags,
    restored_tags,
)


class _Parts(NamedTuple):
    """The parts of an object that a correction changes, if the object has them."""

    label: Any
    tags: Any
    confidence: Any


class ObjectLabelEdit(SingleLabelEdit):
    """Replaces the class, the tags and the confidence of an object.

    Its id, box, mask and other attributes are not touched, so that edits of them stay.
    The computed id is that of the original label that is kept.
    """

    def _condition(self, label: Item) -> dict[str, Any]:
        return {part: label.get(part) for part in _Parts._fields}

    def _is_applied(self, one: ObjectId, original: Item, label: Item) -> bool:
        return (
            original.get("_id")
            == applied_id(one, one, original["label"], label["label"])
            and label.get("tags")
            == [*applied_tags(original), *added_tags(original, label)]
            and label.get("confidence") is None
        )

    def applying(self, item: Item, new: str) -> UpdateOne:
        """The update that sets another class, if the label is still as it was read."""
        old, ref = item[LABEL], self.items.ref
        kept = {part: ref(part) for part in _Parts._fields if part in old}
        values = {
            self.original: {
                "_id": applied_id(item["_id"], item["_id"], old["label"], new),
                "_cls": "Classification",
                **kept,
            },
            "label": {"$literal": new},
            "tags": {"$literal": applied_tags(old)},
        }
        if "confidence" in old:  # it was that of the old class
            values["confidence"] = {"$literal": None}
        condition = {**self._condition(old), self.original: None}
        return self.items.change(item, condition, values)

    def reverting(self, item: Item) -> UpdateOne:
        """The update that brings the original back, if the label is as it was read."""
        original = item[self.original]
        back = [part for part in _Parts._fields if part in original]
        values: dict[str, Any] = {
            part: self.items.ref(f"{self.original}.{part}") for part in back
        }
        if tags := restored_tags(original, item[LABEL]):
            values["tags"] = {"$literal": tags}
        gone = [] if "tags" in values else ["tags"]
        condition = {**self._condition(item[LABEL]), self.original: {"$ne": None}}
        return self.items.change(item, condition, values, [self.original, *gone])
