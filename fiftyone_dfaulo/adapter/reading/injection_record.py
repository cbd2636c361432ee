"""The record that an injection of faults leaves on a dataset, to be undone by."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.engine.injection.box_plans import DOUBLED, MISSING, SPURIOUS
from fiftyone_dfaulo.errors import InputError

RECORD = "dfaulo_faults"
"""Where the first field's ``info`` holds what was planted, and where."""


class FaultFields(NamedTuple):
    """Names of the sample fields that an injection adds."""

    fault: str
    kind: str
    true_label: str
    original_filepath: str


class Record(NamedTuple):
    """What was planted.

    Attributes:
        fields: the fields of the injection.
        label_field: whose labels it is about.
        kind: the kind of faults.
        rate: the rate that was asked for.
        seed: the seed of the choice.
        folder: the folder of the new images; None if there are none.
        dataset: id of the dataset that the record was written for. A clone of that
            dataset has the same record, but the images are not its own.
    """

    fields: FaultFields
    label_field: str
    kind: str
    rate: float
    seed: int
    folder: str | None
    dataset: str


def fault_fields(prefix: Any) -> FaultFields:
    """Names of the fields for a prefix.

    Raises:
        InputError: if the prefix does not make names of fields.
    """
    if not isinstance(prefix, str) or not prefix.isidentifier() or prefix[0] == "_":
        raise InputError(
            f"prefix={prefix!r} cannot begin the name of a field; expected letters, "
            "digits and underscores, a letter first"
        )
    return FaultFields(*(f"{prefix}_{part}" for part in FaultFields._fields))


def find_record(dataset: Dataset) -> Record | None:
    """The record of the injection that a dataset holds; None if it holds none."""
    for field in dataset.get_field_schema().values():
        record = (field.info or {}).get(RECORD)
        if record is not None:
            return Record(**{**record, "fields": FaultFields(*record["fields"])})
    return None


def true_label_fields(dataset: Dataset) -> list[str]:
    """The field of true labels of the injection that a dataset holds, if any."""
    record = find_record(dataset)
    return [] if record is None else [record.fields.true_label]


def count_planted(dataset: Dataset, record: Record) -> dict[str, int]:
    """The number of samples, or of objects, by what was done to them.

    Args:
        dataset: a dataset that holds planted faults.
        record: what :func:`find_record` found in it.
    """
    kind = record.fields.kind
    objects, before = (
        f"{name}.detections" for name in (record.label_field, record.fields.true_label)
    )
    if not dataset.has_sample_field(f"{before}.bounding_box"):
        return dict(dataset.exists(kind).count_values(kind))
    counts = Counter(
        one for some in dataset.values(f"{objects}.{kind}") for one in some or () if one
    )
    new = counts[SPURIOUS] + counts[DOUBLED]
    gone = dataset.count(before) - (dataset.count(objects) - new)
    return {**counts, **({MISSING: gone} if gone else {})}
