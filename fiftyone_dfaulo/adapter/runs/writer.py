"""Writes a run to a dataset: all of it, or nothing.

Steps of a write:

1. Check, again, that the key and the names of the fields are free.
2. Register the brain run, so that from here on everything written belongs to a run
   that FiftyOne can delete. Where a run under the key is to be replaced, the new one
   is first written beside it, under :func:`unfinished_key`.
3. Add the fields, write the values in batches, create the index, save the results.
4. Delete the run to be replaced, and give the new one its key.

A failure in 1 to 3 deletes what was written; the old run was never touched. A failure
in 4 is met by completing 4. A process that dies leaves a run that ``delete_brain_run``
deletes, and that the next write under the same key clears away.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fiftyone_dfaulo.adapter.runs.brain_run import (
    DFauLoConfig,
    DFauLoResults,
    field_names,
)
from fiftyone_dfaulo.adapter.runs.keys import (
    check_key,
    check_no_review,
    unfinished_key,
)
from fiftyone_dfaulo.adapter.runs.multilabel_results import TagResults
from fiftyone_dfaulo.adapter.runs.tag_writing import add_tag_fields, write_tags
from fiftyone_dfaulo.adapter.targets.base import Item, Place
from fiftyone_dfaulo.adapter.targets.frames import show
from fiftyone_dfaulo.adapter.targets.multilabel import tag_paths
from fiftyone_dfaulo.adapter.targets.schema import add_field, add_maximum, label_maker
from fiftyone_dfaulo.adapter.targets.storage import Storage
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

    What no longer exists is moved to ``results.vanished``. Samples, or objects, that
    are not in the results have None, or no value, in all fields.

    Args:
        results: what to write, with its samples, config and key.
        overwrite: whether a run that holds verdicts may be replaced.
        report: told the fraction done; what it raises stops the write.

    Raises:
        RunError: as :func:`check_key`; if all samples were deleted meanwhile; or if
            another process wrote under the same key at the same time. The dataset is
            as it was before.
    """
    dataset, key = results.samples._root_dataset, results.key
    dataset.reload()  # other processes may have worked on it meanwhile
    check_key(dataset, key, place=results.config.place, overwrite=overwrite)
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
    dataset, names = samples._root_dataset, field_names(key)
    place = _own(config, key)
    storage = place.storage(dataset)
    config.token, config.complete = uuid.uuid4().hex, False
    backend.register_run(samples, key, overwrite=False)
    _add_fields(storage, place, key, config.token)
    items = _existing(storage, place, results.ids)
    results.drop_vanished(items.keys())
    for begin in range(0, len(results.ids), _BATCH):
        report(begin / len(results.ids))
        _check_ours(dataset, key, config)
        _write_batch(storage, items, results, slice(begin, begin + _BATCH))
    results.drop_vanished(_existing(storage, place, results.ids).keys())
    if not results.ids:
        raise RunError(
            f"all {len(results.vanished)} {place.noun}s were deleted while the run "
            "computed; nothing was written"
        )
    storage.create_index(place.top or names.suspiciousness)
    results.seconds[STAGE] = time.perf_counter() - start
    _check_ours(dataset, key, config)
    backend.save_run_results(samples, key, results)
    config.complete = True
    backend.update_run_config(samples, key, config)
    if place.list_path or place.tags_path:
        # saving one that is in memory would write its old list back
        storage.reload()


def _own(config: DFauLoConfig, key: str) -> Place:
    """Lists in the config what the run is going to make."""
    names = field_names(key)
    config.fields = [*map(config.place.path, names)]
    if config.list_path:
        config.fields.append(names.suspiciousness)
    config.fields += tag_paths(key, config.place)
    return config.place


def _add_fields(storage: Storage, place: Place, key: str, token: str | None) -> None:
    names = field_names(key)
    for part, name in zip(names._fields, names):
        add_field(storage, place.path(name), part, token, tags=bool(place.tags_path))
    if place.top:
        add_maximum(storage, place.top, token)
    add_tag_fields(storage, key, place, token)
    # A process that died while FiftyOne renamed fields can leave values in the
    # database that no schema names; they would show up again with these fields.
    # Attributes are never left so, see adapter.runs, and check_key has looked.
    missing = [path for path in tag_paths(key, place) if "." not in path]
    storage.clear_fields([place.top] if place.top else [*names, *missing])


def _write_batch(
    storage: Storage, items: dict[str, Item], results: DFauLoResults, rows: slice
) -> None:
    """Writes a batch with one update a sample.

    ``set_values()`` would take one for each field, and three times as long.
    """
    names, place = results.config.run_fields, results.config.place
    # Of a sample FiftyOne knows what is missing to be None, of an object it does not.
    empty = {names.verdict: None} if place.list_path else {}
    columns = zip(
        results.ids[rows],
        results.suspiciousness[rows].tolist(),
        _suggestions(results, place, rows),
        results.reasons[rows],
    )
    updates = place.fill(
        (
            items[one],
            {
                names.suspiciousness: score,
                names.suggestion: suggestion,
                names.reasons: [
                    results.reason_names[n] for n in np.flatnonzero(reasons)
                ],
                **empty,
            },
        )
        for one, score, suggestion, reasons in columns
    )
    storage.collection.bulk_write(updates, ordered=False)
    if isinstance(results, TagResults):
        write_tags(storage, items, results, rows)


def _suggestions(results: DFauLoResults, place: Place, rows: slice) -> Iterator[Any]:
    """Suggestions as FiftyOne stores them."""
    make = label_maker()
    pairs = zip(results.suggestion_texts(rows), results.confidence[rows].tolist())
    for label, confidence in pairs:
        whole = place.list_path is None and label is not None
        yield make(label, confidence) if whole else label


def _existing(storage: Storage, place: Place, ids: Sequence[str]) -> dict[str, Item]:
    """Those of the items that the dataset still holds, in whatever group slice."""
    found = place.find(storage.collection, ids, {})
    return {str(item["_id"]): item for item in found}


def _is_ours(dataset: Any, key: str, config: DFauLoConfig) -> bool:
    dataset.reload()
    if not dataset.has_brain_run(key):
        return False
    stored = dataset.get_brain_info(key).config
    return getattr(stored, "token", None) == config.token


def _check_ours(dataset: Any, key: str, config: DFauLoConfig) -> None:
    if not _is_ours(dataset, key, config):
        raise RunError(
            f"brain run {key!r} was replaced or deleted while it was written; nothing "
            "of this run was kept. Compute it again, or pass another brain_key"
        )


def _remove_run(dataset: Any, key: str) -> None:
    if dataset.has_brain_run(key):
        # FiftyOne only warns where this fails, and would leave the fields behind.
        dataset.get_brain_info(key).config.build().cleanup(dataset, key)
        dataset.delete_brain_run(key)


def _discard(dataset: Any, key: str, config: DFauLoConfig) -> None:
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


def _replace(dataset: Any, key: str, finished: str) -> None:
    """Puts a finished run in the place of the one under ``key``; can be repeated."""
    if not dataset.has_brain_run(finished):
        return
    _remove_run(dataset, key)
    run = dataset.get_brain_info(finished).config.build()
    run.rename(dataset, finished, key)  # FiftyOne only warns where this fails
    dataset.rename_brain_run(finished, key)
