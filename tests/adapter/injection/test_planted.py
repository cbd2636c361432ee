"""What a dataset holds of planted faults."""

from __future__ import annotations

from typing import Any

from fiftyone_dfaulo.adapter.injection.inject import inject_faults
from fiftyone_dfaulo.adapter.reading.injection_record import count_planted, find_record


def test_faults_are_counted_by_what_was_done(make_dataset: Any) -> None:
    dataset = make_dataset(["a", "b"] * 10)
    inject_faults(dataset, in_place=True, rate=0.2)
    record = find_record(dataset)
    assert record is not None
    assert count_planted(dataset, record) == {"wrong label": 4}
