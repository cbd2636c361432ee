"""What a selection in the grid says: which samples are faulty, which correct.

In a view of patches the App's samples are patches, and their ids those of the objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import fiftyone as fo

from fiftyone_dfaulo.adapter.review.verdicts import record_verdicts
from fiftyone_dfaulo.adapter.runs.brain_run import load_config

Verdicts = dict[str, str | None]
"""Id of a sample, or of an object, to its verdict; None if it is not checked."""


class Selected(NamedTuple):
    """Ids of the samples selected in the grid, by the type of their selection."""

    faulty: list[str]
    correct: list[str]

    def __bool__(self) -> bool:
        return bool(self.faulty or self.correct)


def read_selection(ctx: Any, brain_key: str) -> Selected:
    """Reads a normal selection as faulty, an alternative one (Alt+click) as correct."""
    faulty: list[str] = []
    correct: list[str] = []
    for one, kind in _selection(ctx, brain_key):
        (correct if kind == "alt" else faulty).append(one)
    return Selected(faulty, correct)


def selected_ids(ctx: Any, brain_key: str) -> list[str]:
    """Ids of what is selected in the App: samples, patches, or labels of the run."""
    return [one for one, _ in _selection(ctx, brain_key)]


def _selection(ctx: Any, brain_key: str) -> list[tuple[str, str | None]]:
    """Ids with the types of their selection; labels come before samples.

    But not before patches: a label that was selected in one of them stays so, unseen,
    once it is closed.
    """
    labels = ctx.selected_labels or []
    patches = ctx.selected and ctx.view is not None and ctx.view._is_patches
    if labels and not patches:
        config = load_config(ctx.dataset, brain_key)
        ours = [one for one in labels if one.get("field") == config.label_field]
        if config.list_path and ours:
            return [(one["label_id"], one.get("type")) for one in ours]
    known = {s["id"]: s.get("type") for s in ctx.selected_samples}
    return [(sample, known.get(sample)) for sample in ctx.selected]


def batch_of(view: Any) -> list[str] | None:
    """Ids of the samples in the grid, if it shows a batch; else None.

    A batch is an ordered selection; that the view itself says so, and no state, lets
    a review go on after the page was loaded again. Longer lists, of which most samples
    are never looked at, are :func:`no_batch`.
    """
    stages = view._stages
    ordered = any(isinstance(one, fo.Select) and one.ordered for one in stages)
    limited = any(isinstance(one, fo.Limit) for one in stages)
    return list(view.values("id")) if ordered and not limited else None


def no_batch(view: Any) -> Any:
    """The same samples in the same order, which :func:`batch_of` takes for no batch."""
    return view.limit(len(view))


def read_verdicts(samples: Any, brain_key: str, ids: Sequence[str]) -> Verdicts:
    """The verdicts of these samples, or objects, in their order."""
    config = load_config(samples, brain_key)
    name, place = config.run_fields.verdict, config.place
    collection = place.storage(samples._root_dataset).collection
    found = place.find(collection, list(ids), {}, name)
    verdicts = {str(item["_id"]): item.get(name) for item in found}
    return {i: verdicts[i] for i in ids if i in verdicts}


def mark(
    samples: Any, brain_key: str, selected: Selected, *, by: str | None = None
) -> list[tuple[str, str | None, str]]:
    """Records verdicts.

    Returns:
        for each sample whose verdict changed, its id, the verdict before and the one
        after; see :func:`unmark`.
    """
    before = read_verdicts(samples, brain_key, [*selected.faulty, *selected.correct])
    record_verdicts(
        samples, brain_key, faulty=selected.faulty, correct=selected.correct, by=by
    )
    after = {
        **dict.fromkeys(selected.faulty, "faulty"),
        **dict.fromkeys(selected.correct, "correct"),
    }
    return [(i, before.get(i), v) for i, v in after.items() if before.get(i) != v]


def unmark(
    samples: Any,
    brain_key: str,
    changes: Sequence[Sequence[Any]],
    *,
    by: str | None = None,
) -> tuple[int, int]:
    """Gives samples the verdicts they had before :func:`mark`.

    Samples that were deleted, or that somebody has marked otherwise since, are left
    alone.

    Returns:
        the number of samples given their verdict back, and of those left alone.
    """
    now = read_verdicts(samples, brain_key, [change[0] for change in changes])
    back: Mapping[str | None, list[str]] = {"faulty": [], "correct": [], None: []}
    for one, before, after in changes:
        if now.get(one, "") == after:
            back[before].append(one)
    count = sum(map(len, back.values()))
    if count:
        record_verdicts(
            samples,
            brain_key,
            faulty=back["faulty"],
            correct=back["correct"],
            cleared=back[None],
            by=by,
        )
    return count, len(changes) - count
