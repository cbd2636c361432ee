"""What a dataset holds of planted faults."""

from __future__ import annotations

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.reading.injection_record import Record


def count_planted(dataset: Dataset, record: Record) -> dict[str, int]:
    """The number of samples by what was done to them.

    Args:
        dataset: a dataset that holds planted faults.
        record: what :func:`.injection_record.find_record` found in it.
    """
    kind = record.fields.kind
    return dict(dataset.exists(kind).count_values(kind))
