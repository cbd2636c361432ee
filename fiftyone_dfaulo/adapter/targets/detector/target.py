"""Objects that are judged by a detector's predictions: class, box and existence.

Beside what any object gets, each gets the better box, and each sample a field with the
objects that look missing. The sample's maximum is over these as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import fiftyone as fo
from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.results.boxes import BoxResults, MissingObject
from fiftyone_dfaulo.adapter.storage.documents import batches
from fiftyone_dfaulo.adapter.storage.items import Item, Items, ListedItems, now
from fiftyone_dfaulo.adapter.storage.schema import (
    BETTER_BOX,
    MISSING,
    FieldSpec,
    RunField,
    missing_field,
)
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.detector.edits import BoxLabelEdit
from fiftyone_dfaulo.adapter.targets.detector.labels import BoxLabels
from fiftyone_dfaulo.adapter.targets.label_edits import LabelEdit
from fiftyone_dfaulo.adapter.targets.object import ObjectTarget

_BETTER_BOX: FieldSpec = {
    "ftype": fo.ListField,
    "subfield": fo.FloatField,
    "description": "Where the detector sees the object: left, top, width and height, "
    "fractions of the image (DFauLo)",
}


@dataclass(frozen=True)
class BoxTarget(ObjectTarget):
    """The objects of a Detections or Polylines field, judged by a detector.

    Args:
        missing: the samples' field with the objects that look missing; None if it was
            deleted, or no run is meant.
        better_box: name of the objects' better box, likewise.
    """

    missing: str | None = None
    better_box: str | None = None

    kind = "box"
    labels_type = BoxLabels
    results_type = BoxResults
    unsupported = ("method", "depth", "classes")

    @classmethod
    def of_field(cls, name: str, label_type: type, frames: bool) -> None:
        """Never: only what a run is asked for makes a target of this kind."""
        return

    @classmethod
    def of_objects(cls, target: ObjectTarget) -> BoxTarget:
        """The same objects."""
        return cls(target.label_field, target.frames, target.list_name)

    def _for_others(self, setting: str) -> str:
        return f"says nothing about the boxes in {self.label_field!r}"

    def items(self, dataset: Dataset) -> Items:
        """The objects in the lists; what looks missing counts in the maximum."""
        items = super().items(dataset)
        assert isinstance(items, ListedItems)
        also = None if self.missing is None else f"{self.missing}.detections.confidence"
        return replace(items, also=also)

    def run_fields(self, key: str) -> list[RunField]:
        """Those of any object, the better box, and the objects that look missing."""
        return [
            *super().run_fields(key),
            RunField(self.path(f"{key}_{BETTER_BOX}"), _BETTER_BOX),
            missing_field(key, fo.Detections, "object"),
        ]

    def with_fields(self, paths: Sequence[str]) -> LabelTarget:
        """The same objects, beside which a run has these fields."""
        missing = [p for p in paths if "." not in p and p.endswith(f"_{MISSING}")]
        better = [p.rpartition(".")[2] for p in paths if p.endswith(f"_{BETTER_BOX}")]
        same = super().with_fields([p for p in paths if p not in missing])
        assert isinstance(same, BoxTarget)
        return replace(
            same,
            missing=next(iter(missing), None),
            better_box=next(iter(better), None),
        )

    def write_more(
        self,
        dataset: Dataset,
        items: Mapping[str, Item],
        results: DFauLoResults,
        rows: slice,
    ) -> None:
        """Writes the better boxes, and once which objects look missing."""
        assert isinstance(results, BoxResults)
        documents = self.storage(dataset).collection
        values = zip(results.ids[rows], results.better_boxes[rows].tolist())
        name, missing = str(self.better_box), str(self.missing)
        better = [
            (items[one], {name: None if box[0] != box[0] else box})
            for one, box in values
        ]
        documents.bulk_write(self.items(dataset).fill(better), ordered=False)
        if rows.start == 0:
            for part in batches(list(self._missing_updates(dataset, results, missing))):
                documents.bulk_write(list(part), ordered=False)

    def _missing_updates(
        self, dataset: Dataset, results: BoxResults, name: str
    ) -> Iterator[UpdateOne]:
        """One a sample in which an object looks missing."""
        from fiftyone_dfaulo.engine.boxes.scoring import LEAST

        likely = [one for one in results.missing if one.probability >= LEAST]
        form = fo.Detection(label="", bounding_box=[], confidence=0.0).to_dict()
        empty = fo.Detections().to_dict()
        items = self.items(dataset)
        assert isinstance(items, ListedItems)

        def stored(one: MissingObject) -> Item:
            made = {"_id": ObjectId(), "label": one.label, "bounding_box": [*one.box]}
            return {**form, **made, "confidence": one.probability}

        for sample, group in groupby(
            sorted(likely, key=lambda one: (one.sample, -one.probability)),
            key=lambda one: one.sample,
        ):
            found = {**empty, "detections": [stored(one) for one in group]}
            values = {name: {"$literal": found}, **now()}
            yield UpdateOne(
                {"_id": ObjectId(sample)}, [{"$set": values}, *items.maximum_stages()]
            )

    def label_edit(
        self, items: Items, original: str, load: Callable[[], DFauLoResults]
    ) -> LabelEdit:
        """Replaces the class; see :class:`.BoxLabelEdit`."""
        return BoxLabelEdit(items, original)
