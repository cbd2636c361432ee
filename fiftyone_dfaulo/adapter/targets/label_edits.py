"""How labels are corrected and brought back, whatever their kind.

A new label has the tag :data:`TAG`, and an id that is computed from the item, the
original label and the new class. So the dataset alone says whether a label is still the
one that was applied, and an edit by hand is never undone. A tag that was added since is
no edit: it stays on the label that is brought back.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.storage.items import LABEL, Item, Items

TAG = "corrected"
"""The tag on labels that were corrected."""


class LabelEdit(ABC):
    """The updates that replace a label and bring it back.

    Items come with their label and, if they are corrected, their original label.

    Args:
        items: the items of the dataset.
        original: name of the value that keeps an item's original label.
    """

    def __init__(self, items: Items, original: str) -> None:
        self.items = items
        self.original = original

    @property
    def others(self) -> tuple[str, ...]:
        """What may be set that is no class; nothing, for most kinds of label."""
        return ()

    def is_as_applied(self, item: Item) -> bool:
        """Whether the label of a corrected item is still what was applied."""
        label = item.get(LABEL)
        return bool(label) and self._is_applied(
            item["_id"], item[self.original], item[LABEL]
        )

    @abstractmethod
    def obstacle(self, item: Item, new: str) -> str | None:
        """Why :meth:`applying` would change nothing, or None."""

    @abstractmethod
    def _is_applied(self, one: ObjectId, original: Item, label: Item) -> bool: ...

    @abstractmethod
    def applying(self, item: Item, new: str) -> UpdateOne:
        """The update that sets another class, if the label is still as it was read."""

    @abstractmethod
    def reverting(self, item: Item) -> UpdateOne:
        """The update that brings the original back, if the label is as it was read."""


class SingleLabelEdit(LabelEdit):
    """What edits of one class have in common."""

    def is_as_applied(self, item: Item) -> bool:
        """Whether the label of a corrected item is still what was applied."""
        known = (item.get(LABEL) or {}).get("label") is not None
        return known and super().is_as_applied(item)

    def obstacle(self, item: Item, new: str) -> str | None:
        """Why :meth:`applying` would change nothing, or None."""
        same = item[LABEL]["label"] == new
        return f"its label is {new!r} already" if same else None


def applied_tags(original: Item) -> list[str]:
    """The tags of a corrected label: its own, and :data:`TAG`."""
    return [*(tag for tag in original.get("tags") or [] if tag != TAG), TAG]


def added_tags(original: Item, label: Item) -> list[str]:
    """Tags that a corrected label has got since."""
    ours = applied_tags(original)
    return [tag for tag in label.get("tags") or [] if tag not in ours]


def restored_tags(original: Item, label: Item) -> list[str] | None:
    """The original's tags and those added since; None where none was added."""
    added = added_tags(original, label)
    return [*(original.get("tags") or []), *added] if added else None


def applied_id(one: Any, original_id: Any, *facts: str) -> ObjectId:
    """The id of a label that was applied, by which it is known again."""
    text = "/".join((str(one), str(original_id), *facts))
    return ObjectId(hashlib.sha256(text.encode()).digest()[:12])
