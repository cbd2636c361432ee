"""Several labels a sample: a Classifications field.

A sample with an empty list has no label, which is a statement about each class. A
sample without a list is not labelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fiftyone as fo
import numpy as np
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.results.multi_label import MultiLabelResults, join_classes
from fiftyone_dfaulo.adapter.storage.items import Item, Items, Query, now
from fiftyone_dfaulo.adapter.storage.schema import (
    SCHEMA,
    FieldSpec,
    RunField,
    label_maker,
    missing_field,
)
from fiftyone_dfaulo.adapter.targets.label_edits import LabelEdit
from fiftyone_dfaulo.adapter.targets.sample import WholeImageTarget, with_tag
from fiftyone_dfaulo.adapter.targets.tags.edits import MultiLabelEdit
from fiftyone_dfaulo.adapter.targets.tags.labels import MultiLabels

if TYPE_CHECKING:
    from typing_extensions import Self

_SCHEMA: dict[str, FieldSpec] = {
    "suggestion": {
        **SCHEMA["suggestion"],
        "description": "Which labels to remove or to add, and how likely the likeliest "
        "of these changes is right (DFauLo)",
    },
    "original_label": {
        **SCHEMA["original_label"],
        "embedded_doc_type": fo.Classifications,
        "description": "The labels before they were corrected (DFauLo)",
    },
}
"""Where a field is not what it is for one class a sample."""


@dataclass(frozen=True)
class MultiLabelTarget(WholeImageTarget):
    """Several classes a sample: a Classifications field."""

    kind = "multilabel"
    labels_type = MultiLabels
    results_type = MultiLabelResults
    unsupported = ("method", "depth", "predictions", "classes", "out_of_sample")

    @classmethod
    def of_field(cls, name: str, label_type: type, frames: bool) -> Self | None:
        """The target of a Classifications field."""
        return cls(name, frames) if issubclass(label_type, fo.Classifications) else None

    def _for_others(self, setting: str) -> str:
        return (
            f"is for samples of one class each, and {self.label_field!r} holds several "
            "labels a sample"
        )

    # ---- where values lie ----

    @property
    def attributes_path(self) -> str:
        """The list of the labels, as ``"ground_truth.classifications"``."""
        return f"{self.label_field}.classifications"

    @property
    def class_path(self) -> str:
        """As ``"ground_truth.classifications.label"``."""
        return f"{self.attributes_path}.label"

    def run_fields(self, key: str) -> list[RunField]:
        """Also attributes of given labels, and a field of labels that look missing."""
        attributes = [
            RunField(f"{self.attributes_path}.{key}_{part}", SCHEMA[part])
            for part in ("suspiciousness", "reasons")
        ]
        missing = missing_field(key, fo.Classifications, "label")
        return [*super().run_fields(key), *attributes, missing]

    def _spec(self, part: str) -> FieldSpec:
        return _SCHEMA.get(part, SCHEMA[part])

    def lists_with_attributes(self, paths: Iterable[str]) -> list[str]:
        """The labels, and those in the original labels that corrections keep."""
        originals = (name for name in paths if name.endswith("_original_label"))
        kept = (f"{name}.classifications" for name in originals)
        return [*dict.fromkeys((self.attributes_path, *kept))]

    # ---- reading ----

    def label_text(self, label: Item | None) -> str | None:
        """The classes, joined."""
        labels = label.get("classifications") if label else None
        return None if labels is None else join_classes(x.get("label") for x in labels)

    def class_text(self, value: Any) -> str | None:
        """The classes, joined."""
        return join_classes(value) if isinstance(value, list) else None

    # ---- writing ----

    def write_more(
        self,
        dataset: Dataset,
        items: Mapping[str, Item],
        results: DFauLoResults,
        rows: slice,
    ) -> None:
        """Writes what a run says of each given label, and which labels look missing."""
        assert isinstance(results, MultiLabelResults)
        updates = list(self._updates(items, results, rows))
        self.storage(dataset).collection.bulk_write(updates, ordered=False)

    def _updates(
        self, items: Mapping[str, Item], results: MultiLabelResults, rows: slice
    ) -> Iterator[UpdateOne]:
        """One a sample. Labels that were taken away meanwhile are passed over."""
        at, names = self.attributes_path, results.config.run_fields
        make, empty = label_maker(), fo.Classifications().to_dict()
        when = now()
        for row in range(*rows.indices(len(results.ids))):
            given = np.flatnonzero(results.given[row]).tolist()
            classes = [results.classes[k] for k in given]
            values = [
                {
                    names.suspiciousness: float(results.signals[row, k]),
                    names.reasons: results.label_reasons(row, k),
                }
                for k in given
            ]
            found = [make(*one) for one in results.missing(row).items()]
            missing = {**empty, "classifications": found} if found else None
            changes = {
                at: _merged(at, classes, values),
                results.config.missing_field: {"$literal": missing},
                **when,
            }
            one = {"_id": items[results.ids[row]]["_id"], at: {"$type": "array"}}
            yield UpdateOne(one, [{"$set": changes}])

    def label_edit(
        self, items: Items, original: str, load: Callable[[], DFauLoResults]
    ) -> LabelEdit:
        """Removes and adds the labels that the results say."""
        results = load()
        assert isinstance(results, MultiLabelResults)
        return MultiLabelEdit(items, original, results)

    # ---- tags ----

    @property
    def _label_tags(self) -> str:
        return f"{self.attributes_path}.tags"

    def taggable(self) -> Query:
        """A frame needs a label to be tagged."""
        return {self.class_path: {"$exists": True}} if self.frames else {}

    def _tag_labels(self, items: Items, item: Item, tag: str) -> UpdateOne:
        at = self.attributes_path
        tagged = {"$mergeObjects": ["$$one", {"tags": with_tag(tag, "$$one.tags")}]}
        values = {at: {"$map": {"input": items.ref(at), "as": "one", "in": tagged}}}
        untagged = {at: {"$elemMatch": {"tags": {"$ne": tag}}}}
        return items.change(item, untagged, values)


def _merged(at: str, classes: list[str], values: list[dict[str, Any]]) -> Any:
    """The labels, each with the values of its class, if there are any."""
    place = {"$indexOfArray": [{"$literal": classes}, "$$one.label"]}
    known = {"$arrayElemAt": [{"$literal": values}, "$$place"]}
    merged = {"$mergeObjects": ["$$one", known]}
    either = {"$cond": [{"$gte": ["$$place", 0]}, merged, "$$one"]}
    each = {"$let": {"vars": {"place": place}, "in": either}}
    return {"$map": {"input": f"${at}", "as": "one", "in": each}}
