"""Shows a dataset as the database has it, and keeps what the caller has not saved."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import fiftyone.core.dataset as fod
import fiftyone.core.odm as foo
from bson import ObjectId
from mongoengine.errors import FieldDoesNotExist

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.errors import RunError

_SCHEMAS = ("sample_fields", "frame_fields")
_RUNS = ("annotation_runs", "brain_methods", "evaluations", "runs")

GONE = (
    "the dataset was deleted meanwhile; nothing of this is left. Load or make another "
    "one"
)


def dataset_document(dataset: Dataset) -> dict[str, Any]:
    """The dataset's document in the database, found by its id.

    Raises:
        RunError: if the dataset was deleted.
    """
    found = foo.get_db_conn().datasets.find_one({"_id": dataset_id(dataset)})
    if found is None:
        raise RunError(GONE)
    return dict(found)


def dataset_id(dataset: Dataset) -> ObjectId:
    """The dataset's id, which stays when it gets another name.

    Raises:
        RunError: if the dataset was deleted by this process.
    """
    try:
        identity: ObjectId = dataset._doc.id
    except Exception as error:  # FiftyOne has several, by what was deleted how
        raise RunError(GONE) from error
    return identity


def current_name(identity: str) -> str | None:
    """What a dataset is called now; None if it was deleted.

    Args:
        identity: its id, in hex.
    """
    query = {"_id": ObjectId(identity)}
    found = foo.get_db_conn().datasets.find_one(query, {"name": True})
    return None if found is None else str(found["name"])


def exists(dataset: Dataset) -> bool:
    """Whether the dataset is still in the database, under whatever name."""
    try:
        dataset_document(dataset)
    except RunError:
        return False
    return True


def refresh(dataset: Dataset) -> None:
    """Loads schema, runs and settings of a dataset, and its samples in memory, anew.

    Other than FiftyOne's ``reload()`` it finds a dataset that was renamed meanwhile,
    and keeps changes of ``dataset.info`` and the like that are not saved yet.

    Raises:
        RunError: if the dataset was deleted.
    """
    name = dataset_document(dataset)["name"]
    old = dataset._doc
    old._data["name"] = name  # FiftyOne loads by name
    unsaved = [*(getattr(old, "_changed_fields", None) or ())]
    try:
        _load(dataset, name)
        with suppress(FieldDoesNotExist):  # see repair(); those in memory stay old
            dataset._reload_docs(hard=True)
    except Exception as error:
        dataset_document(dataset)  # it was deleted, or it is something else
        raise RunError(f"the dataset cannot be loaded any more ({error})") from error
    for path in unsaved:
        _keep(old, dataset._doc, path.split("."))


def _load(dataset: Dataset, name: str) -> None:
    """FiftyOne's ``_reload(hard=True)``, which also saves when that was.

    The save takes as long as all else. Only what hardly ever changes is left to it.
    """
    loaded = fod._load_dataset(dataset, name, virtual=True)
    document = loaded[0]
    slices = (dataset._group_slice, document.default_group_slice)
    if document.media_type != dataset.media_type or (slices[0] is None and slices[1]):
        dataset._reload(hard=True)
    else:
        dataset._doc, dataset._sample_doc_cls, dataset._frame_doc_cls = loaded


def _keep(old: Any, new: Any, path: list[str]) -> None:
    """Sets what was changed in one document in another too."""
    root = path[0]
    if root in (*_SCHEMAS, *_RUNS, "name", "last_loaded_at") or root.startswith("_"):
        return
    before, after = getattr(old, root), getattr(new, root)
    if len(path) == 1 or type(before) is not type(after):
        setattr(new, root, before)
    elif not isinstance(before, dict):
        setattr(after, path[1], getattr(before, path[1]))
    elif path[1] in before:
        after[path[1]] = before[path[1]]
    else:
        after.pop(path[1], None)
