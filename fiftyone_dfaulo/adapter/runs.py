"""The brain run: how FiftyOne stores, lists, renames, deletes and loads one.

FiftyOne stores the full paths of these classes with every run and imports them by
it, so neither this module nor its classes may ever move or change their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import fiftyone.core.brain as fob
from fiftyone.core.sample import Sample

from fiftyone_dfaulo.adapter.places import Place, drop_attributes, move_attributes
from fiftyone_dfaulo.adapter.results import DFauLoResults
from fiftyone_dfaulo.adapter.schema import TOKEN, add_field
from fiftyone_dfaulo.adapter.tags import MISSING, kept_lists, tag_paths
from fiftyone_dfaulo.errors import InputError, RunError

__all__ = [
    "TOKEN",
    "DFauLo",
    "DFauLoConfig",
    "DFauLoResults",
    "ReviewFields",
    "RunFields",
    "all_names",
    "check_run_field",
    "field_names",
    "load_config",
    "own_fields",
    "review_names",
]


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


def load_config(samples: Any, brain_key: str) -> DFauLoConfig:
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
        dataset.reload()  # the run may come from another process
    if not dataset.has_brain_run(brain_key):
        keys = ", ".join(map(repr, dataset.list_brain_runs(type=DFauLo))) or "none yet"
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


def check_run_field(samples: Any, brain_key: str, name: str) -> None:
    """Makes sure that a field of the run exists, and that the view holds it.

    Raises:
        RunError: if the field was deleted.
        InputError: if the view leaves it out.
    """
    if not samples._root_dataset.has_sample_field(name):
        raise RunError(
            f"field {name!r} of brain run {brain_key!r} was deleted; run "
            "compute_suspiciousness again"
        )
    if not samples.has_sample_field(name):
        raise InputError(
            f"field {name!r} of brain run {brain_key!r} is left out of this view, by "
            "select_fields() or exclude_fields(); pass a view that holds it"
        )


class DFauLoConfig(fob.BrainMethodConfig):
    """What a run was asked to do, and with what.

    Args:
        label_field: the field whose labels were scored.
        settings: :meth:`fiftyone_dfaulo.config.Settings.to_dict`.
        embeddings: name of the field or key of the brain run that the embeddings
            came from, ``"array"`` where they were passed in, or None.
        versions: package name to version.
        fields: paths of the fields that belong to the run: those of
            :class:`RunFields`, and once the review needs one of them those of
            :class:`ReviewFields`; while they are being renamed, the old names followed
            by the new ones. If objects were scored, these are attributes of theirs,
            and the sample's maximum is among them; if tags were, so are those of
            :func:`.tags.tag_paths`.
        complete: whether all results are written.
        token: random string that tells apart two runs under one key.
        list_path: where in a sample the list of the objects that were scored lies,
            such as ``"ground_truth.detections"``; None if samples were scored.
        tags_path: where in a sample the list of the tags that were scored lies, such
            as ``"ground_truth.classifications"``; None if an item has one class.
        **kwargs: anything that a later version of this package stores.
    """

    def __init__(
        self,
        label_field: str,
        settings: Mapping[str, Any],
        embeddings: str | None = None,
        versions: Mapping[str, str | None] | None = None,
        fields: Sequence[str] = (),
        complete: bool = False,
        token: str | None = None,
        list_path: str | None = None,
        tags_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.label_field = label_field
        self.settings = dict(settings)
        self.embeddings = embeddings
        self.versions = dict(versions or {})
        self.fields = list(fields)
        self.complete = complete
        self.token = token
        self.list_path = list_path
        self.tags_path = tags_path
        super().__init__(**kwargs)

    @property
    def type(self) -> str:
        """The type of run, as ``list_brain_runs(type=...)`` takes it."""
        return "dfaulo"

    @property
    def method(self) -> str:
        """``"dfaulo"`` or ``"paper"``, as ``list_brain_runs(method=...)`` takes it."""
        return str(self.settings["method"])

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.settings["seed"])

    @property
    def run_fields(self) -> RunFields:
        """Names of what the run writes beside each label; see :attr:`place`."""
        return RunFields(*(self._names()[part] for part in RunFields._fields))

    @property
    def review_fields(self) -> ReviewFields | None:
        """Names of what the review adds; None if it has added nothing."""
        names = self._names()
        if any(part not in names for part in ReviewFields._fields):
            return None
        return ReviewFields(*(names[part] for part in ReviewFields._fields))

    @property
    def missing_field(self) -> str | None:
        """Name of the field with the tags that look missing; None without tags."""
        return self._names().get(MISSING)

    @property
    def place(self) -> Place:
        """Where the items that were scored lie, and the run's values beside them."""
        if self.list_path is None:
            return Place(self.label_field, tags_path=self.tags_path)
        top = next((name for name in self.fields if "." not in name), None)
        score = self._names().get("suspiciousness")
        return Place(self.label_field, self.list_path, top, score)

    def _names(self) -> dict[str, str]:
        """Part to name of the items' values; the first that is listed."""
        names: dict[str, str] = {}
        for path in self.fields:
            at, _, name = path.rpartition(".")
            if at == (self.list_path or ""):
                names.setdefault(_part(name), name)
        return names


def _part(name: str) -> str:
    """Which of the run's fields this is: its name without the key."""
    parts = (*RunFields._fields, *ReviewFields._fields, MISSING)
    return next(part for part in parts if name.endswith(f"_{part}"))


def _rekeyed(path: str, brain_key: str) -> str:
    """What a field of a run is called once the run has this key."""
    at, dot, name = path.rpartition(".")
    return f"{at}{dot}{brain_key}_{_part(name)}"


def own_fields(dataset: Any, config: DFauLoConfig) -> list[str]:
    """Those of a run's fields that exist and that the run itself made.

    Every field carries its run's token, so that a field of the same name that somebody
    has made since is not taken for the run's.
    """
    return [
        name
        for name in config.fields
        if dataset.has_sample_field(name)
        and (dataset.get_field(name).info or {}).get(TOKEN) == config.token
    ]


class DFauLo(fob.BrainMethod):
    """A run of :func:`fiftyone_dfaulo.compute_suspiciousness`."""

    def get_fields(self, samples: Any, brain_key: str) -> list[str]:
        """The label field, and those of the run's own fields that exist."""
        own = own_fields(samples._root_dataset, self.config)
        return [self.config.label_field, *filter(samples.has_sample_field, own)]

    def rename(self, samples: Any, brain_key: str, new_brain_key: str) -> None:
        """Gives the run's fields, and the index, the names for its new key.

        Fields that were deleted by hand are passed over. The config lists the old
        and the new names while the fields move, so that after a crash in between
        all of them still belong to the run; calling this again finishes the job.

        Raises:
            RunError: if a new name is taken by a field that is not the run's. FiftyOne
                turns this into a warning and changes the key all the same; the run
                then keeps its fields under their old names.
        """
        dataset = samples._root_dataset
        new = [*dict.fromkeys(_rekeyed(n, new_brain_key) for n in self.config.fields)]
        if self.config.fields == new:
            return
        own = own_fields(dataset, self.config)
        taken = [
            name
            for name in all_names(new_brain_key, self.config.place)
            if dataset.has_sample_field(name) and name not in own
        ]
        if taken:
            raise RunError(
                f"cannot rename the fields of brain run {brain_key!r}: "
                f"{', '.join(taken)} exist already; choose another key"
            )
        moves = {n: _rekeyed(n, new_brain_key) for n in own if n not in new}
        self.save_fields(dataset, brain_key, [*self.config.fields, *new])
        self._move(dataset, moves)
        self.save_fields(dataset, brain_key, new)

    def _move(self, dataset: Any, moves: Mapping[str, str]) -> None:
        """Renames fields of the samples and attributes of the objects."""
        fields = {old: new for old, new in moves.items() if "." not in old}
        if fields:
            dataset.rename_sample_fields(fields)
        attributes = {old: new for old, new in moves.items() if old not in fields}
        if not attributes:
            return
        for old, new in attributes.items():
            if not dataset.has_sample_field(new):  # a crash may have left both
                add_field(dataset, new, _part(old), self.config.token)
        names = {
            o.rpartition(".")[2]: n.rpartition(".")[2] for o, n in attributes.items()
        }
        for path in self._lists(dataset):
            move_attributes(dataset._sample_collection, path, names)
        dataset.remove_dynamic_sample_fields(list(attributes))
        Sample._reload_docs(dataset._sample_collection_name)

    def cleanup(self, samples: Any, brain_key: str) -> None:
        """Deletes those of the run's fields that exist, and with them the index."""
        dataset = samples._root_dataset
        own = own_fields(dataset, self.config)
        if own:
            dataset.delete_sample_fields(own)
        names = [name.rpartition(".")[2] for name in own if "." in name]
        if names and self.config.tags_path:
            for path in self._lists(dataset):
                drop_attributes(dataset._sample_collection, path, names)

    def _lists(self, dataset: Any) -> list[str]:
        """Where the objects, or the tags, with attributes of the run lie.

        Tags that a correction of any run has removed are kept, with all that is on
        them, until it is reverted.
        """
        config = self.config
        if config.list_path:
            return [config.list_path]
        runs = dataset.list_brain_runs(type=config.type)
        others = [config, *(dataset.get_brain_info(key).config for key in runs)]
        same = [one for one in others if one.tags_path == config.tags_path]
        return kept_lists(config.tags_path, [n for one in same for n in one.fields])

    def save_fields(self, dataset: Any, brain_key: str, names: Sequence[str]) -> None:
        """Stores which sample fields belong to the run; see :class:`DFauLoConfig`."""
        self.config.fields = list(names)
        self.update_run_config(dataset, brain_key, self.config)
        if self.has_cached_run_results(dataset, brain_key):
            results = dataset.load_brain_results(brain_key)
            if results is not None:
                results.config.fields = list(names)
