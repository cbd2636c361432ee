"""Whether a run can be written under a key without touching what is not its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.runs.brain_run import TYPE, DFauLoConfig
from fiftyone_dfaulo.adapter.runs.ownerless import ownerless_fields
from fiftyone_dfaulo.adapter.storage.documents import Storage
from fiftyone_dfaulo.adapter.storage.schema import (
    ReviewFields,
    field_names,
    part_of,
    review_names,
)
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.sample import SampleTarget
from fiftyone_dfaulo.errors import RunError


def unfinished_key(brain_key: str) -> str:
    """The key under which a run is written that will replace another."""
    return f"{brain_key}_unfinished"


def check_key(
    dataset: Dataset,
    brain_key: Any,
    *,
    target: LabelTarget | None = None,
    overwrite: bool = False,
) -> None:
    """Makes sure that a run can be written under this key.

    Args:
        dataset: the dataset, reloaded.
        brain_key: the key.
        target: the labels that the run scores; None is one class a sample.
        overwrite: whether a run that holds verdicts may be replaced.

    Fields that a run has made which is gone, as in the clone of a view, are not in the
    way, unless they hold verdicts or original labels; the run clears them.

    Raises:
        RunError: if the key is no identifier, ends in ``_unfinished``, or belongs to
            another type of run; if a field that the run would write exists and is not
            its own; if the run to be replaced holds verdicts or original labels and
            ``overwrite`` is False; or if a run under :func:`unfinished_key` holds some.
    """
    if (
        not isinstance(brain_key, str)
        or not brain_key.isidentifier()
        or brain_key.startswith("_")
    ):
        raise RunError(
            f"brain_key={brain_key!r} cannot be used; expected letters, digits and "
            "underscores, a letter first"
        )
    if brain_key.endswith(unfinished_key("")):
        raise RunError(
            f"brain_key={brain_key!r} cannot be used: runs that are being replaced are "
            f"written under keys that end in {unfinished_key('')!r}; pass another one"
        )
    target, spare = target or SampleTarget(""), unfinished_key(brain_key)
    storage = target.storage(dataset)
    owned = _owned_fields(storage, brain_key) | _owned_fields(storage, spare)
    paths = [*target.all_paths(brain_key), *target.all_paths(spare)]
    ownerless = ownerless_fields(storage, paths)
    if not overwrite:
        _check_no_ownerless_review(storage, ownerless)
    taken = [
        path
        for path in paths
        if path not in owned and path not in ownerless and _exists(storage, path)
    ]
    if taken:
        names = ", ".join(taken)
        fields = f"brain_key={brain_key!r} would overwrite the fields {names}"
        if owner := _owner(storage, taken):
            raise RunError(
                f"{fields}, which are those of brain run {owner!r}: its renaming was "
                "not finished. repair(dataset) finishes it; or pass another brain_key"
            )
        raise RunError(
            f"{fields}, which are no DFauLo run's of that key; pass another brain_key, "
            "or rename or delete the fields"
        )
    if held := _held(dataset, spare):
        raise RunError(
            f"brain run {spare!r} holds {held}, and runs that are being replaced are "
            "written under that key; rename it with rename_brain_run() first"
        )
    if not overwrite:
        check_no_review(dataset, brain_key)


def is_free(dataset: Dataset, brain_key: str) -> bool:
    """Whether no field of the samples or of their labels is named after a key."""
    names = {path.rpartition(".")[2] for path in dataset.get_field_schema(flat=True)}
    if dataset.media_type == "video":
        frames = dataset.get_frame_field_schema(flat=True) or {}
        names |= {path.rpartition(".")[2] for path in frames}
    return not names & {*field_names(brain_key), *review_names(brain_key)}


def count_scored(dataset: Dataset, brain_key: str) -> int:
    """The number of items that a run has scored and that still exist."""
    config = dataset.get_brain_info(brain_key).config
    return _count(dataset, config, config.run_fields.suspiciousness)


def _exists(storage: Storage, name: str) -> bool:
    """Whether there is such a field, or such an attribute, declared or not."""
    if storage.has_field(name):
        return True
    if "." not in name:
        return False
    query = {name: {"$exists": True}}
    return storage.collection.find_one(query, {"_id": True}) is not None


def _check_no_ownerless_review(storage: Storage, ownerless: Iterable[str]) -> None:
    """Makes sure that nobody's work is in fields that have lost their run."""
    held = [
        path
        for path in ownerless
        if part_of(path.rpartition(".")[2]) in ("verdict", *ReviewFields._fields)
        and storage.collection.find_one({path: {"$nin": [None, []]}}, {"_id": True})
    ]
    if held:
        raise RunError(
            f"the fields {', '.join(held)} hold the review of a run that is not here, "
            "as in the clone of a view; pass another brain_key or overwrite=True, or "
            "see repair()"
        )


def _owned_fields(storage: Storage, brain_key: str) -> set[str]:
    """Those fields there that belong to the run under this key, if there is one."""
    dataset = storage.dataset
    if not dataset.has_brain_run(brain_key):
        return set()
    config = dataset.get_brain_info(brain_key).config
    if not isinstance(config, DFauLoConfig):
        raise RunError(
            f"brain_key={brain_key!r} is taken by a brain run of type "
            f"{config.type!r}; pass another brain_key, or delete that run first"
        )
    if config.target.frames != storage.frames:
        return set()
    return set(config.own_fields(dataset))


def _owner(storage: Storage, paths: Iterable[str]) -> str | None:
    """The key of a run that has made some of these fields, if there is one."""
    dataset, wanted = storage.dataset, set(paths)
    for key in dataset.list_brain_runs(type=TYPE):
        config = dataset.get_brain_info(key).config
        same = config.target.frames == storage.frames
        if same and wanted.intersection(config.own_fields(dataset)):
            return str(key)
    return None


def check_no_review(dataset: Dataset, brain_key: str) -> None:
    """Makes sure that nobody's work is lost with the run under this key, if any.

    Raises:
        RunError: if a sample has a verdict in it, or an original label.
    """
    if held := _held(dataset, brain_key):
        first = "revert_suggestions first, " if "original" in held else ""
        raise RunError(
            f"brain run {brain_key!r} holds {held}, which replacing it would delete; "
            f"{first}pass another brain_key to keep them, or overwrite=True"
        )


def _held(dataset: Dataset, brain_key: str) -> str:
    """What people have put into the run under this key, if there is one."""
    if not dataset.has_brain_run(brain_key):
        return ""
    config = dataset.get_brain_info(brain_key).config
    verdicts, originals = _count(dataset, config, config.run_fields.verdict), 0
    if config.review_fields is not None:
        originals = _count(dataset, config, config.review_fields.original_label)
    counts = (
        (verdicts, "verdicts"),
        (originals, f"original labels of corrected {config.target.noun}s"),
    )
    return " and ".join(f"{count} {what}" for count, what in counts if count)


def _count(dataset: Dataset, config: DFauLoConfig, name: str) -> int:
    """Items with a value, counted in all slices of a grouped dataset."""
    return config.target.items(dataset).count({name: {"$ne": None}})
