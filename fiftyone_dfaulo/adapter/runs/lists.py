"""The lists of labels that runs work on, and the index that finds a label by its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Protocol

from pymongo.errors import OperationFailure

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.targets.base import LabelTarget

TYPE = "dfaulo"
"""What ``list_brain_runs(type=...)`` calls these runs."""

_INDEX = "dfaulo_ids_of_"
"""What the name of such an index begins with: another one is not ours to drop."""


class _Config(Protocol):
    """What is used of a :class:`.brain_run.DFauLoConfig`."""

    label_target: Mapping[str, object]
    fields: Sequence[str]
    token: str | None

    @property
    def target(self) -> LabelTarget:
        """The labels."""


def lists_with_attributes(dataset: Dataset, config: _Config) -> list[str]:
    """The lists of labels that may have attributes of a run.

    Labels that a correction of any run has removed are kept with all on them.

    Args:
        dataset: the dataset.
        config: the run's.
    """
    mine = {**config.label_target, "kind": None}
    configs = [config, *_configs(dataset)]
    same = (one for one in configs if {**one.label_target, "kind": None} == mine)
    lists = (one.target.lists_with_attributes(one.fields) for one in same)
    return list(dict.fromkeys(chain(*lists)))


def index_ids(dataset: Dataset, target: LabelTarget) -> None:
    """Has the database find the objects of a run by their ids, without a search.

    All runs on a list share one index. There is none where the database allows no
    more of them, or somebody has made one already.
    """
    storage = target.storage(dataset)
    for path in _listed(dataset, target):
        with suppress(OperationFailure):
            storage.collection.create_index(f"{path}._id", name=_INDEX + path)


def drop_ids_index(dataset: Dataset, config: _Config) -> None:
    """Drops that index with the last run on the list.

    Args:
        dataset: the dataset.
        config: the run's that is deleted.
    """
    storage, others = config.target.storage(dataset), set()
    for one in _configs(dataset):
        same = one.target.storage(dataset) == storage
        if same and one.token != config.token:
            others |= {*_listed(dataset, one.target)}
    _drop(storage, {*_listed(dataset, config.target)} - others)


def _drop(storage: Storage, lists: set[str]) -> None:
    there = storage.collection.index_information()
    for name in there.keys() & {_INDEX + path for path in lists}:
        with suppress(OperationFailure):  # another process was faster
            storage.collection.drop_index(name)


def _listed(dataset: Dataset, target: LabelTarget) -> tuple[str, ...]:
    """The list that the items lie in; none where they are documents.

    Nor where they lie in several, which no index would find them in.
    """
    lists = target.items(dataset).lists
    return lists if len(lists) == 1 else ()


def _configs(dataset: Dataset) -> Iterator[_Config]:
    """Those of all runs."""
    for key in dataset.list_brain_runs(type=TYPE):
        yield dataset.get_brain_info(key).config
