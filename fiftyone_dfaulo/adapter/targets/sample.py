"""Labels of whole samples: a Classification each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import fiftyone as fo
from bson import ObjectId, encode
from fiftyone import ViewExpression, ViewField
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.host import Dataset, Field, Samples
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.results.single_label import SingleLabelResults
from fiftyone_dfaulo.adapter.storage.documents import all_fields
from fiftyone_dfaulo.adapter.storage.items import (
    LABEL,
    Item,
    Items,
    Query,
    SampleItems,
)
from fiftyone_dfaulo.adapter.storage.schema import MakeLabel, RunFields
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.class_labels import ClassLabels
from fiftyone_dfaulo.adapter.targets.label_edits import (
    LabelEdit,
    SingleLabelEdit,
    added_tags,
    applied_id,
    applied_tags,
    restored_tags,
)
from fiftyone_dfaulo.adapter.targets.labels import Rows, Values
from fiftyone_dfaulo.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Self

_BATCH = 10_000


@dataclass(frozen=True)
class WholeImageTarget(LabelTarget):
    """Labels of whole images; an item is a sample, or a frame."""

    def items(self, dataset: Dataset) -> Items:
        """The samples, or frames."""
        documents = self.storage(dataset).collection
        return SampleItems(documents, self.label_field, self.class_path)

    # ---- reading ----

    def read(self, samples: Samples) -> Rows:
        """Reads ids, images and classes, in the order of the ids."""
        found = zip(*samples.values(["id", "filepath", self.class_path]))
        once = {row[0]: row for row in sorted(found, key=itemgetter(0))}
        return Rows(list(once.values()), {})

    def item_ids(self, samples: Samples) -> list[str]:
        """Ids of the samples."""
        return list(samples.values("id"))

    def vector_fields(self, samples: Samples) -> dict[str, Field]:
        """The fields of the samples."""
        return all_fields(samples.get_field_schema())

    def read_field(self, samples: Samples, name: str, ids: Sequence[str]) -> Values:
        """The values of a field."""
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            row = dict(zip(*samples.select(part).values(["id", name])))
            yield [(start + n, row.get(one)) for n, one in enumerate(part)]

    def read_index(self, index: Any, ids: Sequence[str]) -> dict[str, Any]:
        """The embeddings of images."""
        found = index.get_embeddings(sample_ids=list(ids), allow_missing=True)
        return dict(zip(found[1], found[0]))

    def stored_suggestion(
        self, text: str | None, confidence: float, make: MakeLabel
    ) -> Any:
        """A Classification."""
        return None if text is None else make(text, confidence)

    # ---- tags ----

    @property
    def tags_path(self) -> str:
        """Those of the samples; of a frame, which has none, those of its labels."""
        return self._label_tags if self.frames else "tags"

    @property
    @abstractmethod
    def _label_tags(self) -> str:
        """Where FiftyOne finds the tags of the labels."""

    def tag_change(self, items: Items, item: Item, tag: str) -> UpdateOne:
        """The update that gives a sample a tag, or the labels of a frame."""
        if self.frames:
            return self._tag_labels(items, item, tag)
        values = {"tags": with_tag(tag, items.ref("tags"))}
        return items.change(item, {"tags": {"$ne": tag}}, values)

    @abstractmethod
    def _tag_labels(self, items: Items, item: Item, tag: str) -> UpdateOne:
        """The update that gives all labels of a sample a tag."""

    def tagged_view(self, dataset: Dataset, tag: str) -> Samples:
        """A view of the samples, or labels, that have the tag."""
        if self.frames:
            return super().tagged_view(dataset, tag)
        return dataset.match_tags(tag)

    # ---- views ----

    def shows_patches(self, samples: Samples) -> bool:
        """Never: samples are no patches."""
        if samples._is_patches:
            raise InputError(other_patches(self))
        return False

    def view_field(self, part: str, fields: RunFields) -> ViewField:
        """A field of the samples."""
        if part == "label":
            return ViewField(self.class_path)
        name = getattr(fields, part)
        return ViewField(f"{name}.label" if part == "suggestion" else name)

    def narrow(self, samples: Samples, expression: ViewExpression | None) -> Samples:
        """The samples that match."""
        return samples if expression is None else samples.match(expression)

    def select(self, samples: Samples, ids: Sequence[str]) -> Samples:
        """These samples."""
        return samples.select(ids, ordered=True)

    def unreviewed(self, view: Samples, fields: RunFields, floor: float) -> Samples:
        """Those without a verdict."""
        return view.exists(fields.verdict, False)


def other_patches(target: LabelTarget) -> str:
    """What is wrong with a view of patches that a run has not scored."""
    return (
        "this view shows patches that this brain run has not scored; it scored the "
        f"{target.noun}s in {target.label_field!r}. Pass the dataset, a view of "
        "it, or of a run that scored objects a view by to_patches() of that field"
    )


def with_tag(tag: str, tags: str) -> dict[str, Any]:
    """The expression of these tags and another one, if it is not among them."""
    there = {"$ifNull": [tags, []]}
    new = {"$literal": tag}
    added = {"$concatArrays": [there, [new]]}
    return {"$cond": [{"$in": [new, there]}, there, added]}


@dataclass(frozen=True)
class SampleTarget(WholeImageTarget):
    """One class a sample: a Classification field."""

    kind = "sample"
    labels_type = ClassLabels
    results_type = SingleLabelResults
    predictions_type = fo.Classification
    one_class_a_sample = True

    @classmethod
    def of_field(cls, name: str, label_type: type, frames: bool) -> Self | None:
        """The target of a Classification field."""
        return cls(name, frames) if issubclass(label_type, fo.Classification) else None

    @property
    def class_path(self) -> str:
        """As ``"ground_truth.label"``."""
        return f"{self.label_field}.label"

    def label_text(self, label: Item | None) -> str | None:
        """The class."""
        return label.get("label") if label else None

    def label_edit(
        self, items: Items, original: str, load: Callable[[], DFauLoResults]
    ) -> LabelEdit:
        """Replaces labels whole."""
        return SampleLabelEdit(items, original)

    @property
    def _label_tags(self) -> str:
        return f"{self.label_field}.tags"

    def taggable(self) -> Query:
        """A frame needs a label to be tagged."""
        return {self.class_path: {"$ne": None}} if self.frames else {}

    def _tag_labels(self, items: Items, item: Item, tag: str) -> UpdateOne:
        at = self._label_tags
        return items.change(
            item, {at: {"$ne": tag}}, {at: with_tag(tag, items.ref(at))}
        )


_CORE = ("_id", "tags", "label", "confidence", "logits")
"""What of a label a correction changes; all else is the user's own."""


class SampleLabelEdit(SingleLabelEdit):
    """Replaces the class of a label, and keeps the original whole.

    Attributes of the user's own (``occluded``, an annotator's name) stay on the
    corrected label, and as they are edited: only the class, the tags, the confidence
    and the logits say whether a label is still what was applied. Confidence and logits
    were those of the old class, and go. The computed id is the new label's.
    """

    def _new(self, one: Any, original: Item, new: str) -> dict[str, Any]:
        return {
            "_id": applied_id(one, original.get("_id"), new),
            "tags": applied_tags(original),
            "label": new,
        }

    def _is_applied(self, one: ObjectId, original: Item, label: Item) -> bool:
        new = self._new(one, original, label["label"])
        new["tags"] += added_tags(original, label)
        now = {name: label.get(name) for name in _CORE}
        return {name: x for name, x in now.items() if x is not None} == new

    def applying(self, item: Item, new: str) -> UpdateOne:
        """The update that sets another class, if the label is still as it was read."""
        field, old = self.items.label_field, item[LABEL]
        label: Any = {
            "$mergeObjects": [
                self.items.ref(field),
                {"$literal": self._new(item["_id"], old, new)},
            ]
        }
        for name in ("confidence", "logits"):
            if name in old:
                label = {"$unsetField": {"field": name, "input": label}}
        # copied inside the database, so that not a byte of it changes
        values = {self.original: self.items.ref(field), field: label}
        return self.items.change(item, {field: old, self.original: None}, values)

    def reverting(self, item: Item) -> UpdateOne:
        """The update that brings the original back, if the label is as it was read."""
        field, original = self.items.label_field, item[self.original]
        condition = {field: item[LABEL], self.original: {"$ne": None}}
        since, gone = _own_edits(original, item[LABEL])
        if tags := restored_tags(original, item[LABEL]):
            since["tags"] = tags
        back: Any = self.items.ref(self.original)
        if since:
            back = {"$mergeObjects": [back, {"$literal": since}]}
        for name in gone:
            back = {"$unsetField": {"field": {"$literal": name}, "input": back}}
        return self.items.change(item, condition, {field: back}, [self.original])


def _own_edits(original: Item, label: Item) -> tuple[dict[str, Any], list[str]]:
    """The user's own attributes that were edited since a label was corrected.

    FiftyOne may add empty ones when it saves, or drop them; these are no edits. If all
    are gone, it was an earlier version of this package that left them out.

    Returns:
        those with another value, and the names of those that were emptied.
    """
    own = {name: x for name, x in label.items() if name not in (*_CORE, "_cls")}
    edited = {
        name: value
        for name, value in own.items()
        if not (value is None and original.get(name) is None)
        and encode({"": value}) != encode({"": original.get(name)})
    }
    there = [name for name, value in original.items() if value is not None]
    gone = [name for name in there if name not in label and name not in _CORE]
    return edited, gone if own else []
