"""Plants faults of boxes: what is drawn, and how it is written.

The labels from before are kept whole in the field of true labels. Each object has an
attribute that says whether it is a fault, and one that says what was done; what is
missing is in the true labels alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone as fo
import numpy as np
from bson import ObjectId
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.injection.planting import keep_true_labels
from fiftyone_dfaulo.adapter.injection.request import Injection
from fiftyone_dfaulo.adapter.reading.detections import Found, read_given
from fiftyone_dfaulo.adapter.reading.injection_record import FaultFields
from fiftyone_dfaulo.adapter.storage.documents import Storage, batches
from fiftyone_dfaulo.adapter.targets.kinds import find_target
from fiftyone_dfaulo.adapter.targets.object import ObjectTarget
from fiftyone_dfaulo.engine.injection.box_plans import MISSING, BoxPlan, plan_boxes
from fiftyone_dfaulo.engine.injection.plans import BOXES
from fiftyone_dfaulo.errors import InputError


class BoxDraft(NamedTuple):
    """Faults of boxes, drawn but not written.

    Attributes:
        samples: ids of the samples with labels.
        given: their N objects that have a class and a box.
        names: of the classes.
        plan: what happens to the objects.
    """

    samples: list[str]
    given: Found
    names: list[str]
    plan: BoxPlan

    label_type: type = fo.Detections
    shapes: Mapping[int, tuple[int, ...]] = {}

    def write(
        self,
        dataset: Dataset,
        request: Injection,
        fields: FaultFields,
        folder: Path | None,
        report: Callable[[float], None],
    ) -> None:
        """Writes the faults: the true labels first, then one update a sample."""
        storage, now = Storage(dataset), datetime.now(timezone.utc)
        keep_true_labels(storage, request, fields, self.samples)
        for part in batches(self.samples):
            wanted = {"_id": {"$in": [ObjectId(one) for one in part]}}
            documents = storage.collection.find(wanted, {request.label_field: 1})
            at = f"{request.label_field}.detections"
            when = {"last_modified_at": now}
            updates = [
                UpdateOne({"_id": one}, {"$set": {at: objects, **changed, **when}})
                for one, objects, changed in self._changes(documents, request, fields)
            ]
            storage.collection.bulk_write(updates, ordered=False)
        storage.reload()

    def _changes(
        self,
        documents: Iterable[dict[str, Any]],
        request: Injection,
        fields: FaultFields,
    ) -> Iterator[tuple[ObjectId, list[dict[str, Any]], dict[str, Any]]]:
        """Each sample's id, its objects as they become, and what else is set."""
        row = {ObjectId(one): n for n, one in enumerate(self.given.ids)}
        number = {ObjectId(one): n for n, one in enumerate(self.samples)}
        added: dict[int, list[int]] = {}
        for n, image in enumerate(self.plan.added_images.tolist()):
            added.setdefault(image, []).append(n)
        for document in documents:
            label: Any = document
            for name in request.label_field.split("."):
                label = label[name]
            before = label.get("detections") or []
            new = [self._changed(one, row.get(one["_id"]), fields) for one in before]
            objects = [one for one in new if one is not None]
            image = number[document["_id"]]
            fault = len(objects) < len(before)
            objects += [self._added(n, fields) for n in added.get(image, ())]
            fault |= any(one[fields.fault] for one in objects)
            yield document["_id"], objects, {fields.fault: fault, fields.kind: BOXES}

    def _changed(
        self, one: dict[str, Any], row: int | None, fields: FaultFields
    ) -> dict[str, Any] | None:
        """An object with its fault, if it has one; None if it goes."""
        kind = None if row is None else self.plan.kinds[row]
        if kind == MISSING:
            return None
        one = {**one, fields.fault: kind is not None, fields.kind: kind}
        if row is None or kind is None:
            return one
        label = self.names[self.plan.labels[row]]
        return {**one, "label": label, "bounding_box": self.plan.boxes[row].tolist()}

    def _added(self, n: int, fields: FaultFields) -> dict[str, Any]:
        made = fo.Detection(
            label=self.names[self.plan.labels[self.plan.of[n]]],
            bounding_box=self.plan.added_boxes[n].tolist(),
        ).to_dict()
        kind = self.plan.added_kinds[n]
        return {**made, "_id": ObjectId(), fields.fault: True, fields.kind: kind}


def draw_boxes(samples: Samples, request: Injection) -> BoxDraft:
    """Draws the faults of boxes that are asked for.

    Raises:
        InputError: if there are too few objects for a single one.
    """
    target = find_target(samples, request.label_field)
    assert isinstance(target, ObjectTarget)
    ids, found = read_given(target, samples)
    named = np.array([label is not None for label in found.labels], bool)
    rows = np.flatnonzero(named & ~found.crowds)
    given = found.take(rows)
    names = sorted({str(name) for name in given.labels})
    number = {name: n for n, name in enumerate(names)}
    plan = plan_boxes(
        given.images,
        given.boxes,
        np.array([number[str(name)] for name in given.labels], np.int64),
        classes=len(names),
        pictures=len(ids),
        rates=request.box_rates(len(names)),
        overlap=request.overlap,
        rng=np.random.default_rng(int(request.seed)),
    )
    if not len(plan.of) and all(kind is None for kind in plan.kinds):
        raise InputError(
            f"rate={request.rate} plants no fault among {len(rows)} objects; pass a "
            "higher rate, or more samples"
        )
    return BoxDraft(ids, given, names, plan)
