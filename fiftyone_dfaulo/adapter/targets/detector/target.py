"""Objects that are judged by a detector's predictions: class, box and existence.

The items of a run are in up to three lists of a sample: the labels, the objects that
look missing, and the objects that a correction has removed. Views show all three as one
list of labels. The sample's maximum is over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import fiftyone as fo
from fiftyone import ViewField
from fiftyone.core.stages import ViewStage

from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.results.boxes import BoxResults
from fiftyone_dfaulo.adapter.storage.items import Item, Items
from fiftyone_dfaulo.adapter.storage.listed_items import ListedItems
from fiftyone_dfaulo.adapter.storage.schema import (
    BETTER_BOX,
    BETTER_BOXES,
    MISSING,
    FieldSpec,
    RunField,
    label_field,
    missing_field,
    part_of,
)
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.detector.edits import BoxLabelEdit
from fiftyone_dfaulo.adapter.targets.detector.labels import BoxLabels
from fiftyone_dfaulo.adapter.targets.detector.removable import RemovableTarget
from fiftyone_dfaulo.adapter.targets.detector.writing import (
    write_better_boxes,
    write_missing,
)
from fiftyone_dfaulo.adapter.targets.label_edits import LabelEdit
from fiftyone_dfaulo.adapter.targets.object import ObjectTarget

_BETTER_BOX: FieldSpec = {
    "ftype": fo.ListField,
    "subfield": fo.FloatField,
    "description": "Where the object is seen: left, top, width and height, "
    "fractions of the image (DFauLo)",
}
_ABOUT_BETTER_BOXES = "Where misplaced boxes should be"

_EXTRA = (MISSING, BETTER_BOX, BETTER_BOXES)
"""The parts of a run that only what a detector judges has."""


@dataclass(frozen=True)
class BoxTarget(RemovableTarget):
    """The objects of a Detections or Polylines field, judged by a detector.

    Args:
        missing: the samples' field with the objects that look missing; None if it was
            deleted, or no run is meant.
        better_boxes: the samples' field with the better boxes, likewise.
        better_box: name of the objects' better box, likewise.
    """

    missing: str | None = None
    better_boxes: str | None = None
    better_box: str | None = None

    kind = "box"
    labels_type = BoxLabels
    results_type = BoxResults
    unsupported = ("method", "depth", "classes", "out_of_sample")

    @property
    def objects(self) -> ObjectTarget:
        """The same objects, not judged by a detector."""
        return ObjectTarget(self.label_field, self.frames, self.list_name)

    def _for_others(self, setting: str) -> str:
        return f"says nothing about the boxes in {self.label_field!r}"

    def items(self, dataset: Dataset) -> ListedItems:
        """The objects in the lists, those that look missing, and those removed."""
        better = () if self.better_box is None else (self.better_box,)
        found = cast(ListedItems, super().items(dataset))
        return replace(found, label_parts=(*found.label_parts, *better))

    @property
    def _others(self) -> tuple[str, ...]:
        """Where the objects lie that look missing, and those that were removed."""
        missing = () if self.missing is None else (f"{self.missing}.detections",)
        return (*missing, *super()._others)

    def run_fields(self, key: str) -> list[RunField]:
        """Those of any object, and all that is said of boxes."""
        return [
            *super().run_fields(key),
            RunField(self.path(f"{key}_{BETTER_BOX}"), _BETTER_BOX),
            missing_field(key, fo.Detections, "object"),
            label_field(f"{key}_{BETTER_BOXES}", fo.Detections, _ABOUT_BETTER_BOXES),
        ]

    def with_fields(self, paths: Sequence[str]) -> LabelTarget:
        """The same objects, beside which a run has these fields."""
        found: dict[str, str] = {}
        for path in paths:
            part = part_of(path)
            if part in _EXTRA:
                found.setdefault(part, path.rpartition(".")[2])
        same = super().with_fields([p for p in paths if p not in found.values()])
        return replace(
            cast(BoxTarget, same),
            missing=found.get(MISSING),
            better_boxes=found.get(BETTER_BOXES),
            better_box=found.get(BETTER_BOX),
        )

    # ---- writing ----

    def write_first(self, dataset: Dataset, results: DFauLoResults) -> None:
        """Writes the objects that look missing, which are items of the run."""
        if self.missing is not None:
            documents, found = (
                self.storage(dataset).collection,
                cast(BoxResults, results),
            )
            write_missing(documents, self.missing, found)

    def write_more(
        self,
        dataset: Dataset,
        items: Mapping[str, Item],
        results: DFauLoResults,
        rows: slice,
    ) -> None:
        """Writes the better boxes: of each object, and of misplaced ones as labels."""
        results = cast(BoxResults, results)
        values = zip(results.ids[rows], results.better_boxes[rows].tolist())
        name = str(self.better_box)
        better = [
            (items[one], {name: None if box[0] != box[0] else box})
            for one, box in values
        ]
        documents = self.storage(dataset).collection
        documents.bulk_write(self.items(dataset).fill(better), ordered=False)
        if self.better_boxes is not None:
            write_better_boxes(documents, self.better_boxes, items, results, rows)

    def label_edit(
        self, items: Items, original: str, load: Callable[[], DFauLoResults]
    ) -> LabelEdit:
        """What each object looks like: another class, another box, nothing."""
        return BoxLabelEdit(
            cast(ListedItems, items),
            original,
            missing=self.missing,
            removed=self.removed,
            better_box=self.better_box,
        )

    # ---- views ----

    def _as_patches(self, samples: Samples) -> Samples:
        """The objects as patches, each with its own better box beside it.

        The App shows as much of the image as all labels of a patch need.
        """
        patches = super()._as_patches(samples)
        own = ViewField("_id") == ViewField("$_id")
        for name in self.beside()[1]:
            patches = patches.filter_labels(name, own, only_matches=False)
        return patches

    def beside(self) -> tuple[ViewStage | None, tuple[str, ...]]:
        """Shows what looks missing in the list of the labels too, and better boxes."""
        fields = (self.missing, self.better_boxes)
        return super().beside()[0], tuple(name for name in fields if name is not None)
