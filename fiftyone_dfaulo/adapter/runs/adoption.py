"""Makes a run of the fields that a view's clone has: the part of the run they are of.

FiftyOne's clone of a view has the fields of runs, and not the runs. Where the dataset
that the view was of still has its run, the clone gets the same one, for the samples
that it has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import fiftyone as fo

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.adapter.runs.stored import run_elsewhere
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.storage.schema import part_of, rekeyed
from fiftyone_dfaulo.errors import RunError


class Origin(NamedTuple):
    """The run of another dataset that made some fields.

    Attributes:
        dataset: the name of that dataset.
        key: the key of the run there.
        new_key: the key that the names of the fields have.
    """

    dataset: str
    key: str
    new_key: str


def find_origin(storage: Storage, paths: Iterable[str], token: str) -> Origin | None:
    """The run that made these fields, if this dataset can have it too.

    Args:
        storage: the dataset's samples, or its frames.
        paths: the fields, which have no run here.
        token: what they are marked with.
    """
    found = run_elsewhere(storage.dataset, token)
    if found is None:
        return None
    dataset, run = found
    config = run["config"]
    first, *_ = names = [path.rpartition(".")[2] for path in paths]
    key = first.removesuffix(f"_{part_of(first)}")
    made = {rekeyed(path, key) for path in config["fields"]}
    same = config["label_target"]["frames"] == storage.frames and made.issuperset(paths)
    taken = storage.dataset.has_brain_run(key)
    if taken or not same or any(not name.startswith(f"{key}_") for name in names):
        return None
    return Origin(dataset, run["key"], key)


def adopt(storage: Storage, origin: Origin) -> None:
    """Gives a dataset the run that its fields are of, for those of its items there.

    Raises:
        RunError: if that run is gone, or none of what it has scored is here.
    """
    dataset, key = storage.dataset, origin.new_key
    results, config = _load(origin)
    target = config.target
    of_run = [*results.ids, *results.unlabeled, *results.unreadable]
    present = target.items(dataset).existing(of_run)
    if present.isdisjoint(results.ids):
        raise RunError(f"dataset {dataset.name!r} has nothing that this run has scored")
    config.fields = [rekeyed(path, key) for path in config.fields]
    config.complete = False
    mine = type(results)._from_dict(results.serialize(), dataset, config, key)
    documents = {str(one["_id"]) for one in storage.collection.find({}, {"_id": True})}
    mine.keep_part(present, documents)
    run = config.build()
    run.register_run(dataset, key, overwrite=False)
    run.save_run_results(dataset, key, mine)
    config.complete = True
    run.update_run_config(dataset, key, config)
    storage.create_index(config.run_fields.suspiciousness)


def _load(origin: Origin) -> tuple[DFauLoResults, DFauLoConfig]:
    """The results of the run in the other dataset, and its config, to be changed."""
    if fo.dataset_exists(origin.dataset):
        source: Dataset = fo.load_dataset(origin.dataset)
        if source.has_brain_run(origin.key):
            config = source.get_brain_info(origin.key).config
            results = source.load_brain_results(
                origin.key, cache=False, load_view=False
            )
            if isinstance(config, DFauLoConfig) and results is not None:
                return results, config
    raise RunError(f"brain run {origin.key!r} of dataset {origin.dataset!r} is gone")
