"""Writes what a run says of its items, in batches."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.storage.items import Item
from fiftyone_dfaulo.adapter.storage.schema import label_maker

BATCH = 5_000
"""Items that are written while the dataset's lease is held once."""

_AT_ONCE = 2
"""Requests that write a batch at once, since the database needs most of the time.

On two cores, which the database has as well, 200,000 samples take 24 s with one, 15
with two, and 14 with three.
"""


def write_batch(
    dataset: Dataset, items: Mapping[str, Item], results: DFauLoResults, batch: slice
) -> None:
    """Writes a batch of items.

    Args:
        dataset: the dataset.
        items: ``_id`` and sample of each item of the batch, by its id.
        results: what the run says.
        batch: the rows of the results.
    """
    begin, end, _ = batch.indices(len(results.ids))
    size = -(-(end - begin) // _AT_ONCE)
    parts = [slice(row, min(row + size, end)) for row in range(begin, end, size)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(partial(_write_rows, dataset, items, results), parts))


def _write_rows(
    dataset: Dataset, items: Mapping[str, Item], results: DFauLoResults, rows: slice
) -> None:
    """Writes some items with one update a sample.

    ``set_values()`` would take one for each field, and three times as long.
    """
    names, target = results.config.run_fields, results.config.target
    make = label_maker()
    columns = zip(
        results.ids[rows],
        results.suspiciousness[rows].tolist(),
        results.suggestion_texts(rows),
        results.confidence[rows].tolist(),
        results.reasons[rows],
    )
    updates = target.items(dataset).fill(
        (
            items[one],
            {
                names.suspiciousness: score,
                names.suggestion: target.stored_suggestion(text, confidence, make),
                names.reasons: [
                    results.reason_names[n] for n in np.flatnonzero(reasons)
                ],
                names.verdict: None,
            },
        )
        for one, score, text, confidence, reasons in columns
    )
    target.storage(dataset).collection.bulk_write(updates, ordered=False)
    target.write_more(dataset, items, results, rows)
