"""Finds the runs of a dataset, and makes sure that their fields are there."""

from __future__ import annotations

from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.runs.brain_run import TYPE, DFauLo, DFauLoConfig
from fiftyone_dfaulo.adapter.storage.refresh import refresh
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.shown import path_in
from fiftyone_dfaulo.errors import InputError, RunError


def list_runs(dataset: Dataset) -> list[str]:
    """Keys of the dataset's DFauLo runs that are written whole, the newest first."""
    return list(times_of_runs(dataset))


def times_of_runs(dataset: Dataset) -> dict[str, str]:
    """Keys of the same runs, in that order, to when each was made.

    The times are text; later ones are greater.
    """
    keys = dataset.list_brain_runs(type=TYPE)
    infos = {key: DFauLo.get_run_info(dataset, key) for key in keys}
    whole = {k: info.timestamp for k, info in infos.items() if info.config.complete}
    newest_first = sorted(whole, key=lambda key: whole[key], reverse=True)
    return {key: whole[key].isoformat() for key in newest_first}


def is_dfaulo_run(samples: Samples, key: str) -> bool:
    """Whether a DFauLo run has this key."""
    return key in samples._root_dataset.list_brain_runs(type=TYPE)


def fields_of_runs(dataset: Dataset, *, frames: bool = False) -> dict[str, str]:
    """Path of each field of a DFauLo run to the run's key.

    Args:
        dataset: the dataset.
        frames: whether it is about fields of the frames of its videos.
    """
    configs = {
        key: dataset.get_brain_info(key).config
        for key in dataset.list_brain_runs(type=TYPE)
    }
    return {
        path: key
        for key, config in configs.items()
        if config.target.frames == frames
        for path in config.fields
    }


def load_config(samples: Samples, brain_key: str) -> DFauLoConfig:
    """The config of a finished DFauLo run.

    Args:
        samples: a dataset or view.
        brain_key: the key of the run.

    Raises:
        RunError: if there is no such run, it is of another type, or it was
            interrupted while its results were written.
    """
    dataset = samples._root_dataset
    if not dataset.has_brain_run(brain_key):
        refresh(dataset)  # the run may come from another process
    if not dataset.has_brain_run(brain_key):
        keys = ", ".join(map(repr, dataset.list_brain_runs(type=TYPE))) or "none yet"
        raise RunError(
            f"dataset {dataset.name!r} has no brain run {brain_key!r}; its DFauLo "
            f"runs: {keys}. Run compute_suspiciousness first, or pass another "
            "brain_key"
        )
    config = dataset.get_brain_info(brain_key).config
    if not isinstance(config, DFauLoConfig):
        raise RunError(
            f"brain run {brain_key!r} is of type {config.type!r}, not a DFauLo run; "
            "pass another brain_key"
        )
    if not config.complete:
        raise RunError(
            f"brain run {brain_key!r} was interrupted while its results were "
            "written; run compute_suspiciousness again"
        )
    return config


def check_run_field(
    samples: Samples, brain_key: str, target: LabelTarget, path: str
) -> None:
    """Makes sure that a field of the run exists, and that the view holds it.

    Raises:
        RunError: if the field was deleted.
        InputError: if the view leaves it out.
    """
    if not target.storage(samples._root_dataset).has_field(path):
        raise RunError(
            f"field {path!r} of brain run {brain_key!r} was deleted; run "
            "compute_suspiciousness again"
        )
    if not samples.has_field(path_in(samples, target, path)):
        also = ", or made before the run; then reload() it" if target.frames else ""
        raise InputError(
            f"field {path!r} of brain run {brain_key!r} is left out of this view, by "
            f"select_fields() or exclude_fields(){also}; pass a view that holds it"
        )
