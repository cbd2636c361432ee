"""Labels of objects: the lists of Detections and Polylines fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import fiftyone as fo
from fiftyone import ViewExpression, ViewField
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.host import Dataset, Field, Samples
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.results.single_label import SingleLabelResults
from fiftyone_dfaulo.adapter.storage.documents import unpacked
from fiftyone_dfaulo.adapter.storage.items import Item, Items
from fiftyone_dfaulo.adapter.storage.listed_items import ListedItems
from fiftyone_dfaulo.adapter.storage.schema import (
    SCHEMA,
    FieldSpec,
    MakeLabel,
    RunField,
    RunFields,
    field_names,
)
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.boxes import Found, read_boxes
from fiftyone_dfaulo.adapter.targets.class_labels import ClassLabels
from fiftyone_dfaulo.adapter.targets.label_edits import LabelEdit
from fiftyone_dfaulo.adapter.targets.labels import Rows, Values
from fiftyone_dfaulo.adapter.targets.object_edits import ObjectLabelEdit
from fiftyone_dfaulo.adapter.targets.sample import other_patches, with_tag
from fiftyone_dfaulo.adapter.targets.shown import holding
from fiftyone_dfaulo.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Self

LISTS = {fo.Detections: "detections", fo.Polylines: "polylines"}
"""Type of a label field to the attribute of it that lists the objects."""

_SHAPES = {"detections": "bounding_box", "polylines": "points"}
_NO_VECTORS = ("bounding_box", "mask", "points")
_BATCH = 10_000

_SCHEMA: dict[str, FieldSpec] = {
    # The App's sidebar filters by an object's plain attributes only.
    "suggestion": {
        "ftype": fo.StringField,
        "description": "The class that models trained without the suspicious objects "
        "see (DFauLo)",
    },
}
"""Where an attribute of an object is not what the field of a sample is."""

_MAXIMUM: FieldSpec = {
    **SCHEMA["suspiciousness"],
    "description": "The highest suspiciousness of the sample's objects (DFauLo)",
}


@dataclass(frozen=True)
class ObjectTarget(LabelTarget):
    """One class an object: a Detections or Polylines field.

    Args:
        list_name: the attribute of the label that lists the objects.
        maximum: the sample's field that holds the maximum of its objects'
            suspiciousness; None if it was deleted, or no run is meant.
        score: name of the objects' suspiciousness.
    """

    list_name: str = "detections"
    maximum: str | None = None
    score: str | None = None

    kind = "object"
    labels_type = ClassLabels
    results_type: ClassVar[type[SingleLabelResults]] = SingleLabelResults
    unsupported: ClassVar[tuple[str, ...]] = ("predictions",)
    predictions_type = fo.Detections

    @classmethod
    def of_field(cls, name: str, label_type: type, frames: bool) -> Self | None:
        """The target of a Detections or Polylines field."""
        names = [part for kind, part in LISTS.items() if issubclass(label_type, kind)]
        return cls(name, frames, names[0]) if names else None

    def to_dict(self) -> dict[str, Any]:
        """As of any target, and the name of the list."""
        return {**super().to_dict(), "list_name": self.list_name}

    @property
    def noun(self) -> str:
        """An object."""
        return "object"

    def items(self, dataset: Dataset) -> Items:
        """The objects in the lists."""
        return ListedItems(
            self.storage(dataset).collection,
            self.label_field,
            self.class_path,
            self.attributes_path,
            self.maximum,
            self.score,
        )

    def _for_others(self, setting: str) -> str:
        return f"are of whole images, and {self.label_field!r} holds objects"

    # ---- where values lie ----

    @property
    def attributes_path(self) -> str:
        """The list of the objects, as ``"ground_truth.detections"``."""
        return f"{self.label_field}.{self.list_name}"

    def path(self, name: str) -> str:
        """An attribute of the objects."""
        return f"{self.attributes_path}.{name}"

    @property
    def class_path(self) -> str:
        """As ``"ground_truth.detections.label"``."""
        return self.path("label")

    def run_fields(self, key: str) -> list[RunField]:
        """The attributes of the objects, and the samples' maximum."""
        maximum = RunField(field_names(key).suspiciousness, _MAXIMUM)
        return [*super().run_fields(key), maximum]

    def _spec(self, part: str) -> FieldSpec:
        return _SCHEMA.get(part, SCHEMA[part])

    def with_fields(self, paths: Sequence[str]) -> LabelTarget:
        """The same objects, of whose scores the samples keep the maximum."""
        maximum = next((path for path in paths if "." not in path), None)
        ours = (p.rpartition(".") for p in paths)
        names = [name for at, _, name in ours if at == self.attributes_path]
        scores = (name for name in names if name.endswith("_suspiciousness"))
        return replace(self, maximum=maximum, score=next(scores, None))

    def lists_with_attributes(self, paths: Iterable[str]) -> list[str]:
        """The list of the objects."""
        return [self.attributes_path]

    # ---- reading ----

    def read(self, samples: Samples) -> Rows:
        """Reads ids, crops and classes, in the order of the samples' ids first."""
        return read_boxes(self.objects_in(samples), self.label_field, self.shape_name)

    @property
    def shape_name(self) -> str:
        """The attribute with their shape."""
        return _SHAPES[self.list_name]

    def objects_in(self, samples: Samples) -> Iterator[Found]:
        """The objects of samples, or those that patches show."""
        names = ("label", self.shape_name)
        if samples._is_patches:
            owner = "frame_id" if samples._is_frames else "sample_id"
            parts = map(self.tile_path, names)
            yield from zip(*samples.values([owner, "id", "filepath", *parts]))
            return
        parts = map(self.path, ("id", *names))
        columns = samples.values(["id", "filepath", *parts])
        for sample, path, ids, labels, shapes in zip(*columns):
            for one, label, shape in zip(ids or (), labels or (), shapes or ()):
                yield sample, one, path, label, shape

    def label_text(self, label: Item | None) -> str | None:
        """The class."""
        return label.get("label") if label else None

    def item_ids(self, samples: Samples) -> list[str]:
        """Ids of the objects, also of a view of patches."""
        if samples._is_patches:
            return list(samples.values("id"))
        return list(samples.values(self.path("id"), unwind=True))

    @property
    def patches_field(self) -> str:
        """The label field."""
        return self.label_field

    def vector_fields(self, samples: Samples) -> dict[str, Field]:
        """The attributes of the objects, but their box and shape."""
        storage = self.storage(samples._root_dataset)
        one: Any = storage.get_field(self.attributes_path, leaf=True)
        schema = one.get_field_schema()
        return {name: f for name, f in schema.items() if name not in _NO_VECTORS}

    def has_attribute(self, samples: Samples, name: str) -> bool:
        """Whether objects have an attribute, declared in the schema or not."""
        storage, path = self.storage(samples._root_dataset), self.path(name)
        return storage.has_field(path) or storage.has_value(path)

    def read_field(self, samples: Samples, name: str, ids: Sequence[str]) -> Values:
        """The values of an attribute."""
        number = {one: n for n, one in enumerate(ids)}
        patches = samples._is_patches
        paths = [self.path("id"), self.path(name)]
        paths = ["id", self.tile_path(name)] if patches else paths
        everyone = samples.values("id")
        for start in range(0, len(everyone), _BATCH):
            some = samples.select(everyone[start : start + _BATCH])
            found, values = some.values(paths, unwind=False)
            lists = [(found, values)] if patches else zip(found, values)
            pairs = [p for a, b in lists for p in zip(a or (), b or ())]
            yield [(number[one], unpacked(row)) for one, row in pairs if one in number]

    def read_index(self, index: Any, ids: Sequence[str]) -> dict[str, Any]:
        """The embeddings of patches."""
        known = set(map(str, index.label_ids))
        there = [one for one in ids if one in known]
        vectors = index.get_embeddings(label_ids=there)[0] if there else []
        return dict(zip(there, vectors))

    # ---- writing ----

    def stored_suggestion(
        self, text: str | None, confidence: float, make: MakeLabel
    ) -> Any:
        """The class alone."""
        return text

    def label_edit(
        self, items: Items, original: str, load: Callable[[], DFauLoResults]
    ) -> LabelEdit:
        """Replaces the class, the tags and the confidence."""
        return ObjectLabelEdit(items, original)

    @property
    def tags_path(self) -> str:
        """The tags of the objects."""
        return self.path("tags")

    def tag_change(self, items: Items, item: Item, tag: str) -> UpdateOne:
        """The update that gives an object a tag that it does not have."""
        values = {"tags": with_tag(tag, items.ref("tags"))}
        return items.change(item, {"tags": {"$ne": tag}}, values)

    # ---- views ----

    def shows_patches(self, samples: Samples) -> bool:
        """Whether a view shows the objects as patches."""
        if not samples._is_patches:
            return False
        stage = samples._patches_stage
        kind = getattr(samples.get_field(self.label_field), "document_type", None)
        single = kind is not None and issubclass(kind, (fo.Detection, fo.Polyline))
        ours = isinstance(stage, fo.ToPatches) and stage.field == self.label_field
        if not (ours and single):
            raise InputError(other_patches(self))
        return True

    def view_field(self, part: str, fields: RunFields) -> ViewField:
        """An attribute of the objects."""
        return ViewField("label" if part == "label" else getattr(fields, part))

    def narrow(self, samples: Samples, expression: ViewExpression | None) -> Samples:
        """The patches of the objects that match."""
        if expression is not None:
            samples = samples.filter_labels(self.label_field, expression)
        return self._as_patches(samples)

    def _as_patches(self, samples: Samples) -> Samples:
        """The objects as patches; of a grouped dataset, the active slice's."""
        if samples.media_type == "group":
            samples = samples.select_group_slices(samples.group_slice)
        _, others = self.beside()
        return samples.to_patches(self.label_field, other_fields=[*others] or None)

    def select(self, samples: Samples, ids: Sequence[str]) -> Samples:
        """The patches of these objects."""
        within = holding(samples, self, ids)
        some = within.select_labels(ids=list(ids), fields=self.label_field)
        return self._as_patches(some).select(ids, ordered=True)

    def unreviewed(self, view: Samples, fields: RunFields, floor: float) -> Samples:
        """Samples that have an object without a verdict."""
        scored = ViewField(fields.suspiciousness) >= floor
        unchecked = scored & ~ViewField(fields.verdict).exists()
        objects = ViewField(self.attributes_path)
        return view.match(objects.filter(unchecked).length() > 0)

    def tile_path(self, name: str) -> str:
        """An attribute of the object that a patch shows."""
        return f"{self.label_field}.{name}"

    def shown(self, samples: Samples) -> Samples:
        """The objects as patches. A view of patches is reloaded: it is older."""
        if not samples._is_patches:
            return self._as_patches(samples)
        samples.reload()
        return samples
