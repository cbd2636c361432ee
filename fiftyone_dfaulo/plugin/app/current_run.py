"""Which run the panel, the forms and the toolbar's buttons speak of."""

from __future__ import annotations

from collections.abc import Mapping

import fiftyone as fo

from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.adapter.runs.lookup import times_of_runs
from fiftyone_dfaulo.plugin.host import Context

_STORE, _CHOICE = "dfaulo_review", "choice"


def current_run(ctx: Context, runs: Mapping[str, str] | None = None) -> str | None:
    """The run asked for, else the one last chosen in the panel, else the newest.

    A run that is asked for is returned as it is, whether or not it exists. A choice
    ends with the next run.

    Args:
        ctx: the context of the request.
        runs: what :func:`.lookup.times_of_runs` says of the dataset, if it is known.
    """
    asked = ctx.params.get("brain_key")
    if asked:
        return str(asked)
    if runs is None:
        runs = times_of_runs(ctx.dataset)
    if not runs:
        return None
    choice = ctx.store(_STORE).get(_CHOICE) or {}
    newest, time = next(iter(runs.items()))
    if choice.get("run") not in runs or time > choice["newest"]:
        return newest
    return str(choice["run"])


def choose_run(ctx: Context, brain_key: str) -> None:
    """Makes this the run that panel, forms and buttons speak of, until the next one."""
    newest = max(times_of_runs(ctx.dataset).values(), default="")
    ctx.store(_STORE).set(_CHOICE, {"run": brain_key, "newest": newest})


def tile_fields(config: DFauLoConfig) -> list[str]:
    """The fields to show on the tiles: of patches, those of their object."""
    names, path = config.run_fields, config.target.tile_path
    shown = (names.suggestion, names.suspiciousness, names.verdict)
    _, beside = config.target.beside()
    return [config.label_field, *beside, *map(path, shown)]


def patches_anew(view: Samples | None) -> Samples | None:
    """The same view of patches, made anew; None if it is no view of patches.

    FiftyOne makes the patches of a view once, and shows them as they were then. Frames
    that they are patches of stay: what is written is shown in those.
    """
    if view is None or not view._is_patches:
        return None
    stages = view._serialize(include_uuids=False)
    for stage in stages:  # the state says which patches were made
        if not stage["_cls"].endswith(".ToFrames"):
            kwargs = [pair for pair in stage["kwargs"] if pair[0] != "_state"]
            stage["kwargs"] = kwargs
    dataset: Dataset = view._root_dataset
    return fo.DatasetView._build(dataset, stages)
