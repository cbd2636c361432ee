"""Which run the panel, the forms and the toolbar's buttons speak of."""

from __future__ import annotations

from typing import Any

import fiftyone as fo

from fiftyone_dfaulo.adapter.runs.brain_run import DFauLo, DFauLoConfig

_STORE, _CHOICE = "dfaulo_review", "choice"


def list_runs(dataset: Any) -> list[str]:
    """Keys of the dataset's DFauLo runs that are written whole, the newest first."""
    keys = dataset.list_brain_runs(type="dfaulo")
    infos = {key: DFauLo.get_run_info(dataset, key) for key in keys}
    whole = [key for key, info in infos.items() if info.config.complete]
    return sorted(whole, key=lambda key: infos[key].timestamp, reverse=True)


def current_run(ctx: Any) -> str | None:
    """The run asked for, else the one last chosen in the panel, else the newest.

    A run that is asked for is returned as it is, whether or not it exists. A choice
    ends with the next run.
    """
    asked = ctx.params.get("brain_key")
    if asked:
        return str(asked)
    runs = list_runs(ctx.dataset)
    if not runs:
        return None
    chosen = ctx.store(_STORE).get(_CHOICE) or {}
    if chosen.get("run") not in runs or _made(ctx.dataset, runs[0]) > chosen["newest"]:
        return runs[0]
    return str(chosen["run"])


def choose_run(ctx: Any, brain_key: str) -> None:
    """Makes this the run that panel, forms and buttons speak of, until the next one."""
    newest = max(
        _made(ctx.dataset, run) for run in [*list_runs(ctx.dataset), brain_key]
    )
    ctx.store(_STORE).set(_CHOICE, {"run": brain_key, "newest": newest})


def _made(dataset: Any, brain_key: str) -> str:
    """When a run was made; later ones are greater."""
    return str(DFauLo.get_run_info(dataset, brain_key).timestamp.isoformat())


def tile_fields(config: DFauLoConfig) -> list[str]:
    """The fields to show on the tiles: of patches, those of their object."""
    names = config.run_fields
    shown = [names.suggestion, names.suspiciousness, names.verdict]
    if config.list_path:
        shown = [f"{config.label_field}.{name}" for name in shown]
    return [config.label_field, *shown]


def patches_anew(view: Any) -> Any | None:
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
    return fo.DatasetView._build(view._root_dataset, stages)
