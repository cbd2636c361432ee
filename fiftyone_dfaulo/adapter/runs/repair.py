"""Finds what runs have left on a dataset that is not whole, and mends it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.runs.brain_run import TYPE, DFauLoConfig
from fiftyone_dfaulo.adapter.runs.ownerless import delete_fields, ownerless_fields
from fiftyone_dfaulo.adapter.storage.declaration import (
    declare,
    drop_indexes,
    drop_values,
    indexes_on,
    missing,
)
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.storage.items import Stages
from fiftyone_dfaulo.adapter.storage.lease import changing
from fiftyone_dfaulo.adapter.storage.refresh import refresh
from fiftyone_dfaulo.adapter.storage.schema import is_part, rekeyed
from fiftyone_dfaulo.errors import RunError


@dataclass(frozen=True)
class Repair:
    """What was found on a dataset; print it for a summary.

    Attributes:
        mended: what was put right, in words.
        offered: what holds values that may be wanted, and is dropped by
            ``repair(dataset, drop=True)``.
    """

    mended: list[str] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.mended or self.offered)

    def __str__(self) -> str:
        if not self:
            return "Nothing to repair"
        lines = [f"Mended: {what}" for what in self.mended]
        lines += [f"Found: {what}" for what in self.offered]
        if self.offered:
            lines.append("repair(dataset, drop=True) deletes what was found")
        return "\n".join(lines)


@public
def repair(dataset: Samples, *, drop: bool = False) -> Repair:
    """Finds and mends what runs have left on a dataset that is not whole.

    Other tools may save a dataset's schema over ours, processes die, and a clone of a
    view, or a merge, has the fields of runs without their runs. Mended without asking:
    fields of a run that the schema has lost, or that kept their names when the run was
    renamed, and indexes on fields that are gone. Only
    named, as they hold values: unfinished runs, fields of runs that are gone, and
    values that no schema names, with which FiftyOne cannot load a sample.

    Args:
        dataset: the dataset, or any view into it.
        drop: whether to delete what else is only named. A run that another process is
            writing counts as unfinished.

    Returns:
        what was mended, and what was found; what was dropped is mended.

    Raises:
        InputError: if it is neither a dataset nor a view.
        RunError: if the dataset was deleted.
    """
    root, found = dataset._root_dataset, Repair()
    with changing(root):
        refresh(root)
        storages = [Storage(root)]
        if root._has_frame_fields():
            storages.append(Storage(root, frames=True))
        _declare_again(root, found)
        _finish_renaming(root, found)
        _unfinished(root, found, drop)
        for storage in storages:
            _fields_without_run(storage, found, drop)
            _values_without_field(storage, found, drop)
            _stale_indexes(storage, found)
    return found


def _note(found: Repair, what: str, dropped: bool) -> None:
    if dropped:
        found.mended.append(f"{what}; deleted")
    else:
        found.offered.append(what)


def _configs(dataset: Dataset) -> dict[str, DFauLoConfig]:
    keys = dataset.list_brain_runs(type=TYPE)
    return {key: dataset.get_brain_info(key).config for key in keys}


def _declare_again(dataset: Dataset, found: Repair) -> None:
    """Puts fields of runs back into the schema that has lost them."""
    for key, config in _configs(dataset).items():
        target = config.target
        storage = target.storage(dataset)
        lost = [p for p in missing(storage, config.fields) if storage.has_value(p)]
        made = target.run_fields(key) + target.review_fields(key)
        again = [one for one in made if one.path in lost]
        if again:
            declare(storage, again, config.token)
            names = ", ".join(one.path for one in again)
            found.mended.append(f"run {key!r}: the schema had lost its fields {names}")


def _finish_renaming(dataset: Dataset, found: Repair) -> None:
    """Names the fields of runs by their keys, where FiftyOne changed the key alone."""
    for key, config in _configs(dataset).items():
        if all(rekeyed(path, key) == path for path in config.fields):
            continue
        with suppress(RunError):  # a name is taken
            config.build().rename(dataset, key, key)
            found.mended.append(f"run {key!r}: its fields had the names of another key")


def _unfinished(dataset: Dataset, found: Repair, drop: bool) -> None:
    for key, config in _configs(dataset).items():
        if config.complete:
            continue
        if drop:
            config.build().cleanup(dataset, key)
            dataset.delete_brain_run(key)
        _note(found, f"run {key!r} is unfinished", drop)


def _fields_without_run(storage: Storage, found: Repair, drop: bool) -> None:
    dataset = storage.dataset
    schema = (
        dataset.get_frame_field_schema(flat=True)
        if storage.frames
        else dataset.get_field_schema(flat=True)
    )
    tokens = ownerless_fields(storage, schema)
    if tokens:
        if drop:
            delete_fields(storage, tokens)
        _note(found, f"no run is here that made the fields {_names(tokens)}", drop)


def _values_without_field(storage: Storage, found: Repair, drop: bool) -> None:
    """Values whose names end as ours do; others may be anybody's."""
    pairs = {"$objectToArray": "$$ROOT"}
    stages: Stages = [
        {"$project": {"pairs": pairs}},
        {"$unwind": "$pairs"},
        {"$group": {"_id": "$pairs.k"}},
    ]
    stored = [one["_id"] for one in storage.collection.aggregate(stages)]
    lost = missing(storage, sorted(filter(is_part, stored)))
    if lost:
        if drop:
            drop_values(storage, lost)
            storage.reload()
        _note(found, f"no schema names the values of {_names(lost)}", drop)


def _stale_indexes(storage: Storage, found: Repair) -> None:
    keys = storage.collection.index_information().values()
    indexed = {path for about in keys for path, _ in about["key"] if is_part(path)}
    gone = [p for p in missing(storage, sorted(indexed)) if not storage.has_value(p)]
    if gone and indexes_on(storage, gone):
        drop_indexes(storage, gone)
        found.mended.append(f"indexes on fields that are gone: {_names(gone)}")


def _names(paths: Iterable[str]) -> str:
    return ", ".join(paths)
