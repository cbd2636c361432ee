"""What the database says of a run at this moment, without loading the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fiftyone.core.odm as foo

from fiftyone_dfaulo.adapter.host import Dataset, Documents
from fiftyone_dfaulo.adapter.storage.refresh import dataset_document, dataset_id


def stored_config(
    dataset: Dataset, brain_key: str, token: str | None
) -> Mapping[str, Any] | None:
    """The config of the run that made this token, if it is still under the key.

    Raises:
        RunError: if the dataset was deleted.
    """
    run = (dataset_document(dataset).get("brain_methods") or {}).get(brain_key)
    query = {"_id": getattr(run, "id", run), "config.token": token}
    found = None if run is None else _runs().find_one(query, {"config": True})
    return None if found is None else found["config"]


def run_elsewhere(dataset: Dataset, token: str) -> tuple[str, Mapping[str, Any]] | None:
    """A whole run of another dataset that has this token: its name, and the run."""
    query = {"config.token": token, "config.complete": True}
    others = {"_dataset_id": {"$ne": dataset_id(dataset)}}
    for run in _runs().find({**query, **others}):
        there = {"_id": run["_dataset_id"], f"brain_methods.{run['key']}": run["_id"]}
        found = foo.get_db_conn().datasets.find_one(there, {"name": True})
        if found is not None:
            return found["name"], run
    return None


def close_run(dataset: Dataset, token: str | None) -> None:
    """Says in the database that a run is not whole: nobody may write to it any more."""
    query = {"_dataset_id": dataset_id(dataset), "config.token": token}
    _runs().update_many(query, {"$set": {"config.complete": False}})


def _runs() -> Documents:
    runs: Documents = foo.get_db_conn().runs
    return runs
