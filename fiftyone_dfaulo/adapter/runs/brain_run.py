"""The brain run: how FiftyOne stores, lists, renames, deletes and loads one.

FiftyOne stores the full paths of these classes with every run and imports them by
it, so neither this module nor its classes may ever move or change their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import fiftyone.core.brain as fob

from fiftyone_dfaulo.adapter.runs.results import DFauLoResults
from fiftyone_dfaulo.adapter.runs.run_fields import (
    ReviewFields,
    RunFields,
    all_names,
    field_names,
    own_fields,
    part_of,
    rekeyed,
    review_names,
)
from fiftyone_dfaulo.adapter.targets.base import Place, drop_attributes, move_attributes
from fiftyone_dfaulo.adapter.targets.frames import path_in, show
from fiftyone_dfaulo.adapter.targets.multilabel import MISSING, kept_lists
from fiftyone_dfaulo.adapter.targets.schema import TOKEN, add_field
from fiftyone_dfaulo.adapter.targets.storage import Storage
from fiftyone_dfaulo.errors import InputError, RunError

__all__ = [
    "TOKEN",
    "DFauLo",
    "DFauLoConfig",
    "DFauLoResults",
    "ReviewFields",
    "RunFields",
    "all_names",
    "check_run_field",
    "field_names",
    "load_config",
    "own_fields",
    "review_names",
]


def load_config(samples: Any, brain_key: str) -> DFauLoConfig:
    """The config of a finished DFauLo run.

    Args:
        samples: a dataset or view.
        brain_key: the key of the run.

    Raises:
        RunError: if there is no such run, it is of another type, or it was
            interrupted while its results were written.
    """
    dataset = samples._root_dataset
    if not dataset.has_brain_run(brain_key):
        dataset.reload()  # the run may come from another process
    if not dataset.has_brain_run(brain_key):
        keys = ", ".join(map(repr, dataset.list_brain_runs(type=DFauLo))) or "none yet"
        raise RunError(
            f"dataset {dataset.name!r} has no brain run {brain_key!r}; its DFauLo "
            f"runs: {keys}. Run compute_suspiciousness first, or pass another "
            "brain_key"
        )
    config = dataset.get_brain_info(brain_key).config
    if not isinstance(config, DFauLoConfig):
        raise RunError(
            f"brain run {brain_key!r} is of type {config.type!r}, not a DFauLo run; "
            "pass another brain_key"
        )
    if not config.complete:
        raise RunError(
            f"brain run {brain_key!r} was interrupted while its results were "
            "written; run compute_suspiciousness again"
        )
    return config


def check_run_field(samples: Any, brain_key: str, place: Place, name: str) -> None:
    """Makes sure that a field of the run exists, and that the view holds it.

    Raises:
        RunError: if the field was deleted.
        InputError: if the view leaves it out.
    """
    if not place.storage(samples._root_dataset).has_field(name):
        raise RunError(
            f"field {name!r} of brain run {brain_key!r} was deleted; run "
            "compute_suspiciousness again"
        )
    if not samples.has_field(path_in(samples, place, name)):
        also = ", or made before the run; then reload() it" if place.frames else ""
        raise InputError(
            f"field {name!r} of brain run {brain_key!r} is left out of this view, by "
            f"select_fields() or exclude_fields(){also}; pass a view that holds it"
        )


class DFauLoConfig(fob.BrainMethodConfig):
    """What a run was asked to do, and with what.

    Args:
        label_field: the field whose labels were scored.
        settings: :meth:`fiftyone_dfaulo.config.Settings.to_dict`.
        embeddings: name of the field or key of the brain run that the embeddings
            came from, ``"array"`` where they were passed in, or None.
        versions: package name to version.
        fields: paths of the fields that belong to the run: those of
            :class:`RunFields`, and once the review needs one of them those of
            :class:`ReviewFields`; while they are being renamed, the old names followed
            by the new ones. If objects were scored, these are attributes of theirs,
            and the sample's maximum is among them; if tags were, so are those of
            :func:`.tags.tag_paths`.
        complete: whether all results are written.
        token: random string that tells apart two runs under one key.
        list_path: where in a sample the list of the objects that were scored lies,
            such as ``"ground_truth.detections"``; None if samples were scored.
        frames: whether the samples that were scored are the frames of videos; all
            fields above are then fields of the frames.
        tags_path: where in a sample the list of the tags that were scored lies, such
            as ``"ground_truth.classifications"``; None if an item has one class.
        **kwargs: anything that a later version of this package stores.
    """

    def __init__(
        self,
        label_field: str,
        settings: Mapping[str, Any],
        embeddings: str | None = None,
        versions: Mapping[str, str | None] | None = None,
        fields: Sequence[str] = (),
        complete: bool = False,
        token: str | None = None,
        list_path: str | None = None,
        frames: bool = False,
        tags_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.label_field = label_field
        self.settings = dict(settings)
        self.embeddings = embeddings
        self.versions = dict(versions or {})
        self.fields = list(fields)
        self.complete = complete
        self.token = token
        self.list_path = list_path
        self.frames = frames
        self.tags_path = tags_path
        super().__init__(**kwargs)

    @property
    def type(self) -> str:
        """The type of run, as ``list_brain_runs(type=...)`` takes it."""
        return "dfaulo"

    @property
    def method(self) -> str:
        """``"dfaulo"`` or ``"paper"``, as ``list_brain_runs(method=...)`` takes it."""
        return str(self.settings["method"])

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.settings["seed"])

    @property
    def run_fields(self) -> RunFields:
        """Names of what the run writes beside each label; see :attr:`place`."""
        return RunFields(*(self._names()[part] for part in RunFields._fields))

    @property
    def review_fields(self) -> ReviewFields | None:
        """Names of what the review adds; None if it has added nothing."""
        names = self._names()
        if any(part not in names for part in ReviewFields._fields):
            return None
        return ReviewFields(*(names[part] for part in ReviewFields._fields))

    @property
    def missing_field(self) -> str | None:
        """Name of the field with the tags that look missing; None without tags."""
        return self._names().get(MISSING)

    @property
    def place(self) -> Place:
        """Where the items that were scored lie, and the run's values beside them."""
        if self.list_path is None:
            return Place(self.label_field, frames=self.frames, tags_path=self.tags_path)
        top = next((name for name in self.fields if "." not in name), None)
        score = self._names().get("suspiciousness")
        return Place(self.label_field, self.list_path, top, score, self.frames)

    def _names(self) -> dict[str, str]:
        """Part to name of the items' values; the first that is listed."""
        names: dict[str, str] = {}
        for path in self.fields:
            at, _, name = path.rpartition(".")
            if at == (self.list_path or ""):
                names.setdefault(part_of(name), name)
        return names


class DFauLo(fob.BrainMethod):
    """A run of :func:`fiftyone_dfaulo.compute_suspiciousness`."""

    def get_fields(self, samples: Any, brain_key: str) -> list[str]:
        """The label field, and those of the run's own fields that exist."""
        own = own_fields(samples._root_dataset, self.config)
        names = [self.config.label_field, *own]
        first, *rest = (path_in(samples, self.config.place, name) for name in names)
        return [first, *filter(samples.has_field, rest)]

    def rename(self, samples: Any, brain_key: str, new_brain_key: str) -> None:
        """Gives the run's fields, and the index, the names for its new key.

        Fields that were deleted by hand are passed over. The config lists the old
        and the new names while the fields move, so that after a crash in between
        all of them still belong to the run; calling this again finishes the job.

        Raises:
            RunError: if a new name is taken by a field that is not the run's. FiftyOne
                turns this into a warning and changes the key all the same; the run
                then keeps its fields under their old names.
        """
        dataset = samples._root_dataset
        storage = self.config.place.storage(dataset)
        new = [*dict.fromkeys(rekeyed(n, new_brain_key) for n in self.config.fields)]
        if self.config.fields == new:
            return
        own = own_fields(dataset, self.config)
        taken = [
            name
            for name in all_names(new_brain_key, self.config.place)
            if storage.has_field(name) and name not in own
        ]
        if taken:
            raise RunError(
                f"cannot rename the fields of brain run {brain_key!r}: "
                f"{', '.join(taken)} exist already; choose another key"
            )
        moves = {n: rekeyed(n, new_brain_key) for n in own if n not in new}
        self.save_fields(dataset, brain_key, [*self.config.fields, *new])
        self._move(storage, moves)
        self.save_fields(dataset, brain_key, new)
        show(samples, self.config.label_field)

    def _move(self, storage: Storage, moves: Mapping[str, str]) -> None:
        """Renames fields of the samples and attributes of the objects."""
        fields = {old: new for old, new in moves.items() if "." not in old}
        if fields:
            storage.rename_fields(fields)
        attributes = {old: new for old, new in moves.items() if old not in fields}
        if not attributes:
            return
        for old, new in attributes.items():
            if not storage.has_field(new):  # a crash may have left both
                add_field(storage, new, part_of(old), self.config.token)
        names = {
            o.rpartition(".")[2]: n.rpartition(".")[2] for o, n in attributes.items()
        }
        for path in self._lists(storage.dataset):
            move_attributes(storage.collection, path, names)
        storage.undeclare(list(attributes))
        storage.reload()

    def cleanup(self, samples: Any, brain_key: str) -> None:
        """Deletes those of the run's fields that exist, and with them the index."""
        dataset = samples._root_dataset
        own = own_fields(dataset, self.config)
        if own:
            storage = self.config.place.storage(dataset)
            storage.delete_fields(own)
            names = [name.rpartition(".")[2] for name in own if "." in name]
            if names and self.config.tags_path:
                for path in self._lists(dataset):
                    drop_attributes(storage.collection, path, names)
        show(samples, self.config.label_field)

    def _lists(self, dataset: Any) -> list[str]:
        """Where the objects, or the tags, with attributes of the run lie.

        Tags that a correction of any run has removed are kept, with all that is on
        them, until it is reverted.
        """
        config = self.config
        if config.list_path:
            return [config.list_path]
        runs = dataset.list_brain_runs(type=config.type)
        others = [config, *(dataset.get_brain_info(key).config for key in runs)]
        same = [one for one in others if one.tags_path == config.tags_path]
        return kept_lists(config.tags_path, [n for one in same for n in one.fields])

    def save_fields(self, dataset: Any, brain_key: str, names: Sequence[str]) -> None:
        """Stores which sample fields belong to the run; see :class:`DFauLoConfig`."""
        self.config.fields = list(names)
        self.update_run_config(dataset, brain_key, self.config)
        if self.has_cached_run_results(dataset, brain_key):
            results = dataset.load_brain_results(brain_key)
            if results is not None:
                results.config.fields = list(names)
