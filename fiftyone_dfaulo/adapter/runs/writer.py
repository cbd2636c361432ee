"""Writes a run to a dataset: all of it, or nothing.

Steps of a write:

1. Check, again, that the key and the names of the fields are free.
2. Register the brain run, so that from here on everything written belongs to a run
   that FiftyOne can delete. Where a run under the key is to be replaced, the new one
   is first written beside it, under :func:`unfinished_key`.
3. Add the fields, write the values in batches, create the index, save the results.
4. Delete the run to be replaced, and give the new one its key.

After a failure in steps 1 to 3, what was written is deleted; the old run was never
touched. After a failure in step 4, step 4 is completed. If the process dies, it leaves
an unfinished run: ``delete_brain_run`` deletes it, and so does the next write under the
same key.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping

import numpy as np

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.adapter.runs.keys import (
    check_key,
    check_no_review,
    unfinished_key,
)
from fiftyone_dfaulo.adapter.storage.frames import show
from fiftyone_dfaulo.adapter.storage.items import Item
from fiftyone_dfaulo.adapter.storage.schema import (
    add_field,
    field_names,
    label_maker,
)
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.errors import RunError

logger = logging.getLogger(__name__)

STAGE = "Writing results"
"""Name of this stage in progress reports and in the results' ``seconds``."""

_BATCH = 5_000


def write_run(
    results: DFauLoResults,
    *,
    overwrite: bool = False,
    report: StageReport = silent_stage,
) -> None:
    """Writes fields, index, brain run and results; replaces a run of the same key.

    Items that no longer exist are moved to ``results.vanished``. Samples that are not
    in the results have None in all fields, and objects no value.

    Args:
        results: what to write, with its samples, config and key.
        overwrite: whether a run that holds verdicts may be replaced.
        report: gets the fraction done; what it raises stops the write.

    Raises:
        RunError: as :func:`check_key`; if all samples were deleted meanwhile; or if
            another process wrote under the same key at the same time. The dataset is
            as it was before.
    """
    dataset, key = results.samples._root_dataset, results.key
    dataset.reload()  # other processes may have worked on it meanwhile
    check_key(dataset, key, target=results.config.target, overwrite=overwrite)
    spare = unfinished_key(key)
    _remove_run(dataset, spare)
    target = spare if dataset.has_brain_run(key) else key
    try:
        _write(results, target, report)
        if not overwrite:
            check_no_review(dataset, key)  # none may have begun meanwhile
    except BaseException:
        _discard(dataset, target, results.config)
        raise
    if target != key:
        try:
            _replace(dataset, key, target)
        except BaseException:
            _replace(dataset, key, target)
            raise
    show(results.samples, results.config.label_field)


def _write(results: DFauLoResults, key: str, report: StageReport) -> None:
    start = time.perf_counter()
    samples, config, backend = results.samples, results.config, results.backend
    dataset, target = samples._root_dataset, config.target
    config.fields = [field.path for field in target.run_fields(key)]
    config.token, config.complete = uuid.uuid4().hex, False
    backend.register_run(samples, key, overwrite=False)
    _add_fields(dataset, target, key, config.token)
    items = config.target.items(dataset)
    found = items.by_id(results.ids)
    results.drop_vanished(found.keys())
    for begin in range(0, len(results.ids), _BATCH):
        report(begin / len(results.ids))
        _check_ours(dataset, key, config)
        _write_batch(dataset, found, results, slice(begin, begin + _BATCH))
    results.drop_vanished(items.by_id(results.ids).keys())
    if not results.ids:
        raise RunError(
            f"all {len(results.vanished)} {target.noun}s were deleted while the run "
            "computed; nothing was written"
        )
    storage = target.storage(dataset)
    storage.create_index(field_names(key).suspiciousness)
    results.seconds[STAGE] = time.perf_counter() - start
    _check_ours(dataset, key, config)
    backend.save_run_results(samples, key, results)
    config.complete = True
    backend.update_run_config(samples, key, config)
    if target.attributes_path:
        # saving a sample that is in memory would write its old labels back
        storage.reload()


def _add_fields(
    dataset: Dataset, target: LabelTarget, key: str, token: str | None
) -> None:
    storage, fields = target.storage(dataset), target.run_fields(key)
    for field in fields:
        add_field(storage, field, token)
    # A process that died while FiftyOne renamed fields can leave values in the
    # database that no schema names; they would show up again with these fields.
    # Attributes are never left so, see DFauLo.rename, and check_key has looked.
    storage.clear_fields([field.path for field in fields if "." not in field.path])


def _write_batch(
    dataset: Dataset, items: Mapping[str, Item], results: DFauLoResults, rows: slice
) -> None:
    """Writes a batch with one update a sample.

    ``set_values()`` would take one for each field, and three times as long.
    """
    names, target = results.config.run_fields, results.config.target
    empty = {getattr(names, part): None for part in target.empty_parts}
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
                **empty,
            },
        )
        for one, score, text, confidence, reasons in columns
    )
    target.storage(dataset).collection.bulk_write(updates, ordered=False)
    target.write_more(dataset, items, results, rows)


def _is_ours(dataset: Dataset, key: str, config: DFauLoConfig) -> bool:
    dataset.reload()
    if not dataset.has_brain_run(key):
        return False
    stored = dataset.get_brain_info(key).config
    return getattr(stored, "token", None) == config.token


def _check_ours(dataset: Dataset, key: str, config: DFauLoConfig) -> None:
    if not _is_ours(dataset, key, config):
        raise RunError(
            f"brain run {key!r} was replaced or deleted while it was written; nothing "
            "of this run was kept. Compute it again, or pass another brain_key"
        )


def _remove_run(dataset: Dataset, key: str) -> None:
    if dataset.has_brain_run(key):
        # FiftyOne only warns where this fails, and would leave the fields behind.
        dataset.get_brain_info(key).config.build().cleanup(dataset, key)
        dataset.delete_brain_run(key)


def _discard(dataset: Dataset, key: str, config: DFauLoConfig) -> None:
    """Deletes an unfinished run; never hides the error that made it necessary."""
    try:
        if _is_ours(dataset, key, config):
            _remove_run(dataset, key)
    except Exception:
        logger.warning(
            "Could not delete the unfinished brain run '%s' of dataset '%s'; the next "
            "run under its key will",
            key,
            dataset.name,
            exc_info=True,
        )


def _replace(dataset: Dataset, key: str, finished: str) -> None:
    """Puts a finished run in the place of the one under ``key``; can be repeated."""
    if not dataset.has_brain_run(finished):
        return
    _remove_run(dataset, key)
    run = dataset.get_brain_info(finished).config.build()
    run.rename(dataset, finished, key)  # FiftyOne only warns where this fails
    dataset.rename_brain_run(finished, key)
