"""Objects that may be removed: a correction takes them out of the list, and back.

The items of a run are in two lists of a sample, the labels, and the objects that a
correction has removed. Views show both as one list of labels. The sample's maximum is
over both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, cast

import fiftyone as fo
from fiftyone import ViewExpression, ViewField
from fiftyone.core.stages import ViewStage

from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.results.boxes import CountedResults
from fiftyone_dfaulo.adapter.results.single_label import SingleLabelResults
from fiftyone_dfaulo.adapter.storage.items import Items
from fiftyone_dfaulo.adapter.storage.listed_items import LABEL_PARTS, ListedItems
from fiftyone_dfaulo.adapter.storage.schema import (
    REMOVED,
    RunField,
    RunFields,
    label_field,
    part_of,
)
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.detector.edits import RemovableLabelEdit
from fiftyone_dfaulo.adapter.targets.label_edits import LabelEdit
from fiftyone_dfaulo.adapter.targets.object import LISTS, ObjectTarget
from fiftyone_dfaulo.adapter.targets.shown import holding

if TYPE_CHECKING:
    from typing_extensions import Self

_ABOUT_REMOVED = "The objects that corrections have removed"


@dataclass(frozen=True)
class RemovableTarget(ObjectTarget):
    """The objects of a field, of which a run says that some are one too many.

    Args:
        removed: the samples' field with the objects that were removed; None if it was
            deleted, or no run is meant.
    """

    removed: str | None = None

    kind = "removable"
    results_type: ClassVar[type[SingleLabelResults]] = CountedResults

    @classmethod
    def of_field(cls, name: str, label_type: type, frames: bool) -> Self | None:
        """None: only what a run finds makes a target of this kind."""
        return None

    @classmethod
    def of_objects(cls, target: ObjectTarget) -> Self:
        """The same objects."""
        return cls(target.label_field, target.frames, target.list_name)

    def items(self, dataset: Dataset) -> Items:
        """The objects in the lists, and those removed."""
        return replace(
            cast(ListedItems, super().items(dataset)),
            others=self._others,
            label_parts=(*LABEL_PARTS, self.shape_name, "mask", "mask_path"),
        )

    @property
    def _others(self) -> tuple[str, ...]:
        """Where the objects lie that were removed."""
        return () if self.removed is None else (f"{self.removed}.{self.list_name}",)

    def run_fields(self, key: str) -> list[RunField]:
        """Those of any object, and one for what is removed."""
        kind = next(kind for kind, name in LISTS.items() if name == self.list_name)
        removed = label_field(f"{key}_{REMOVED}", kind, _ABOUT_REMOVED)
        return [*super().run_fields(key), removed]

    def with_fields(self, paths: Sequence[str]) -> LabelTarget:
        """The same objects, beside which a run has these fields."""
        removed = next((path for path in paths if part_of(path) == REMOVED), None)
        same = super().with_fields([path for path in paths if path != removed])
        return replace(cast(RemovableTarget, same), removed=removed)

    def lists_with_attributes(self, paths: Iterable[str]) -> list[str]:
        """The list of the objects, and what is made of them."""
        names = [path for path in paths if "." not in path]
        ours = (f"{p}.{n}" for p in names for n in ("detections", self.list_name))
        return [*dict.fromkeys((self.attributes_path, *ours))]

    def label_edit(
        self, items: Items, original: str, load: Callable[[], DFauLoResults]
    ) -> LabelEdit:
        """What each object looks like: another class, or nothing."""
        return RemovableLabelEdit(cast(ListedItems, items), original, self.removed)

    # ---- views ----

    def narrow(self, samples: Samples, expression: ViewExpression | None) -> Samples:
        """The patches of the objects that match, removed ones among them."""
        return super().narrow(self._with_all(samples), expression)

    def select(self, samples: Samples, ids: Sequence[str]) -> Samples:
        """The patches of these objects, removed ones among them.

        FiftyOne's ``select_labels`` would take what is shown beside them away.
        """
        field, wanted = self.label_field, list(ids)
        some = self._with_all(holding(samples, self, ids))
        some = some.match_labels(ids=wanted, fields=field)
        return self._as_patches(some).select(wanted, ordered=True)

    def shown(self, samples: Samples) -> Samples:
        """The objects as patches, removed ones among them."""
        return self._as_patches(self._with_all(samples))

    def _with_all(self, samples: Samples) -> Samples:
        stage, _ = self.beside()
        return samples if stage is None else samples.add_stage(stage)

    def beside(self) -> tuple[ViewStage | None, tuple[str, ...]]:
        """Shows what was removed in the list of the labels."""
        lists = [at for at in self._others if at.endswith(f".{self.list_name}")]
        if not lists:
            return None, ()
        at = self.attributes_path
        every = [{"$ifNull": [f"${path}", []]} for path in (at, *lists)]
        return fo.SetField(at, ViewExpression({"$concatArrays": every})), ()

    def unreviewed(self, view: Samples, fields: RunFields, floor: float) -> Samples:
        """Samples that have an object without a verdict, if only a removed one."""
        scored = ViewField(fields.suspiciousness) >= floor
        unchecked = scored & ~ViewField(fields.verdict).exists()
        left = [
            ViewField(path).filter(unchecked).length() > 0
            for path in (self.attributes_path, *self._others)
        ]
        return view.match(ViewExpression.any(left))
