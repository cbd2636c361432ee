"""How a label is replaced and brought back: of a sample, of an object, or several tags.

The label of a sample is replaced whole, and the original kept whole. Of an object only
the class, the tags and the confidence are: its id, box, mask and other attributes stay
as they are, and as they are edited. Either way the new label has the tag :data:`TAG`,
and an id is computed from the item, the original label and the new class. So whether a
label is still the one that was applied can be told from the dataset alone, and an edit
by hand is never undone. Tags that were added since are no edit: they stay on the label
that is brought back.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.review.session import Review
from fiftyone_dfaulo.adapter.targets.base import Item
from fiftyone_dfaulo.adapter.targets.multilabel import label_text

TAG = "corrected"
"""The tag on labels that were corrected."""


def relabelling(review: Review) -> Relabelling:
    """How labels of this run are replaced."""
    if review.place.tags_path:
        from fiftyone_dfaulo.adapter.review.relabel_tags import (
            ListsOfTags,  # it imports us
        )

        return ListsOfTags(review)
    whole = review.place.list_path is None
    return (_WholeLabels if whole else _PartsOfObjects)(review)


class Relabelling(ABC):
    """The updates that replace a label and bring it back.

    Items are those of :func:`.session.find` with their label
    and, if they are corrected, their original label.
    """

    def __init__(self, review: Review) -> None:
        self.place = review.place
        self.label = review.config.label_field
        self.original = review.own.original_label

    def is_as_applied(self, item: Item) -> bool:
        """Whether the label of a corrected item is still what was applied."""
        label = item.get(self.label)
        if not label or label_text(label) is None:
            return False
        return self._same(item["_id"], item[self.original], label)

    def obstacle(self, item: Item, new: str) -> str | None:
        """Why :meth:`applying` would change nothing, or None."""
        same = label_text(item[self.label]) == new
        return f"its label is {new!r} already" if same else None

    @abstractmethod
    def _same(self, one: Any, original: Item, label: Item) -> bool: ...

    @abstractmethod
    def applying(self, item: Item, new: str) -> UpdateOne:
        """The update that sets another class, if the label is still as it was read."""

    @abstractmethod
    def reverting(self, item: Item) -> UpdateOne:
        """The update that brings the original back, if the label is as it was read."""


def _tagged(original: Item) -> list[str]:
    return [*(tag for tag in original.get("tags") or [] if tag != TAG), TAG]


def _added(original: Item, label: Item) -> list[str]:
    """Tags that a corrected label has got since."""
    ours = _tagged(original)
    return [tag for tag in label.get("tags") or [] if tag not in ours]


def _brought_back(original: Item, label: Item) -> list[str] | None:
    """The original's tags and those added since; None where none was added."""
    added = _added(original, label)
    return [*(original.get("tags") or []), *added] if added else None


def mark(one: Any, original_id: Any, *facts: str) -> ObjectId:
    """The id of a label that was applied, by which it is known again."""
    text = "/".join((str(one), str(original_id), *facts))
    return ObjectId(hashlib.sha256(text.encode()).digest()[:12])


class _WholeLabels(Relabelling):
    """Labels of samples; the computed id is the new label's."""

    def _new(self, one: Any, original: Item, new: str) -> dict[str, Any]:
        return {
            "_id": mark(one, original.get("_id"), new),
            "_cls": "Classification",
            "tags": _tagged(original),
            "label": new,
        }

    def _same(self, one: Any, original: Item, label: Item) -> bool:
        # FiftyOne may add empty attributes to a label when it saves the sample.
        filled = {name: value for name, value in label.items() if value is not None}
        new = self._new(one, original, label["label"])
        return filled == {**new, "tags": [*new["tags"], *_added(original, label)]}

    def applying(self, item: Item, new: str) -> UpdateOne:
        old = item[self.label]
        values = {
            # copied inside the database, so that not a byte of it changes
            self.original: self.place.ref(self.label),
            self.label: {"$literal": self._new(item["_id"], old, new)},
        }
        return self.place.change(item, {self.label: old, self.original: None}, values)

    def reverting(self, item: Item) -> UpdateOne:
        condition = {self.label: item[self.label], self.original: {"$ne": None}}
        back: Any = self.place.ref(self.original)
        if tags := _brought_back(item[self.original], item[self.label]):
            back = {"$mergeObjects": [back, {"tags": {"$literal": tags}}]}
        return self.place.change(item, condition, {self.label: back}, [self.original])


class _Parts(NamedTuple):
    """What of an object's label a correction changes, where the object has it."""

    label: Any
    tags: Any
    confidence: Any


class _PartsOfObjects(Relabelling):
    """Labels of objects; the computed id is that of the original that is kept."""

    def _condition(self, label: Item) -> dict[str, Any]:
        return {part: label.get(part) for part in _Parts._fields}

    def _same(self, one: Any, original: Item, label: Item) -> bool:
        return (
            original.get("_id") == mark(one, one, original["label"], label["label"])
            and label.get("tags") == [*_tagged(original), *_added(original, label)]
            and label.get("confidence") is None
        )

    def applying(self, item: Item, new: str) -> UpdateOne:
        old = item[self.label]
        kept = {part: self.place.ref(part) for part in _Parts._fields if part in old}
        values = {
            self.original: {
                "_id": mark(item["_id"], item["_id"], old["label"], new),
                "_cls": "Classification",
                **kept,
            },
            "label": {"$literal": new},
            "tags": {"$literal": _tagged(old)},
        }
        if "confidence" in old:  # it was that of the old class
            values["confidence"] = {"$literal": None}
        condition = {**self._condition(old), self.original: None}
        return self.place.change(item, condition, values)

    def reverting(self, item: Item) -> UpdateOne:
        original: Mapping[str, Any] = item[self.original]
        back = [part for part in _Parts._fields if part in original]
        values: dict[str, Any] = {
            part: self.place.ref(f"{self.original}.{part}") for part in back
        }
        if tags := _brought_back(original, item[self.label]):
            values["tags"] = {"$literal": tags}
        gone = [] if "tags" in values else ["tags"]
        condition = {**self._condition(item[self.label]), self.original: {"$ne": None}}
        return self.place.change(item, condition, values, [self.original, *gone])
