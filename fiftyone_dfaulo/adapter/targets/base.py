"""Where the labels of a run lie, and what kind they are: a class for each kind.

A run scores *items*: samples, frames of videos, or objects in samples. It writes its
values beside the label: to fields of the sample, or to attributes of the object. Where
the labels are those of video frames, "sample" means the frame: see :mod:`.storage`.

A new kind of label is one subclass of :class:`LabelTarget`, listed in :mod:`.kinds`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from fiftyone import ViewExpression, ViewField
from fiftyone.core.stages import ViewStage
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.host import Dataset, Field, Samples
from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.storage.items import Item, Items, Query
from fiftyone_dfaulo.adapter.storage.schema import (
    SCHEMA,
    FieldSpec,
    MakeLabel,
    ReviewFields,
    RunField,
    RunFields,
)
from fiftyone_dfaulo.adapter.targets.label_edits import LabelEdit
from fiftyone_dfaulo.adapter.targets.labels import Labels, Rows, Values
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class LabelTarget(ABC):
    """The labels in a field, and how a run reads and writes them.

    Args:
        label_field: the field, with dots if it lies in an embedded document.
        frames: whether it is a field of the frames of videos.
    """

    label_field: str
    frames: bool = False

    kind: ClassVar[str]
    """What a run's config calls this class."""

    labels_type: ClassVar[type[Labels]]
    """The class of such labels, once they are read."""

    results_type: ClassVar[type[ComparedResults]]
    """The class of the results of a run on them."""

    unsupported: ClassVar[tuple[str, ...]] = ()
    """Settings that must have their defaults: they are for labels of another kind."""

    predictions_type: ClassVar[type | None] = None
    """The type of field whose predictions can judge such labels."""

    one_class_a_sample: ClassVar[bool] = False
    """Whether a sample has one class: only there can faults be planted."""

    @classmethod
    @abstractmethod
    def of_field(cls, name: str, label_type: type, frames: bool) -> Self | None:
        """The target of a field of this type; None for labels of another kind."""

    def to_dict(self) -> dict[str, Any]:
        """What a run's config stores; :func:`.kinds.target_from_dict` reads it."""
        where = {"label_field": self.label_field, "frames": self.frames}
        return {"kind": self.kind, **where}

    @property
    def noun(self) -> str:
        """What an item is, in one word."""
        return "frame" if self.frames else "sample"

    def storage(self, dataset: Dataset) -> Storage:
        """The documents of a dataset that the items lie in."""
        return Storage(dataset, self.frames)

    @abstractmethod
    def items(self, dataset: Dataset) -> Items:
        """The items in the database."""

    # ---- checks ----

    def check_settings(self, settings: Settings) -> None:
        """Raises InputError if a setting is for labels of another kind."""
        usual = Settings()
        for name in self.unsupported:
            value = getattr(settings, name)
            if value != getattr(usual, name):
                raise InputError(
                    f"{name}={value!r} {self._for_others(name)}; leave {name} out"
                )

    def _for_others(self, setting: str) -> str:
        raise NotImplementedError  # what labels it is for, and what these are

    def check_writable(self, dataset: Dataset) -> None:
        """Raises InputError if the list that the labels lie in is read-only."""
        at = self.attributes_path
        if at and self.storage(dataset).is_read_only(at):
            raise InputError(
                f"label_field={self.label_field!r} is read-only, and what is found is "
                "written to its labels, one by one; set its read_only to False and "
                "save it first"
            )

    # ---- where values lie ----

    @property
    @abstractmethod
    def class_path(self) -> str:
        """Where FiftyOne finds the class, or classes, of the items in a dataset."""

    @property
    def attributes_path(self) -> str | None:
        """The list of labels that a run gives attributes to; None if it gives none."""
        return None

    def path(self, name: str) -> str:
        """Where FiftyOne finds a value of the items in a dataset."""
        return name

    def run_fields(self, key: str) -> list[RunField]:
        """All that a run under this key writes, the four values of an item first."""
        return self._fields(key, RunFields._fields)

    def review_fields(self, key: str) -> list[RunField]:
        """What the review of such a run adds."""
        return self._fields(key, ReviewFields._fields)

    def _fields(self, key: str, parts: Iterable[str]) -> list[RunField]:
        return [RunField(self.path(f"{key}_{p}"), self._spec(p)) for p in parts]

    def _spec(self, part: str) -> FieldSpec:
        """What a value of the items is in the schema."""
        return SCHEMA[part]

    def all_paths(self, key: str) -> list[str]:
        """Paths of all fields that a run under this key, and its review, may make."""
        return [field.path for field in self.run_fields(key) + self.review_fields(key)]

    def with_fields(self, paths: Sequence[str]) -> LabelTarget:
        """The same labels, beside which a run has these fields."""
        return self

    def lists_with_attributes(self, paths: Iterable[str]) -> list[str]:
        """The lists of labels that may have attributes of a run with these fields."""
        return []

    # ---- reading ----

    @abstractmethod
    def read(self, samples: Samples) -> Rows:
        """Reads the items of a dataset or view, each once.

        Raises:
            InputError: if two items have the same id.
        """

    @abstractmethod
    def label_text(self, label: Item | None) -> str | None:
        """The class of a stored label, or its classes as one text; None for none."""

    def class_text(self, value: Any) -> str | None:
        """The same of what :data:`.items.CLASS` names."""
        return None if value is None else str(value)

    @abstractmethod
    def item_ids(self, samples: Samples) -> list[str]:
        """Ids of all items of a dataset or view, labelled or not, in its order."""

    @property
    def patches_field(self) -> str | None:
        """The field whose patches a brain run must be on; None for whole images."""
        return None

    @abstractmethod
    def vector_fields(self, samples: Samples) -> dict[str, Field]:
        """Fields, or attributes, that may hold a vector an item, by name."""

    def has_attribute(self, samples: Samples, name: str) -> bool:
        """Whether items have an attribute, in the schema or not."""
        return False

    @abstractmethod
    def read_field(self, samples: Samples, name: str, ids: Sequence[str]) -> Values:
        """The values of a field of :meth:`vector_fields`."""

    @abstractmethod
    def read_index(self, index: Any, ids: Sequence[str]) -> dict[str, Any]:
        """The embeddings of a similarity index, by id."""

    # ---- writing ----

    @abstractmethod
    def stored_suggestion(
        self, text: str | None, confidence: float, make: MakeLabel
    ) -> Any:
        """A suggestion, a class or a change or None, as FiftyOne stores it."""

    def write_first(self, dataset: Dataset, results: ComparedResults) -> None:
        """Writes items that the run itself makes; most kinds have none."""
        return

    def write_more(
        self, dataset: Dataset, items: Mapping[str, Item], results: Any, rows: slice
    ) -> None:
        """Writes what else a run says of a batch of items; most kinds have nothing."""
        return

    @abstractmethod
    def label_edit(
        self, items: Items, original: str, load: Callable[[], ComparedResults]
    ) -> LabelEdit:
        """How labels are corrected, and brought back.

        Args:
            items: the items of the dataset.
            original: name of the value that keeps an item's original label.
            load: loads the run's results, which some corrections need.
        """

    # ---- tags: of samples, objects, or labels (frames have no tags) ----

    @property
    @abstractmethod
    def tags_path(self) -> str:
        """Where FiftyOne finds the tags."""

    def taggable(self) -> Query:
        """A query on items that can have a tag."""
        return {}

    @abstractmethod
    def tag_change(self, items: Items, item: Item, tag: str) -> UpdateOne:
        """The update that gives an item a tag that it does not have."""

    def tagged_view(self, dataset: Dataset, tag: str) -> Samples:
        """A view of all that has the tag."""
        field = self.storage(dataset).path(self.label_field)
        return dataset.select_labels(tags=tag, fields=field)

    # ---- views: of samples, or of objects as patches ----

    @abstractmethod
    def shows_patches(self, samples: Samples) -> bool:
        """Whether a view shows the items as patches, one each.

        Raises:
            InputError: if it shows other patches.
        """

    @abstractmethod
    def view_field(self, part: str, fields: RunFields) -> ViewField:
        """How :meth:`narrow` names a value of the items.

        Args:
            part: ``"label"``, or one of the fields; label and suggestion are classes.
            fields: names of the run's values.
        """

    @abstractmethod
    def narrow(self, samples: Samples, expression: ViewExpression | None) -> Samples:
        """The items of samples for which an expression holds; all if it is None."""

    @abstractmethod
    def select(self, samples: Samples, ids: Sequence[str]) -> Samples:
        """A view of these items, in this order."""

    @abstractmethod
    def unreviewed(self, view: Samples, fields: RunFields, floor: float) -> Samples:
        """Of a view of samples, those with an unchecked item that scores so much."""

    def tile_path(self, name: str) -> str:
        """Where the App finds a value of the item that a tile of the grid shows."""
        return name

    def shown(self, samples: Samples) -> Samples:
        """What was scored, as a view that shows what was written."""
        return samples

    def beside(self) -> tuple[ViewStage | None, tuple[str, ...]]:
        """What shows items beside the labels, and the fields that patches show too."""
        return None, ()
