"""Writes what a run says of its items, in batches, and looks at them once more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.results.compared import ComparedResults, Settled
from fiftyone_dfaulo.adapter.results.texts import number_texts
from fiftyone_dfaulo.adapter.storage import packed
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


def look_again(dataset: Dataset, results: ComparedResults) -> None:
    """Drops the items that are gone; notes whether the others are as they were scored.

    Args:
        dataset: the dataset.
        results: what was written; gets :attr:`.ComparedResults.settled`. Of objects
            that lie in lists that is left out: the results do not say in which sample.
    """
    target, start = results.config.target, time.time()
    items = target.items(dataset)
    classes = [*items.by_class(results.ids)]
    results.drop_vanished({one for _, ids in classes for one in packed.id_texts(ids)})
    if items.lists or not results.ids:
        return
    texts = (target.class_text(value) for value, _ in classes)
    labels = number_texts({**results.texts.numbers}, texts)
    now = np.repeat(labels, [len(ids) for _, ids in classes])
    rows, known = results.rows.of(np.concatenate([ids for _, ids in classes]))
    if np.array_equal(now[known], results.texts.labels[rows]):
        count = items.documents.estimated_document_count()
        results.settled = Settled(start, count, time.time() - start)


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
