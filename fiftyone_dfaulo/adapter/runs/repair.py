"""Finds what runs have left on a dataset that is not whole, and mends it.

Each ``_find_...`` looks for one kind, and yields what it has found with the way to mend
it. :func:`repair` mends one before it looks for the next; :func:`look` only looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.runs.adoption import adopt as adopt_run
from fiftyone_dfaulo.adapter.runs.adoption import find_origin
from fiftyone_dfaulo.adapter.runs.brain_run import TYPE, DFauLoConfig
from fiftyone_dfaulo.adapter.runs.ownerless import delete_fields, ownerless_fields
from fiftyone_dfaulo.adapter.runs.saved_view import drop_strays, stray_views
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
class Finding:
    """Something that is not whole.

    Attributes:
        what: it is, in words.
        mend: puts it right; what it raises says why it cannot.
        drops: whether that deletes values that may be wanted, so that it is asked for.
        adopt: keeps the values: gives them a run; None where there is none.
    """

    what: str
    mend: Callable[[], object]
    drops: bool = False
    adopt: Callable[[], object] | None = None


Findings = Iterator[Finding]


@dataclass(frozen=True)
class Repair:
    """What was found on a dataset; print it for a summary.

    Attributes:
        mended: what was put right, in words.
        offered: what holds values that may be wanted, and is dropped by
            ``repair(dataset, drop=True)``, or in part adopted.
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
def repair(dataset: Samples, *, adopt: bool = False, drop: bool = False) -> Repair:
    """Finds and mends what runs have left on a dataset that is not whole.

    Other tools may save a dataset's schema over ours, processes die, and a clone of a
    view, or a merge, has the fields of runs without their runs. Mended without asking:
    fields of a run that the schema has lost, or that kept their names when the run was
    renamed, indexes on fields that are gone, and saved views that no list has. Only
    named, as they hold values: unfinished runs, fields of runs that are gone, and
    values that no schema names, with which FiftyOne cannot load a sample.

    Args:
        dataset: the dataset, or any view into it.
        adopt: whether fields of a run that is not here, but still in the dataset that
            a view was cloned from, get this run, for the samples that are here.
        drop: whether to delete what else is only named. A run that another process is
            writing counts as unfinished.

    Returns:
        what was mended, and what was found; what was adopted or dropped is mended.

    Raises:
        InputError: if it is neither a dataset nor a view.
        RunError: if the dataset was deleted.

    Examples:
        >>> clone = dataset.limit(30).clone()  # it has the fields, and not their run
        >>> print(dfaulo.repair(clone, drop=True))
        Mended: no run is here that made the fields dfaulo_suspiciousness, ...; deleted
        >>> clone.has_sample_field("dfaulo_suspiciousness")
        False
        >>> clone.delete()
    """
    root, found = dataset._root_dataset, Repair()
    with changing(root):
        refresh(root)
        for finding in _findings(root, thorough=True):
            _settle(finding, found, adopt, drop)
    return found


def look(dataset: Dataset) -> list[Finding]:
    """What :func:`repair` would find, without looking at each sample.

    Unfinished runs are not among it: another process may be writing them, and the next
    run clears them away.
    """
    return list(_findings(dataset, thorough=False))


def _settle(finding: Finding, found: Repair, adopt: bool, drop: bool) -> None:
    """Mends what is asked for, and notes it."""
    with suppress(RunError):
        if adopt and finding.adopt is not None:
            finding.adopt()
            found.mended.append(f"{finding.what}; adopted")
            return
    if finding.drops and not drop:
        found.offered.append(finding.what)
        return
    with suppress(RunError):  # a name is taken
        finding.mend()
        found.mended.append(finding.what + ("; deleted" if finding.drops else ""))


def _findings(dataset: Dataset, thorough: bool) -> Findings:
    yield from _find_lost(dataset)
    yield from _find_half_renamed(dataset)
    yield from _find_stray_views(dataset)
    if thorough:
        yield from _find_unfinished(dataset)
    storages = [Storage(dataset)]
    if dataset._has_frame_fields():
        storages.append(Storage(dataset, frames=True))
    for storage in storages:
        yield from _find_fields_without_run(storage)
        yield from _find_values_without_field(storage, thorough)
        yield from _find_stale_indexes(storage)


def _configs(dataset: Dataset) -> dict[str, DFauLoConfig]:
    keys = dataset.list_brain_runs(type=TYPE)
    return {key: dataset.get_brain_info(key).config for key in keys}


def _find_lost(dataset: Dataset) -> Findings:
    """Fields of runs that the schema has lost."""
    for key, config in _configs(dataset).items():
        target = config.target
        storage = target.storage(dataset)
        lost = [p for p in missing(storage, config.fields) if storage.has_value(p)]
        made = target.run_fields(key) + target.review_fields(key)
        again = [one for one in made if one.path in lost]
        if again:
            what = f"run {key!r}: the schema had lost its fields "
            yield Finding(
                what + _names(one.path for one in again),
                partial(declare, storage, again, config.token),
            )


def _find_half_renamed(dataset: Dataset) -> Findings:
    """Runs whose fields have the names of another key: FiftyOne changed the key."""
    for key, config in _configs(dataset).items():
        if any(rekeyed(path, key) != path for path in config.fields):
            what = f"run {key!r}: its fields had the names of another key"
            yield Finding(what, partial(config.build().rename, dataset, key, key))


def _find_stray_views(dataset: Dataset) -> Findings:
    stray = stray_views(dataset)
    if stray:
        what = f"saved views of runs that the dataset does not list: {len(stray)}"
        yield Finding(what, partial(drop_strays, dataset))


def _find_unfinished(dataset: Dataset) -> Findings:
    for key, config in _configs(dataset).items():
        if not config.complete:
            what = f"run {key!r} is unfinished"
            yield Finding(what, partial(_delete, dataset, key, config), drops=True)


def _delete(dataset: Dataset, key: str, config: DFauLoConfig) -> None:
    config.build().cleanup(dataset, key)
    dataset.delete_brain_run(key)


def _find_fields_without_run(storage: Storage) -> Findings:
    """Fields of runs that are gone, those of one run together."""
    dataset = storage.dataset
    schema = (
        dataset.get_frame_field_schema(flat=True)
        if storage.frames
        else dataset.get_field_schema(flat=True)
    )
    tokens = ownerless_fields(storage, schema)
    for token in dict.fromkeys(tokens.values()):
        fields = {path: one for path, one in tokens.items() if one == token}
        what = f"no run is here that made the fields {_names(fields)}"
        origin = find_origin(storage, fields, token)
        if origin is not None:
            what += f"; run {origin.key!r} of dataset {origin.dataset!r} did"
        yield Finding(
            what,
            partial(delete_fields, storage, fields),
            drops=True,
            adopt=None if origin is None else partial(adopt_run, storage, origin),
        )


def _find_values_without_field(storage: Storage, thorough: bool) -> Findings:
    """Values whose names end as ours do; others may be anybody's."""
    names = _stored_names(storage) if thorough else storage.collection.find_one() or ()
    lost = missing(storage, sorted(filter(is_part, names)))
    if lost:
        what = f"no schema names the values of {_names(lost)}"
        yield Finding(what, partial(_drop_values, storage, lost), drops=True)


def _stored_names(storage: Storage) -> list[str]:
    """The names of all values in all documents."""
    stages: Stages = [
        {"$project": {"pairs": {"$objectToArray": "$$ROOT"}}},
        {"$unwind": "$pairs"},
        {"$group": {"_id": "$pairs.k"}},
    ]
    return [one["_id"] for one in storage.collection.aggregate(stages)]


def _drop_values(storage: Storage, names: Sequence[str]) -> None:
    drop_values(storage, names)
    storage.reload()


def _find_stale_indexes(storage: Storage) -> Findings:
    keys = storage.collection.index_information().values()
    indexed = {path for about in keys for path, _ in about["key"] if is_part(path)}
    gone = [p for p in missing(storage, sorted(indexed)) if not storage.has_value(p)]
    if gone and indexes_on(storage, gone):
        what = f"indexes on fields that are gone: {_names(gone)}"
        yield Finding(what, partial(drop_indexes, storage, gone))


def _names(paths: Iterable[str]) -> str:
    return ", ".join(paths)
