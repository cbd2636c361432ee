"""What was once a run's and is no run's any more: fields, and values without fields.

A view's clone and a merge have the fields of runs without their runs. Older versions,
and processes that die while other tools save the schema, leave values behind that no
schema names.
"""

from __future__ import annotations

from collections.abc import Iterable

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.runs.brain_run import TYPE
from fiftyone_dfaulo.adapter.runs.saved_view import hide_fields, withdraw
from fiftyone_dfaulo.adapter.storage.declaration import (
    drop_indexes,
    drop_values,
    undeclare,
)
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.storage.schema import TOKEN
from fiftyone_dfaulo.adapter.targets.base import LabelTarget


def tokens_of_runs(dataset: Dataset) -> set[str | None]:
    """The tokens of all runs of a dataset, finished or not."""
    keys = dataset.list_brain_runs(type=TYPE)
    return {dataset.get_brain_info(key).config.token for key in keys}


def ownerless_fields(storage: Storage, paths: Iterable[str]) -> dict[str, str]:
    """Those of these fields that a run has made which is gone, with its token."""
    tokens = tokens_of_runs(storage.dataset)
    found = {}
    for path in paths:
        field = storage.get_field(path) if storage.has_field(path) else None
        token = None if field is None else (field.info or {}).get(TOKEN)
        if token is not None and token not in tokens:
            found[path] = token
    return found


def clear_ownerless(dataset: Dataset, brain_key: str, target: LabelTarget) -> None:
    """Deletes what is no run's of what a new run under a key is to make.

    Attributes that no schema names may be anybody's, and stay.
    """
    storage, paths = target.storage(dataset), target.all_paths(brain_key)
    delete_fields(storage, ownerless_fields(storage, paths))
    top = [path for path in paths if "." not in path and not storage.has_field(path)]
    drop_values(storage, top)
    drop_indexes(storage, top)


def delete_fields(storage: Storage, tokens: dict[str, str]) -> None:
    """Deletes fields with their values and indexes, and what the App has of them.

    Args:
        storage: the dataset's samples, or its frames.
        tokens: path of a field to the token that it is marked with.
    """
    withdraw(storage.dataset, list(tokens))
    drop_values(storage, list(tokens))  # of the labels in a list, or of one label
    drop_indexes(storage, [path for path in tokens if "." not in path])
    for token in set(tokens.values()):
        undeclare(storage, [p for p, one in tokens.items() if one == token], token)
    hide_fields(storage.dataset)
