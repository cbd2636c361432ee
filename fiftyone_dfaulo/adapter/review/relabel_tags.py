"""How a sample's tags are corrected and brought back.

Tags that look wrong go and missing ones come; the others are not touched, so that what
is edited on them meanwhile stays. Which tags these are is known from the results, so
that whether the tags are still those that were applied can be told at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.review.label_edits import TAG, Relabelling, mark
from fiftyone_dfaulo.adapter.review.session import Review, load_results
from fiftyone_dfaulo.adapter.runs.multilabel_results import Change, TagResults
from fiftyone_dfaulo.adapter.targets.base import Item

_LIST = "classifications"


class ListsOfTags(Relabelling):
    """Tags of samples; the id of an added one is computed from the sample and class."""

    def __init__(self, review: Review) -> None:
        super().__init__(review)
        results = load_results(review)
        assert isinstance(results, TagResults)
        self.results = results
        self.rows = {one: row for row, one in enumerate(results.ids)}

    def _change(self, one: Any) -> Change:
        """What is suggested for a sample: nothing for one that was not scored."""
        row = self.rows.get(str(one))  # None for a copied sample
        if row is None:
            return Change()
        return self.results.changes(slice(row, row + 1))[0]

    def _split(
        self, one: Any, tags: Sequence[Item]
    ) -> tuple[list[Item], list[dict[str, Any]]]:
        """Of these tags, those that stay; and the new ones."""
        change = self._change(one)
        there = {tag.get("label") for tag in tags}
        stay = [tag for tag in tags if tag.get("label") not in change.remove]
        new = [
            {
                "_id": mark(one, one, "add", name),
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
        tags = item[self.label][_LIST]
        stay, come = self._split(item["_id"], tags)
        same = not come and len(stay) == len(tags)
        return "its tags are as suggested already" if same else None

    def _same(self, one: Any, original: Item, label: Item) -> bool:
        stay, new = self._split(one, original[_LIST])
        applied, now = [*stay, *new], label[_LIST]
        return len(now) == len(applied) and all(map(_is_same, now, applied))

    def applying(self, item: Item, new: str) -> UpdateOne:
        """The update that removes and adds, if the tags are still as they were read."""
        old = item[self.label]
        stay, come = self._split(item["_id"], old[_LIST])
        kept = {
            "$filter": {
                "input": self.place.ref(f"{self.label}.{_LIST}"),
                "as": "tag",
                "cond": {"$in": ["$$tag._id", [tag["_id"] for tag in stay]]},
            }
        }
        values = {
            self.original: self.place.ref(self.label),
            f"{self.label}.{_LIST}": {"$concatArrays": [kept, {"$literal": come}]},
        }
        return self.place.change(item, {self.label: old, self.original: None}, values)

    def reverting(self, item: Item) -> UpdateOne:
        """The update that brings back the tags from before, if they are as read."""
        same = {"$eq": ["$$tag._id", "$$old._id"]}
        now = self.place.ref(f"{self.label}.{_LIST}")
        found = {"$filter": {"input": now, "as": "tag", "cond": same}}
        back = {  # a tag that stayed may have got more attributes since
            "$map": {
                "input": self.place.ref(f"{self.original}.{_LIST}"),
                "as": "old",
                "in": {"$ifNull": [{"$first": found}, "$$old"]},
            }
        }
        condition = {self.label: item[self.label], self.original: {"$ne": None}}
        values = {f"{self.label}.{_LIST}": back}
        return self.place.change(item, condition, values, [self.original])


def _is_same(tag: Item, applied: Item) -> bool:
    """Whether a tag is the one that was applied; its own tags may be more by now.

    FiftyOne may add empty parts when it saves.
    """
    parts = ("_id", "label", "confidence")
    same = all((tag.get(p) or None) == (applied.get(p) or None) for p in parts)
    return same and {*(applied.get("tags") or [])} <= {*(tag.get("tags") or [])}
