"""How objects that a detector has judged are corrected: one class for each kind.

What an object looks like says which: another class, another box, no object, or a
missing object. A correction keeps what it was in the original label, so that it is
known how to take it back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.results.boxes import (
    ANOTHER_BOX,
    MISSING_OBJECT,
    NO_OBJECT,
)
from fiftyone_dfaulo.adapter.storage.items import LABEL, LIST, Item
from fiftyone_dfaulo.adapter.storage.listed_items import ListedItems
from fiftyone_dfaulo.adapter.targets.detector.moves import Addition, Removal
from fiftyone_dfaulo.adapter.targets.label_edits import (
    LabelEdit,
    applied_id,
    applied_tags,
    restored_tags,
)
from fiftyone_dfaulo.adapter.targets.object_edits import ObjectLabelEdit

ANOTHER_CLASS = "(another class)"
"""What a correction is where the class was replaced."""


class RemovableLabelEdit(LabelEdit):
    """Makes the correction that an object's suggestion says, and takes it back.

    Args:
        items, original: as of any edit.
        removed: the samples' field with those that were removed; None if it was
            deleted.
    """

    def __init__(self, items: ListedItems, original: str, removed: str | None) -> None:
        super().__init__(items, original)
        self._edits: dict[str, LabelEdit] = {
            ANOTHER_CLASS: ObjectLabelEdit(items, original),
            NO_OBJECT: Removal(items, original, removed),
        }

    @property
    def others(self) -> tuple[str, ...]:
        """None."""
        return (NO_OBJECT,)

    def _to_do(self, item: Item, new: str) -> LabelEdit:
        """The edit that makes a new label of an object: a class, or one of those."""
        return self._edits.get(new, self._edits[ANOTHER_CLASS])

    def _done(self, item: Item) -> LabelEdit:
        """The edit that has corrected an object."""
        return self._edits[item[self.original].get("correction") or ANOTHER_CLASS]

    def obstacle(self, item: Item, new: str) -> str | None:
        """Why :meth:`applying` would change nothing, or None."""
        return self._to_do(item, new).obstacle(item, new)

    def is_as_applied(self, item: Item) -> bool:
        """Whether a corrected object is still what was applied."""
        return self._done(item).is_as_applied(item)

    def _is_applied(self, one: ObjectId, original: Item, label: Item) -> bool:
        raise NotImplementedError  # each edit says so itself

    def applying(self, item: Item, new: str) -> UpdateOne:
        """The update that corrects an object, if it is still as it was read."""
        return self._to_do(item, new).applying(item, new)

    def reverting(self, item: Item) -> UpdateOne:
        """The update that takes it back, if the object is as it was read."""
        return self._done(item).reverting(item)


class BoxLabelEdit(RemovableLabelEdit):
    """These of what a detector has judged: another box, or an object that is missing.

    Args:
        items, original, removed: as there.
        missing: the samples' field with the objects that look missing.
        better_box: name of the objects' better box; None if it was deleted.
    """

    def __init__(
        self,
        items: ListedItems,
        original: str,
        *,
        missing: str | None,
        removed: str | None,
        better_box: str | None,
    ) -> None:
        super().__init__(items, original, removed)
        self._missing = f"{missing}.detections"
        self._edits[ANOTHER_BOX] = BoxReplacement(items, original, better_box)
        self._edits[MISSING_OBJECT] = Addition(items, original)

    @property
    def others(self) -> tuple[str, ...]:
        """Another box, and none."""
        return (ANOTHER_BOX, *super().others)

    def _to_do(self, item: Item, new: str) -> LabelEdit:
        if item.get(LIST) == self._missing and new != NO_OBJECT:
            return self._edits[MISSING_OBJECT]
        return super()._to_do(item, new)


_PARTS = ("label", "tags", "confidence", "bounding_box")


class BoxReplacement(LabelEdit):
    """Replaces the box of an object; its class and all else stay.

    Args:
        items, original: as of any edit.
        better_box: name of the attribute with the better box; None if it was deleted.
    """

    def __init__(
        self, items: ListedItems, original: str, better_box: str | None
    ) -> None:
        super().__init__(items, original)
        self._better_box = str(better_box)

    def obstacle(self, item: Item, new: str) -> str | None:
        """Why :meth:`applying` would change nothing, or None."""
        label = item[LABEL]
        if label.get("bounding_box") is None:
            return "it is no box; edit its points by hand"
        if label.get("mask") is not None or label.get("mask_path") is not None:
            return "its mask would no longer fit the box; edit both by hand"
        if label.get(self._better_box) is None:
            return "the detector sees no object there; edit the box by hand"
        if label[self._better_box] == label["bounding_box"]:
            return "its box is as suggested already"
        return None

    def _id(
        self, one: ObjectId, old: Iterable[float], new: Iterable[float]
    ) -> ObjectId:
        return applied_id(one, one, ANOTHER_BOX, str([*old]), str([*new]))

    def _is_applied(self, one: ObjectId, original: Item, label: Item) -> bool:
        new = label.get("bounding_box")
        if not new:
            return False
        same = original.get("_id") == self._id(one, original["bounding_box"], new)
        return same and label.get("label") == original.get("label")

    def _condition(self, label: Item) -> dict[str, Any]:
        return {part: label.get(part) for part in _PARTS}

    def applying(self, item: Item, new: str) -> UpdateOne:
        """The update that sets the better box, if the object is as it was read."""
        old, ref, one = item[LABEL], self.items.ref, item["_id"]
        box = old[self._better_box]
        kept = {part: ref(part) for part in _PARTS if part in old}
        values = {
            self.original: {
                "_id": self._id(one, old["bounding_box"], box),
                "_cls": "Classification",
                "correction": ANOTHER_BOX,
                **kept,
            },
            "bounding_box": {"$literal": [*box]},
            "tags": {"$literal": applied_tags(old)},
        }
        return self.items.change(
            item, {**self._condition(old), self.original: None}, values
        )

    def reverting(self, item: Item) -> UpdateOne:
        """The update that brings the old box back, if the object is as it was read."""
        original, label = item[self.original], item[LABEL]
        back = [part for part in ("tags", "bounding_box") if part in original]
        values: dict[str, Any] = {
            part: self.items.ref(f"{self.original}.{part}") for part in back
        }
        if tags := restored_tags(original, label):
            values["tags"] = {"$literal": tags}
        gone = [] if "tags" in values else ["tags"]
        condition = {**self._condition(label), self.original: {"$ne": None}}
        return self.items.change(item, condition, values, [self.original, *gone])
