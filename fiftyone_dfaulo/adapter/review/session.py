"""A review of one run: opened once, and handed to all that a request does.

It holds the run as the database has it, checked, and reads and writes its items: see
:mod:`.items` for what these are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import fiftyone as fo
from bson import ObjectId
from fiftyone.core.collections import SampleCollection
from pymongo import UpdateOne

from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.reading.given_ids import (
    not_in_dataset,
    not_scored,
    read_ids,
)
from fiftyone_dfaulo.adapter.reading.mapped import check_not_mapped
from fiftyone_dfaulo.adapter.results.compared import ComparedResults
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.adapter.runs.lookup import check_run_field, load_config
from fiftyone_dfaulo.adapter.runs.stored import stored_config
from fiftyone_dfaulo.adapter.storage.declaration import declare, missing
from fiftyone_dfaulo.adapter.storage.documents import Storage, batches
from fiftyone_dfaulo.adapter.storage.frames import show
from fiftyone_dfaulo.adapter.storage.items import SAMPLE, Item, Items, Query
from fiftyone_dfaulo.adapter.storage.lease import changing
from fiftyone_dfaulo.adapter.storage.refresh import refresh
from fiftyone_dfaulo.adapter.storage.schema import (
    ReviewFields,
    RunFields,
    field_names,
    review_names,
)
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.label_edits import LabelEdit
from fiftyone_dfaulo.adapter.targets.shown import check_kind, path_in
from fiftyone_dfaulo.errors import InputError, RunError

_MANY = 1_000  # items whose samples are reloaded one by one


@dataclass(frozen=True)
class ReviewSession:
    """A finished run whose items are reviewed.

    Attributes:
        samples: what the review was opened with: a dataset or view.
        dataset: the dataset, as the database has it.
        key: the key of the run.
        config: the run's.
        target: the labels that it scored.
        items: their items in the database.
        fields: names of the run's values.
        own: names of what the review adds.
        recent: whether :func:`.state.read_state` keeps what it reads, for a while.
    """

    samples: Samples
    dataset: Dataset
    key: str
    config: DFauLoConfig
    target: LabelTarget
    items: Items
    fields: RunFields
    own: ReviewFields
    recent: bool = False

    @property
    def storage(self) -> Storage:
        """The dataset's samples, or its frames: where the items lie."""
        return self.target.storage(self.dataset)

    def on(self, view: Samples) -> ReviewSession:
        """The same review of a view: what is written is shown there."""
        return replace(self, samples=view)

    def load_results(self) -> ComparedResults:
        """The results of the run, also where another process has replaced it.

        Raises:
            RunError: if there are none.
        """
        for cache in (True, False):
            results = self.dataset.load_brain_results(self.key, cache=cache)
            if results is not None and results.config.token == self.config.token:
                return results
        raise RunError(
            f"brain run {self.key!r} has no results; run compute_suspiciousness again"
        )

    def label_edit(self) -> LabelEdit:
        """How labels of this run are corrected, and brought back."""
        original = self.own.original_label
        return self.target.label_edit(self.items, original, self.load_results)

    # ---- checks ----

    def need(self, *parts: str) -> ReviewSession:
        """This review, once some of :class:`.RunFields` are known to exist.

        Raises:
            RunError: if one was deleted.
        """
        for part in parts:
            path = self.target.path(getattr(self.fields, part))
            check_run_field(self.dataset, self.key, self.target, path)
        return self

    def check_label_field(self, advice: str) -> None:
        """Makes sure that the labels that were scored are still there.

        Raises:
            RunError: if their field was deleted or renamed; ends in the advice.
        """
        if not self.storage.has_field(self.config.label_field):
            raise RunError(
                f"the label field {self.config.label_field!r} of brain run "
                f"{self.key!r} was deleted or renamed; {advice}"
            )

    def add_field(self, part: str) -> None:
        """Makes sure that one of :class:`.ReviewFields` exists and is the run's own.

        Raises:
            RunError: if a field of that name exists that is not the run's.
        """
        with self._writing():
            owned = self.config.own_fields(self.dataset)
            paths = [*map(self.target.path, self.own)]
            taken = [n for n in paths if self.storage.has_field(n) and n not in owned]
            if taken:
                raise RunError(
                    f"brain run {self.key!r} needs the fields {', '.join(taken)}, "
                    "which exist and are not its own; rename or delete them"
                )
            if self.config.review_fields is None:
                # Owned before they exist: a crash in between leaves nothing behind.
                run = self.config.build()
                run.save_fields(self.dataset, self.key, [*run.config.fields, *paths])
            path = self.target.path(getattr(self.own, part))
            if missing(self.storage, [path]):
                fields = {
                    f.path: f for f in self.target.review_fields(self._field_key())
                }
                declare(self.storage, [fields[path]], self.config.token)

    def _field_key(self) -> str:
        """The key that the run's fields have, if a renaming of the run failed too."""
        return self.fields.verdict.removesuffix("_verdict")

    def other_slices(self) -> list[str]:
        """Group slices that the run is on, where the active one is none of them."""
        dataset = self.dataset
        if dataset.media_type != "group":
            return []
        name = f"{dataset.group_field}.name"
        scored = {field_names(self._field_key()).suspiciousness: {"$ne": None}}
        slices = dataset._sample_collection.distinct(name, scored)
        return [] if dataset.group_slice in slices else sorted(slices)

    def ids_in(self, samples: Samples) -> list[str] | None:
        """Ids of the items of a view; None for a dataset, which means all.

        Raises:
            InputError: if it is a view of patches that the run has not scored.
        """
        if isinstance(samples, fo.Dataset):
            return None
        if self.target.shows_patches(samples):
            return list(samples.values("id"))
        ids = [f"{at}.id" for at in self.items.lists] or ["id"]
        paths = [path_in(samples, self.target, path) for path in ids]
        return [one for some in samples.values(paths, unwind=True) for one in some]

    def given_ids(self, ids: Any, name: str = "ids") -> list[str]:
        """Ids as strings, each once; see :func:`.given_ids.read_ids`.

        Raises:
            InputError: as there.
        """
        return read_ids(self.target, self.key, ids, name)

    def find(
        self, ids: Sequence[str] | None, query: Query, *names: str
    ) -> Iterator[dict[str, Any]]:
        """The items that match; see :meth:`.Items.find`. What is no id matches none."""
        valid = None if ids is None else [*filter(ObjectId.is_valid, ids)]
        return self.items.find(valid, query, *names)

    def find_scored(self, ids: Sequence[str], *names: str) -> dict[str, dict[str, Any]]:
        """These items, by id, in the order of the ids.

        Raises:
            InputError: if the dataset does not hold one of them, or the run has no
                score for it.
        """
        score = self.fields.suspiciousness
        found = {str(d["_id"]): d for d in self.find(ids, {}, score, *names)}
        if unknown := [one for one in ids if one not in found]:
            raise InputError(not_in_dataset(self.target, self.dataset, unknown))
        if outside := [one for one in ids if found[one].get(score) is None]:
            raise InputError(not_scored(self.target, self.key, outside))
        return {one: found[one] for one in ids}

    def write(self, updates: Sequence[UpdateOne]) -> tuple[int, int]:
        """Writes; returns how many items matched, and how many of these changed.

        Raises:
            RunError: if the run was deleted, replaced or renamed meanwhile, or the
                database was away.
        """
        matched = changed = 0
        for part in batches(updates):
            with self._writing():
                done = self.items.documents.bulk_write(list(part), ordered=False)
            matched += done.matched_count
            changed += done.modified_count
        return matched, changed

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Holds the dataset's lease while the run is the one that was opened."""
        with changing(self.dataset):
            stored = stored_config(self.dataset, self.key, self.config.token)
            path = self.target.path(self.fields.verdict)
            if not (stored and stored["complete"] and path in stored["fields"]):
                raise RunError(
                    f"brain run {self.key!r} was deleted, replaced or renamed by "
                    "another process meanwhile; nothing more was written to it. Look "
                    "at the dataset's runs and try again"
                )
            yield

    def show_written(self, items: Iterable[Item]) -> None:
        """Lets samples in memory, and a view of frames, show what was written."""
        written = list(items)
        ids = {item[SAMPLE] for item in written} if len(written) <= _MANY else None
        self.storage.reload(ids)
        show(self.samples, self.config.label_field, ids)


def open_review(
    samples: Samples,
    brain_key: str,
    *needed: str,
    reload: bool = True,
    recent: bool = False,
) -> ReviewSession:
    """The run as the database has it now, with the fields that are needed.

    Args:
        samples: a dataset or view.
        brain_key: the key of the run.
        *needed: which of :class:`.RunFields` must exist.
        reload: whether to load the dataset anew; not where that was just done.
        recent: as of :class:`ReviewSession`.

    Raises:
        InputError: if ``samples`` is neither a dataset nor a view, one of frames where
            the run has scored samples, or one that maps the labels.
        RunError: if the dataset, the run or a needed field was deleted, or the run was
            interrupted.
    """
    if not isinstance(samples, SampleCollection):
        raise InputError(
            f"samples is a {type(samples).__name__}; expected a FiftyOne dataset or "
            "view"
        )
    dataset = samples._root_dataset
    if reload:
        refresh(dataset)
    config = load_config(dataset, brain_key)
    check_kind(samples, brain_key, config.target)
    check_not_mapped(samples, config.target)
    target = config.target.with_fields(config.own_fields(dataset))
    return ReviewSession(
        samples,
        dataset,
        brain_key,
        config,
        target,
        target.items(dataset),
        config.run_fields,
        config.review_fields or review_names(brain_key),
        recent,
    ).need(*needed)
