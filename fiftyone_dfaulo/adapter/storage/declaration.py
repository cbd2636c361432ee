"""Adds and removes fields of the schema in the database, by one atomic update each.

FiftyOne reads a dataset's whole schema, changes it and writes all of it back: of two
processes that do so at the same time, the later one takes the other's fields away,
whose values then make the dataset unreadable. What is done here leaves all other
fields as they are. FiftyOne in another process may still take ours away, so
:func:`declare` can be repeated, and adds what is missing.

Values are never without a schema, whenever the process or the database dies: fields are
declared before values are written, and values removed before fields are.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import fiftyone.core.odm as foo
from pymongo.errors import OperationFailure

from fiftyone_dfaulo.adapter.host import Documents
from fiftyone_dfaulo.adapter.storage.documents import JOURNALLED, Storage
from fiftyone_dfaulo.adapter.storage.items import Stages, now
from fiftyone_dfaulo.adapter.storage.refresh import (
    dataset_document,
    dataset_id,
    refresh,
)
from fiftyone_dfaulo.adapter.storage.schema import TOKEN, RunField

_WATCHED = 10
"""How long new fields are watched, in multiples of what loading the dataset takes.

From its look at a schema to its save, FiftyOne took 0.8 times as long as that, and the
worst of 90 times 2.1, with 5 to 300 fields on a busy machine. The rest is for a process
that has to wait for a core in between.
"""

_LOOKS = 200
"""How often at most: another tool may take fields away all the time."""


def declare(storage: Storage, fields: Iterable[RunField], token: str | None) -> None:
    """Makes sure that fields are in the schema, marked as a run's own.

    Another tool that has looked at the schema before and saves it after takes them out
    again; so this goes on looking for a while, and adds them again.

    Args:
        storage: the dataset's samples, or its frames.
        fields: the fields. One with an ``info`` of its own gets no mark.
        token: the run's token.
    """
    wanted = list(fields)
    _add(storage, wanted, token)
    start = time.monotonic()
    refresh(storage.dataset)
    quiet_since = time.monotonic()
    took = quiet_since - start
    for _ in range(_LOOKS):
        if time.monotonic() - quiet_since > _WATCHED * took:
            return
        time.sleep(took / 2)
        if missing(storage, [field.path for field in wanted]):
            _add(storage, wanted, token)
            quiet_since = time.monotonic()


def _add(storage: Storage, fields: Iterable[RunField], token: str | None) -> None:
    for field in fields:
        *parents, name = field.path.split(".")
        _push(storage, parents, name, _field_document(name, field, token))


def missing(storage: Storage, paths: Iterable[str]) -> list[str]:
    """Those of these paths that the schema in the database does not have."""
    document = dataset_document(storage.dataset)
    root = document.get(_root(storage)) or []
    return [path for path in paths if not _is_in(root, path.split("."))]


def _is_in(fields: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bool:
    found = next((one for one in fields if one["name"] == names[0]), None)
    if found is None or len(names) == 1:
        return found is not None
    return _is_in(found.get("fields") or [], names[1:])


def undeclare(storage: Storage, paths: Sequence[str], token: str | None) -> None:
    """Takes those fields out of the schema that have this mark; None is no mark."""
    for parents, group in _by_parents([(path, path) for path in paths]):
        names = [path.rpartition(".")[2] for path, _ in group]
        where, filters = _place(storage, parents)
        gone = {"name": {"$in": names}, f"info.{TOKEN}": token}
        _datasets().update_one(
            {"_id": dataset_id(storage.dataset)},
            {"$pull": {where: gone}},
            array_filters=filters,
        )
    refresh(storage.dataset)


def forget(storage: Storage, moves: Mapping[str, str | None]) -> None:
    """Has the App's settings follow fields that are renamed, or go (None)."""
    dataset = storage.dataset
    settings = dataset._doc.app_config
    for old, new in moves.items():
        if new is None:
            settings._delete_paths([storage.path(old)])
        else:
            settings._rename_paths([storage.path(old)], [storage.path(new)])
    if dataset._doc._get_changed_fields():
        dataset._doc.save()


def drop_values(storage: Storage, names: Sequence[str]) -> None:
    """Takes values out of all documents, whatever the schema says."""
    if names:
        there = [{name: {"$exists": True}} for name in names]
        stages: Stages = [{"$unset": list(names)}, {"$set": now()}]
        storage.collection.update_many({"$or": there}, stages)


def empty_values(storage: Storage, names: Sequence[str]) -> None:
    """Sets values in all documents to None, whatever is in them."""
    if names:
        storage.collection.update_many({}, {"$set": dict.fromkeys(names) | now()})


def move_values(storage: Storage, moves: Mapping[str, str]) -> None:
    """Renames values in all documents; those that were moved already stay."""
    for old, new in moves.items():
        there = {old: {"$exists": True}}
        storage.collection.update_many(there, {"$rename": {old: new}, "$set": now()})


def indexes_on(storage: Storage, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Name to description of each index that has one of these fields in it."""
    wanted = set(names)
    return {
        index: dict(about)
        for index, about in storage.collection.index_information().items()
        if any(path.partition(".")[0] in wanted for path, _ in about["key"])
    }


def move_indexes(storage: Storage, moves: Mapping[str, str]) -> None:
    """Makes the indexes of fields anew for their new names.

    The old ones go first: there may be no room for one more. An index that cannot be
    made is left out.
    """
    for index, about in indexes_on(storage, moves).items():
        key = [(moves.get(path, path), order) for path, order in about.pop("key")]
        for old, new in moves.items():
            index = index.replace(old, new)
        how = {name: value for name, value in about.items() if name not in ("v", "ns")}
        drop_indexes(storage, moves)
        with suppress(OperationFailure):
            storage.collection.create_index(key, name=index, **how)


def drop_indexes(storage: Storage, names: Iterable[str]) -> None:
    """Drops all indexes that have one of these fields in them."""
    for index in indexes_on(storage, names):
        with suppress(OperationFailure):  # another process was faster
            storage.collection.drop_index(index)


def _datasets() -> Documents:
    datasets: Documents = foo.get_db_conn().datasets
    return datasets.with_options(write_concern=JOURNALLED)


def _root(storage: Storage) -> str:
    return "frame_fields" if storage.frames else "sample_fields"


def _by_parents(
    rows: Iterable[tuple[str, Any]],
) -> Iterator[tuple[tuple[str, ...], list[tuple[str, Any]]]]:
    """Groups paths by the fields that they lie in."""
    groups: dict[tuple[str, ...], list[tuple[str, Any]]] = defaultdict(list)
    for path, value in rows:
        groups[tuple(path.split(".")[:-1])].append((path, value))
    yield from groups.items()


def _place(
    storage: Storage, parents: Sequence[str]
) -> tuple[str, list[dict[str, Any]] | None]:
    """Where in the dataset's document the fields within others are listed."""
    where = _root(storage)
    filters: list[dict[str, Any]] = []
    for depth, name in enumerate(parents):
        where += f".$[p{depth}].fields"
        filters.append({f"p{depth}.name": name})
    return where, filters or None


def _push(
    storage: Storage, parents: Sequence[str], name: str, document: Mapping[str, Any]
) -> None:
    where, filters = _place(storage, parents)
    query: dict[str, Any] = {"_id": dataset_id(storage.dataset)}
    if filters is None:
        query[f"{where}.name"] = {"$ne": name}
    else:
        filters[-1][f"p{len(parents) - 1}.fields.name"] = {"$ne": name}
    _datasets().update_one(query, {"$push": {where: document}}, array_filters=filters)


def _field_document(name: str, field: RunField, token: str | None) -> dict[str, Any]:
    """A field of the schema as FiftyOne stores it."""
    made = foo.create_field(name, **{"info": {TOKEN: token}, **field.spec})
    made._set_created_at(datetime.now(timezone.utc).replace(tzinfo=None))
    document = foo.SampleFieldDocument.from_field(made)
    document._set_created_at(made.created_at)
    return dict(document.to_dict())
