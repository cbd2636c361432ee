"""How the labels of a sample that has several are corrected and brought back.

Labels that look wrong are removed, and labels that look missing are added. The others
are not touched, so that edits of them stay. The results say which labels are removed
and added. So it is known at any time whether the labels are still as they were applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.results.multi_label import Change, MultiLabelResults
from fiftyone_dfaulo.adapter.storage.items import LABEL, Item, Items
from fiftyone_dfaulo.adapter.targets.label_edits import TAG, LabelEdit, applied_id

_LIST = "classifications"


class MultiLabelEdit(LabelEdit):
    """Removes and adds labels; the id of an added one is computed from its class.

    Args:
        items, original: as of any edit.
        results: those of the run, which say what changes.
    """

    def __init__(self, items: Items, original: str, results: MultiLabelResults) -> None:
        super().__init__(items, original)
        self.results = results
        self.rows = {one: row for row, one in enumerate(results.ids)}
        self.list_path = f"{items.label_field}.{_LIST}"

    def _change(self, one: ObjectId) -> Change:
        """What is suggested for a sample: nothing for one that was not scored."""
        row = self.rows.get(str(one))  # None for a copied sample
        if row is None:
            return Change()
        return self.results.changes(slice(row, row + 1))[0]

    def _split(
        self, one: ObjectId, labels: Sequence[Item]
    ) -> tuple[list[Item], list[dict[str, Any]]]:
        """Of these labels, those that stay; and the new ones."""
        change = self._change(one)
        there = {label.get("label") for label in labels}
        stay = [label for label in labels if label.get("label") not in change.remove]
        new = [
            {
                "_id": applied_id(one, one, "add", name),
                "_cls": "Classification",
                "tags": [TAG],
                "label": name,
            }
            for name in change.add
            if name not in there
        ]
        return stay, new

    def obstacle(self, item: Item, new: str) -> str | None:
        """Why :meth:`applying` would change nothing, or None."""
        labels = item[LABEL][_LIST]
        stay, come = self._split(item["_id"], labels)
        same = not come and len(stay) == len(labels)
        return "its labels are as suggested already" if same else None

    def _is_applied(self, one: ObjectId, original: Item, label: Item) -> bool:
        if label.get(_LIST) is None:
            return False
        stay, new = self._split(one, original[_LIST])
        applied, now = [*stay, *new], label[_LIST]
        return len(now) == len(applied) and all(map(_is_same, now, applied))

    def applying(self, item: Item, new: str) -> UpdateOne:
        """The update that removes and adds, if the labels are as they were read."""
        field, old = self.items.label_field, item[LABEL]
        stay, come = self._split(item["_id"], old[_LIST])
        kept = {
            "$filter": {
                "input": self.items.ref(self.list_path),
                "as": "one",
                "cond": {"$in": ["$$one._id", [label["_id"] for label in stay]]},
            }
        }
        values = {
            self.original: self.items.ref(field),
            self.list_path: {"$concatArrays": [kept, {"$literal": come}]},
        }
        return self.items.change(item, {field: old, self.original: None}, values)

    def reverting(self, item: Item) -> UpdateOne:
        """The update that brings back the labels from before, if they are as read."""
        same = {"$eq": ["$$one._id", "$$old._id"]}
        now = self.items.ref(self.list_path)
        found = {"$filter": {"input": now, "as": "one", "cond": same}}
        back = {  # a label that stayed may have got more attributes since
            "$map": {
                "input": self.items.ref(f"{self.original}.{_LIST}"),
                "as": "old",
                "in": {"$ifNull": [{"$first": found}, "$$old"]},
            }
        }
        field = self.items.label_field
        condition = {field: item[LABEL], self.original: {"$ne": None}}
        return self.items.change(
            item, condition, {self.list_path: back}, [self.original]
        )


def _is_same(label: Item, applied: Item) -> bool:
    """Whether a label is the one that was applied; it may have more tags by now.

    FiftyOne may add empty parts when it saves.
    """
    same = all(label.get(part) == applied.get(part) for part in ("_id", "label"))
    same &= (label.get("confidence") or None) == (applied.get("confidence") or None)
    return same and {*(applied.get("tags") or [])} <= {*(label.get("tags") or [])}
