"""What the fields of a run are called, and which of a dataset's are a run's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.adapter.targets.multilabel import MISSING, tag_paths
from fiftyone_dfaulo.adapter.targets.schema import TOKEN

if TYPE_CHECKING:
    from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig


class RunFields(NamedTuple):
    """Names of what one run writes beside each label: fields, or attributes."""

    suspiciousness: str
    suggestion: str
    reasons: str
    verdict: str


class ReviewFields(NamedTuple):
    """Names of what a run gets in addition when its review first needs it."""

    history: str
    original_label: str


def field_names(brain_key: str) -> RunFields:
    """Names of the fields that a run under this key writes."""
    return RunFields(*(f"{brain_key}_{part}" for part in RunFields._fields))


def review_names(brain_key: str) -> ReviewFields:
    """Names of the fields that the review of a run under this key adds."""
    return ReviewFields(*(f"{brain_key}_{part}" for part in ReviewFields._fields))


def all_names(brain_key: str, place: Place) -> list[str]:
    """Paths of all fields that a run under this key, and its review, may make."""
    names = (*field_names(brain_key), *review_names(brain_key))
    top = [names[0]] if place.list_path else []
    return [*map(place.path, names), *top, *tag_paths(brain_key, place)]


def part_of(name: str) -> str:
    """Which of the run's fields this is: its name without the key."""
    parts = (*RunFields._fields, *ReviewFields._fields, MISSING)
    return next(part for part in parts if name.endswith(f"_{part}"))


def rekeyed(path: str, brain_key: str) -> str:
    """What a field of a run is called once the run has this key."""
    at, dot, name = path.rpartition(".")
    return f"{at}{dot}{brain_key}_{part_of(name)}"


def own_fields(dataset: Any, config: DFauLoConfig) -> list[str]:
    """Those of a run's fields that exist and that the run itself made.

    Every field carries its run's token, so that a field of the same name that somebody
    has made since is not taken for the run's.
    """
    storage = config.place.storage(dataset)
    return [
        name
        for name in config.fields
        if storage.has_field(name)
        and (storage.get_field(name).info or {}).get(TOKEN) == config.token
    ]
