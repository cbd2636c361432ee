"""Writes drawn faults into a dataset: new images, then fields, labels and paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import fiftyone as fo
import numpy as np
from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.injection.request import Injection
from fiftyone_dfaulo.adapter.injection.undo import (
    add_fields,
    choose_folder,
    make_folder,
)
from fiftyone_dfaulo.adapter.reading.injection_record import (
    FaultFields,
    Record,
    fault_fields,
)
from fiftyone_dfaulo.adapter.reading.labels import Labelled
from fiftyone_dfaulo.adapter.storage.documents import Storage, batches
from fiftyone_dfaulo.engine.injection.painting import write_images
from fiftyone_dfaulo.engine.injection.plans import Plan


class Draft(NamedTuple):
    """An injection, drawn but not written."""

    labelled: Labelled
    plan: Plan
    shapes: dict[int, tuple[int, ...]]
    rng: np.random.Generator

    label_type: type = fo.Classification

    def write(
        self,
        dataset: Dataset,
        request: Injection,
        fields: FaultFields,
        folder: Path | None,
        report: Callable[[float], None],
    ) -> None:
        """Writes new images, if there are any, then labels and paths."""
        targets = {}
        if folder is not None:
            make_folder(folder)
            ids = self.labelled.ids
            targets = {n: folder / f"{ids[n]}.png" for n in self.plan.images}
            files = self.labelled.files
            write_images(files, self.plan, self.shapes, self.rng, targets, report)
        _write(dataset, request, self, fields, targets)


class AnyDraft(Protocol):
    """What :func:`plant` needs of a draft."""

    @property
    def label_type(self) -> type:
        """The type of the field of true labels."""

    @property
    def shapes(self) -> Mapping[int, tuple[int, ...]]:
        """Position to shape of the images that will be replaced."""

    def write(
        self,
        dataset: Dataset,
        request: Injection,
        fields: FaultFields,
        folder: Path | None,
        report: Callable[[float], None],
    ) -> None:
        """Writes the faults, once their fields exist."""


def plant(
    dataset: Dataset,
    request: Injection,
    draft: AnyDraft,
    report: Callable[[float], None],
) -> None:
    """Plants faults; see :mod:`.inject`.

    Args:
        dataset: the copy, or the dataset itself.
        request: what was asked for.
        draft: what was drawn.
        report: gets the fraction done.
    """
    report(0.0)
    name = request.name or dataset.name
    folder = choose_folder(name, request.folder) if draft.shapes else None
    fields = fault_fields(request.prefix)
    # recorded before it is made: nothing is left that nobody knows of
    record = _record(dataset, request, fields, folder)
    add_fields(dataset, record, draft.label_type)
    draft.write(dataset, request, fields, folder, report)


def keep_true_labels(
    storage: Storage, request: Injection, fields: FaultFields, ids: Sequence[str]
) -> None:
    """Copies the labels of samples to the field of true labels; none is a fault yet."""
    copied = {fields.true_label: f"${request.label_field}", fields.fault: False}
    for some in batches([ObjectId(one) for one in ids], 100_000):
        storage.collection.update_many({"_id": {"$in": some}}, [{"$set": copied}])


def _record(
    dataset: Dataset, request: Injection, fields: FaultFields, folder: Path | None
) -> Record:
    return Record(
        fields,
        request.label_field,
        request.kind,
        request.whole_rate,
        int(request.seed),
        None if folder is None else str(folder),
        str(dataset._doc.id),
    )


def _write(
    dataset: Dataset,
    request: Injection,
    draft: Draft,
    fields: FaultFields,
    targets: dict[int, Path],
) -> None:
    labelled, plan = draft.labelled, draft.plan
    storage, now = Storage(dataset), datetime.now(timezone.utc)
    keep_true_labels(storage, request, fields, labelled.ids)
    changed = [n for n in range(len(labelled.ids)) if plan.what(n)]
    for part in batches(changed):
        updates = []
        for n in part:
            change = _change(request, draft, fields, n, targets.get(n))
            update = {"$set": {**change, "last_modified_at": now}}
            updates.append(UpdateOne({"_id": ObjectId(labelled.ids[n])}, update))
        storage.collection.bulk_write(updates, ordered=False)
    storage.reload()


def _change(
    request: Injection, draft: Draft, fields: FaultFields, n: int, target: Path | None
) -> dict[str, Any]:
    """What is set in the document of a sample that changes."""
    labelled, new = draft.labelled, int(draft.plan.labels[n])
    change: dict[str, Any] = {fields.kind: draft.plan.what(n)}
    if new < 0:
        return {**change, request.label_field: None, fields.fault: None}
    change[fields.fault] = True
    if target is not None:
        change["filepath"] = str(target)
        change[fields.original_filepath] = labelled.files[n]
    if new != labelled.labels.numbers[n]:
        change[f"{request.label_field}.label"] = labelled.classes[new]
    return change
