"""Writes a run to a dataset: all of it, or nothing.

Steps of a write:

1. Check, again, that the key and the names of the fields are free, and clear away what
   a process that died has left.
2. Register the brain run, so that from here on everything written belongs to a run
   that FiftyOne can delete. Where a run under the key is to be replaced, the new one
   is first written beside it, under :func:`unfinished_key`. Add the fields.
3. Write the values in batches.
4. Look again whether run and fields are there; create the index, save the results.
5. Delete the run to be replaced, and give the new one its key. Save a view of it.

Steps 1 and 2, each batch, and steps 4 and 5 hold the dataset's lease, so that no other
run is half replaced when they look.

A failure in 1 to 4 deletes what was written; the old run was never touched. A failure
in 5 is met by completing 5. A process that dies leaves a run that ``delete_brain_run``
deletes, and that the next write under the same key clears away.
"""

from __future__ import annotations

import logging
import time
import uuid

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.runs.keys import (
    check_key,
    check_no_review,
    unfinished_key,
)
from fiftyone_dfaulo.adapter.runs.lists import index_ids
from fiftyone_dfaulo.adapter.runs.ownerless import clear_ownerless
from fiftyone_dfaulo.adapter.runs.rows import BATCH, look_again, write_batch
from fiftyone_dfaulo.adapter.runs.saved_view import offer
from fiftyone_dfaulo.adapter.runs.stored import stored_config
from fiftyone_dfaulo.adapter.storage.declaration import (
    declare,
    drop_values,
    empty_values,
    missing,
)
from fiftyone_dfaulo.adapter.storage.frames import show
from fiftyone_dfaulo.adapter.storage.lease import changing
from fiftyone_dfaulo.adapter.storage.refresh import exists, refresh
from fiftyone_dfaulo.adapter.storage.schema import field_names, rekeyed
from fiftyone_dfaulo.engine.progress import StageReport, silent_stage
from fiftyone_dfaulo.errors import RunError

logger = logging.getLogger(__name__)

STAGE = "Writing results"
"""Name of this stage in progress reports and in the results' ``seconds``."""

_RENAMING = 5.0
"""Seconds that FiftyOne may take to change a run's key once its fields have new names.

It takes some hundredths on a free core. After a process that has died in between, that
is what replacing its run takes longer.
"""

_NO_INDEX = (
    "The database allows no more indexes on this dataset, so that sorting by "
    "suspiciousness is slower. Drop one with drop_index() and run again to have one."
)


def write_run(
    results: ComparedResults,
    *,
    overwrite: bool = False,
    report: StageReport = silent_stage,
) -> None:
    """Writes fields, index, brain run and results; replaces a run of the same key.

    Items that no longer exist are moved to ``results.vanished``. Samples that are not
    in the results have None in all fields, or no value, which FiftyOne reads as None;
    objects have no value.

    Args:
        results: what to write, with its samples, config and key.
        overwrite: whether a run that holds verdicts may be replaced.
        report: gets the fraction done; what it raises stops the write.

    Raises:
        RunError: as :func:`check_key`; if all samples were deleted meanwhile; or if
            another process wrote under the same key at the same time. The dataset is
            as it was before.
    """
    dataset, config = results.samples._root_dataset, results.config
    config.token, config.complete, whole = uuid.uuid4().hex, False, False
    start = time.perf_counter()
    try:
        with changing(dataset, lambda: report(0.0)):  # which may stop the waiting
            key = _begin(results, overwrite)
        _write_values(results, key, report)
        with changing(dataset):
            _finish(results, key, start, overwrite)
            whole = True
            _take_place(dataset, key, results.key)
            _offer(dataset, results)
    except BaseException:
        if not whole:
            _discard(dataset, results)
        raise
    show(results.samples, config.label_field)


def _begin(results: ComparedResults, overwrite: bool) -> str:
    """Registers the run, adds its fields, and returns the key that it has so far."""
    samples, config, key = results.samples, results.config, results.key
    dataset, target = samples._root_dataset, config.target
    refresh(dataset)  # other processes may have worked on it meanwhile
    check_key(dataset, key, target=target, overwrite=overwrite)
    spare = unfinished_key(key)
    _remove_run(dataset, spare)
    key = spare if dataset.has_brain_run(key) else key
    clear_ownerless(dataset, key, target)
    config.fields = [field.path for field in target.run_fields(key)]
    results.backend.register_run(samples, key, overwrite=False)
    storage, fields = target.storage(dataset), target.run_fields(key)
    declare(storage, fields, config.token)
    paths = [field.path for field in fields if "." not in field.path]
    written = [path for path in paths if path in config.run_fields]  # for each item
    drop_values(storage, written)
    empty_values(storage, [path for path in paths if path not in written])
    return key


def _write_values(results: ComparedResults, key: str, report: StageReport) -> None:
    dataset, target = results.samples._root_dataset, results.config.target
    with changing(dataset):
        _check_ours(dataset, key, results)
        target.write_first(dataset, results)
    found = target.items(dataset).locate(results.ids)
    results.drop_vanished(found.keys())
    for begin in range(0, len(results.ids), BATCH):
        report(begin / len(results.ids))
        with changing(dataset):
            _check_ours(dataset, key, results)
            write_batch(dataset, found, results, slice(begin, begin + BATCH))


def _finish(results: ComparedResults, key: str, start: float, overwrite: bool) -> None:
    """Makes the run whole; it is still under the key that it was begun under."""
    samples, config, backend = results.samples, results.config, results.backend
    dataset, target = samples._root_dataset, config.target
    _check_ours(dataset, key, results)
    look_again(dataset, results)
    if not results.ids:
        raise RunError(
            f"all {len(results.vanished)} {target.noun}s were deleted while the run "
            "computed; nothing was written"
        )
    storage = target.storage(dataset)
    refresh(dataset)
    if not storage.create_index(field_names(key).suspiciousness):
        results.notes.append(_NO_INDEX)
    index_ids(dataset, target)
    results.seconds[STAGE] = time.perf_counter() - start
    backend.save_run_results(samples, key, results)
    if not overwrite:
        check_no_review(dataset, results.key)  # none may have begun meanwhile
    config.complete = True
    backend.update_run_config(samples, key, config)
    if target.attributes_path:
        # saving a sample that is in memory would write its old labels back
        storage.reload()


def _check_ours(dataset: Dataset, key: str, results: ComparedResults) -> None:
    """Makes sure that the run is there, and its fields: another tool's may be gone.

    Raises:
        RunError: if the run was replaced or deleted.
    """
    config = results.config
    if stored_config(dataset, key, config.token) is None:
        raise RunError(
            f"brain run {key!r} was replaced or deleted while it was written; nothing "
            "of this run was kept. Compute it again, or pass another brain_key"
        )
    storage, fields = config.target.storage(dataset), config.target.run_fields(key)
    if missing(storage, [field.path for field in fields]):
        declare(storage, fields, config.token)


def _remove_run(dataset: Dataset, key: str) -> None:
    if dataset.has_brain_run(key):
        # FiftyOne only warns where this fails, and would leave the fields behind.
        dataset.get_brain_info(key).config.build().cleanup(dataset, key)
        dataset.delete_brain_run(key)


def _await_new_key(dataset: Dataset, key: str) -> None:
    """Waits while another process renames the run, which FiftyOne does in two steps.

    After the first one the fields have the new key in their names, and nobody holds the
    lease: to delete the run now would delete what has another key in a moment.
    """
    end = time.monotonic() + _RENAMING
    while _has_names_of_another_key(dataset, key) and time.monotonic() < end:
        time.sleep(0.05)
        refresh(dataset)


def _has_names_of_another_key(dataset: Dataset, key: str) -> bool:
    if not dataset.has_brain_run(key):
        return False
    fields = dataset.get_brain_info(key).config.fields
    return any(rekeyed(path, key) != path for path in fields)


def _discard(dataset: Dataset, results: ComparedResults) -> None:
    """Deletes an unfinished run; never hides the error that made it necessary."""
    keys, token = (results.key, unfinished_key(results.key)), results.config.token
    try:
        with changing(dataset):
            for key in keys:
                if stored_config(dataset, key, token) is not None:
                    refresh(dataset)
                    _remove_run(dataset, key)
    except Exception:
        if not exists(dataset):
            return
        logger.warning(
            "Could not delete the unfinished brain run '%s' of dataset '%s'; the next "
            "run under its key will",
            results.key,
            dataset.name,
            exc_info=True,
        )


def _take_place(dataset: Dataset, finished: str, key: str) -> None:
    """Has a finished run take the place of the one under ``key``, if need be."""
    if finished == key:
        return
    try:
        _replace(dataset, key, finished)
    except BaseException:
        _replace(dataset, key, finished)
        raise


def _replace(dataset: Dataset, key: str, finished: str) -> None:
    """Puts a finished run in the place of the one under ``key``; can be repeated."""
    if not dataset.has_brain_run(finished):
        return
    _await_new_key(dataset, key)
    _remove_run(dataset, key)
    run = dataset.get_brain_info(finished).config.build()
    run.rename(dataset, finished, key)  # FiftyOne only warns where this fails
    dataset.rename_brain_run(finished, key)


def _offer(dataset: Dataset, results: ComparedResults) -> None:
    """Has the App offer a run: by a saved view, and on the tiles."""
    config = dataset.get_brain_info(results.key).config
    # FiftyOne saves no view of frames without copying them
    if not config.target.frames:
        offer(dataset, results.key, config.fields, results.suspiciousness)
