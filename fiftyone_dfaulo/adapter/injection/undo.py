"""Keeps what an injection has changed, and takes it back."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.utils as fou
from bson import ObjectId

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.reading.injection_record import (
    RECORD,
    Record,
    find_record,
)
from fiftyone_dfaulo.adapter.storage.declaration import (
    declare,
    drop_indexes,
    drop_values,
    forget,
    undeclare,
)
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.storage.schema import RunField
from fiftyone_dfaulo.engine.injection.plans import BOXES, LABEL, TAKEN
from fiftyone_dfaulo.errors import InputError, RunError

_SCHEMA: tuple[dict[str, Any], ...] = (  # in the order of FaultFields
    {
        "ftype": fo.BooleanField,
        "description": "Whether a fault was planted here (DFauLo)",
    },
    {
        "ftype": fo.StringField,
        "description": "What was done to plant it (DFauLo)",
    },
    {
        "ftype": fo.EmbeddedDocumentField,
        "embedded_doc_type": fo.Classification,
        "description": "The label before faults were planted (DFauLo)",
    },
    {
        "ftype": fo.StringField,
        "description": "The image before faults were planted (DFauLo)",
    },
)


def add_fields(dataset: Dataset, record: Record, label_type: type) -> None:
    """Adds the fields of an injection, the one with the record first.

    Args:
        dataset: the dataset.
        record: what is to be planted.
        label_type: of the field of true labels.
    """
    true_label = {**_SCHEMA[2], "embedded_doc_type": label_type}
    schema = (*_SCHEMA[:2], true_label, *_SCHEMA[3:])
    info = {RECORD: {**record._asdict(), "fields": list(record.fields)}}
    infos = (info, *({},) * (len(record.fields) - 1))
    fields = [
        RunField(name, {**spec, "info": info})
        for name, spec, info in zip(record.fields, schema, infos)
    ]
    declare(Storage(dataset), fields, None)


def choose_folder(name: str, folder: Any) -> Path:
    """The folder for the new images of a dataset, which is empty or does not exist.

    Args:
        name: of the dataset.
        folder: a folder that is empty or does not exist; None for a new one.

    Raises:
        InputError: if it holds something, or cannot be looked into.
    """
    root = Path(fo.config.default_dataset_dir).absolute()
    try:
        if folder is not None:
            chosen = Path(folder).expanduser().absolute()
            if chosen.exists() and any(chosen.iterdir()):
                raise InputError(
                    f"folder={str(folder)!r} is not empty; pass one that is, or that "
                    "does not exist"
                )
            return chosen
        slug = f"{fou.to_slug(name)}-images"
        names = (slug if n == 1 else f"{slug}-{n}" for n in count(1))
        return next(root / one for one in names if not (root / one).exists())
    except (OSError, TypeError) as error:
        raise _no_folder(folder or root, error) from error


def make_folder(folder: Path) -> None:
    """Makes the folder for new images.

    Raises:
        InputError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_folder(folder, error) from error


def _no_folder(folder: Any, error: Exception) -> InputError:
    return InputError(
        f"no folder for new images can be made at {folder} ({error}); pass another "
        "folder"
    )


def restore(dataset: Dataset) -> int:
    """Undoes the injection that a dataset holds, also an unfinished one.

    Can be repeated; does nothing where there is none.

    Returns:
        the number of samples that were restored.

    Raises:
        RunError: if a field that is needed is not there; nothing is changed.
    """
    record = find_record(dataset)
    if record is None:
        return 0
    fields = record.fields
    _check_fields(dataset, record)
    storage = Storage(dataset)
    collection = storage.collection
    restored = collection.count_documents({fields.kind: {"$ne": None}})
    collection.update_many(
        {fields.kind: {"$in": [LABEL, TAKEN, BOXES]}},
        [{"$set": {record.label_field: f"${fields.true_label}"}}],
    )
    collection.update_many(
        {fields.original_filepath: {"$ne": None}},
        [{"$set": {"filepath": f"${fields.original_filepath}"}}],
    )
    _remove_images(dataset, record)
    drop_values(storage, fields)
    drop_indexes(storage, fields)
    forget(storage, dict.fromkeys(fields))
    undeclare(storage, fields, None)
    storage.reload()
    return int(restored)


def _check_fields(dataset: Dataset, record: Record) -> None:
    needed = (record.label_field, *record.fields)
    missing = [name for name in needed if not dataset.has_sample_field(name)]
    planted = {record.fields.fault: {"$ne": None}}
    if missing and dataset._sample_collection.count_documents(planted, limit=1):
        raise RunError(
            f"dataset {dataset.name!r} cannot be restored: its fields "
            f"{', '.join(missing)} were deleted or renamed; nothing was changed"
        )


def discard(dataset: Dataset) -> None:
    """Deletes a dataset, and the images that were planted in it."""
    record = find_record(dataset)
    if record is not None:
        _remove_images(dataset, record)
    dataset.delete()


def _remove_images(dataset: Dataset, record: Record) -> None:
    """Deletes the images that were written, and the folder if nothing else is in it."""
    if record.folder is None or record.dataset != str(dataset._doc.id):
        return
    folder = Path(record.folder)
    if not folder.is_dir():
        return
    for file in folder.glob("*.png"):
        if ObjectId.is_valid(file.stem):  # they are named by their samples' ids
            file.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
