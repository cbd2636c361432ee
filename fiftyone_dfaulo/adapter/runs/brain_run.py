"""The brain run: how FiftyOne stores, lists, renames, deletes and loads one.

FiftyOne stores the full path of the config with every run, and finds the method in the
same module. So neither this module nor its classes may ever move or change their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import fiftyone.core.brain as fob

from fiftyone_dfaulo.adapter.cache import clear_run, rename_run
from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.runs.lists import (
    TYPE,
    drop_ids_index,
    lists_with_attributes,
)
from fiftyone_dfaulo.adapter.runs.saved_view import follow, hide_fields, withdraw
from fiftyone_dfaulo.adapter.runs.stored import close_run
from fiftyone_dfaulo.adapter.storage.attributes import drop_attributes, move_attributes
from fiftyone_dfaulo.adapter.storage.declaration import (
    declare,
    drop_indexes,
    drop_values,
    forget,
    move_indexes,
    move_values,
    undeclare,
)
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.storage.frames import show
from fiftyone_dfaulo.adapter.storage.lease import changing
from fiftyone_dfaulo.adapter.storage.refresh import refresh
from fiftyone_dfaulo.adapter.storage.schema import (
    MISSING,
    TOKEN,
    ReviewFields,
    RunFields,
    part_of,
    rekeyed,
)
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.kinds import target_from_dict
from fiftyone_dfaulo.adapter.targets.sample import SampleTarget
from fiftyone_dfaulo.adapter.targets.shown import path_in
from fiftyone_dfaulo.errors import RunError


class DFauLoConfig(fob.BrainMethodConfig):
    """What a run was asked to do, and with what.

    Args:
        label_field, settings: what was scored, and :meth:`.Settings.to_dict`.
        embeddings: name of the field or key of the brain run they came from,
            ``"array"`` where they were passed in, a list of several names, or None.
        versions: package name to version.
        fields: paths of the run's fields: :meth:`.LabelTarget.run_fields`, once the
            review needs one :meth:`.LabelTarget.review_fields`; while they are being
            renamed, the old names followed by the new ones.
        complete: whether all results are written.
        token: random string that tells apart two runs under one key.
        label_target: :meth:`.LabelTarget.to_dict` of the labels; None is one class a
            sample.
        learned_from: the key that a run had whose review this one has learned from.
        audit_shift: what the log-odds of its unchecked scores were moved by.
        **kwargs: anything that a later version of this package stores.
    """

    def __init__(
        self,
        label_field: str,
        settings: Mapping[str, Any],
        embeddings: str | Sequence[str] | None = None,
        versions: Mapping[str, str | None] | None = None,
        fields: Sequence[str] = (),
        complete: bool = False,
        token: str | None = None,
        label_target: Mapping[str, Any] | None = None,
        learned_from: str | None = None,
        audit_shift: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.label_field = label_field
        self.settings = dict(settings)
        self.embeddings = embeddings
        self.versions = dict(versions or {})
        self.fields = list(fields)
        self.complete = complete
        self.token = token
        self.label_target = dict(label_target or SampleTarget(label_field).to_dict())
        self.learned_from = learned_from
        self.audit_shift = audit_shift
        super().__init__(**kwargs)

    @property
    def type(self) -> str:
        """The type of run, as ``list_brain_runs(type=...)`` takes it."""
        return TYPE

    @property
    def method(self) -> str:
        """``"dfaulo"`` or ``"paper"``, as ``list_brain_runs(method=...)`` takes it."""
        return str(self.settings["method"])

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.settings["seed"])

    @property
    def target(self) -> LabelTarget:
        """The labels that were scored, and the run's values beside them."""
        return target_from_dict(self.label_target).with_fields(self.fields)

    @property
    def run_fields(self) -> RunFields:
        """Names of what the run writes beside each label."""
        names = self._names()
        return RunFields(*(names[part] for part in RunFields._fields))

    @property
    def review_fields(self) -> ReviewFields | None:
        """Names of what the review adds; None if it has added nothing."""
        names = self._names()
        if any(part not in names for part in ReviewFields._fields):
            return None
        return ReviewFields(*(names[part] for part in ReviewFields._fields))

    @property
    def missing_field(self) -> str | None:
        """Name of the field with what looks missing; None if the run has none."""
        return self._names().get(MISSING)

    def _names(self) -> dict[str, str]:
        """Part to name of the items' values; the first that is listed."""
        names: dict[str, str] = {}
        target = target_from_dict(self.label_target)
        for path in self.fields:
            name = path.rpartition(".")[2]
            if target.path(name) == path:
                names.setdefault(part_of(name), name)
        return names

    def own_fields(self, dataset: Dataset) -> list[str]:
        """Those of the run's fields that exist and that the run itself made.

        Every field carries the token of its run. So a field of the same name that
        somebody else has made is not taken for the run's.
        """
        storage = self.target.storage(dataset)
        return [path for path in self.fields if self._is_own(storage, path)]

    def fields_there(self, dataset: Dataset) -> list[str]:
        """These, and those of the run's fields that only the samples still have."""
        storage = self.target.storage(dataset)
        return [
            path
            for path in self.fields
            if self._is_own(storage, path)
            or (not storage.has_field(path) and storage.has_value(path))
        ]

    def _is_own(self, storage: Storage, path: str) -> bool:
        field = storage.get_field(path) if storage.has_field(path) else None
        return field is not None and (field.info or {}).get(TOKEN) == self.token


class DFauLo(fob.BrainMethod):
    """A run of :func:`fiftyone_dfaulo.compute_suspiciousness`."""

    config: DFauLoConfig

    def get_fields(self, samples: Samples, brain_key: str) -> list[str]:
        """The label field, and those of the run's own fields that exist."""
        config = self.config
        names = [config.label_field, *config.own_fields(samples._root_dataset)]
        first, *rest = (path_in(samples, config.target, name) for name in names)
        return [first, *filter(samples.has_field, rest)]

    def rename(self, samples: Samples, brain_key: str, new_brain_key: str) -> None:
        """Gives the run's fields, and the index, the names for its new key.

        Fields that were deleted by hand are passed over. The config lists old and new
        names while the fields move, so that all belong to the run after a crash in
        between; calling this again finishes the job.

        Raises:
            RunError: if a new name is taken by a field that is not the run's. FiftyOne
                makes it a warning and changes the key; the fields keep their names.
        """
        dataset = samples._root_dataset
        with changing(dataset):
            refresh(dataset)
            self._take_config(dataset, brain_key)
            self._rename(dataset, brain_key, new_brain_key)
            rename_run(dataset, brain_key, new_brain_key)
        show(samples, self.config.label_field)

    def _take_config(self, dataset: Dataset, brain_key: str) -> None:
        """Takes the config of the run that has the key now: a review may have begun.

        Or another process has replaced the run while this one waited for the lease:
        FiftyOne goes on to rename or to delete that one.
        """
        if dataset.has_brain_run(brain_key):
            stored = dataset.get_brain_info(brain_key).config
            if isinstance(stored, DFauLoConfig):
                self.config = stored

    def _rename(self, dataset: Dataset, brain_key: str, new_brain_key: str) -> None:
        config = self.config
        storage = config.target.storage(dataset)
        new = [*dict.fromkeys(rekeyed(n, new_brain_key) for n in config.fields)]
        if config.fields == new:
            return
        own = config.fields_there(dataset)
        taken = [
            path
            for path in config.target.all_paths(new_brain_key)
            if storage.has_field(path) and path not in own
        ]
        if taken:
            raise RunError(
                f"cannot rename the fields of brain run {brain_key!r}: "
                f"{', '.join(taken)} exist already; choose another key"
            )
        moves = {n: rekeyed(n, new_brain_key) for n in own if n not in new}
        both = [*dict.fromkeys([*config.fields, *new])]
        self.save_fields(dataset, brain_key, both)
        self._move(storage, moves, new_brain_key)
        follow(dataset, config.fields, new_brain_key, new)
        self.save_fields(dataset, brain_key, new)

    def _move(self, storage: Storage, moves: Mapping[str, str], new_key: str) -> None:
        """Renames fields of the samples and attributes of their labels.

        The schema has the new names before and the old ones until after: a crash in
        between leaves no value that it does not name.
        """
        target = self.config.target
        made = target.run_fields(new_key) + target.review_fields(new_key)
        wanted = [field for field in made if field.path in moves.values()]
        declare(storage, wanted, self.config.token)
        fields = {old: new for old, new in moves.items() if "." not in old}
        move_values(storage, fields)
        move_indexes(storage, fields)
        names = {
            old.rpartition(".")[2]: new.rpartition(".")[2]
            for old, new in moves.items()
            if old not in fields
        }
        lists = lists_with_attributes(storage.dataset, self.config)
        for path in lists if names else ():
            move_attributes(storage.collection, path, names)
        forget(storage, moves)
        undeclare(storage, list(moves), self.config.token)

    def cleanup(self, samples: Samples, brain_key: str) -> None:
        """Deletes the run's fields, their index and values, and its work if asked for.

        Also values that no schema names, as where another process has saved its own
        schema over ours. From here on nobody writes to the run.
        """
        dataset = samples._root_dataset
        with changing(dataset):
            refresh(dataset)
            self._take_config(dataset, brain_key)
            close_run(dataset, self.config.token)
            if self.config.settings.get("cache") == "run":
                clear_run(dataset, brain_key)
            withdraw(dataset, self.config.fields)
            paths = self.config.fields_there(dataset)
            storage = self.config.target.storage(dataset)
            fields = [path for path in paths if "." not in path]
            drop_values(storage, fields)
            drop_indexes(storage, fields)
            drop_ids_index(dataset, self.config)
            names = [path.rpartition(".")[2] for path in paths if "." in path]
            lists = lists_with_attributes(dataset, self.config)
            for path in lists if names else ():
                drop_attributes(storage.collection, path, names)
            forget(storage, dict.fromkeys(paths))
            undeclare(storage, paths, self.config.token)
            hide_fields(dataset)
        show(samples, self.config.label_field)

    def save_fields(
        self, dataset: Dataset, brain_key: str, names: Sequence[str]
    ) -> None:
        """Stores which fields belong to the run; see :class:`DFauLoConfig`."""
        self.config.fields = list(names)
        self.update_run_config(dataset, brain_key, self.config)
        if self.has_cached_run_results(dataset, brain_key):
            results = dataset.load_brain_results(brain_key)
            if results is not None:
                results.config.fields = list(names)
