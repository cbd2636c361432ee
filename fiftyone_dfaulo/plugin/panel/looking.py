"""One item beside others that are like it: what speaks for its label, and against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import fiftyone as fo

from fiftyone_dfaulo.adapter.review.batches import take_batch
from fiftyone_dfaulo.adapter.review.explaining import Explanation, explain
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.verdicts import read_verdicts
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.plain_text import plain
from fiftyone_dfaulo.plugin.app.selection import batch_of, list_view, selected_ids
from fiftyone_dfaulo.plugin.panel import grid
from fiftyone_dfaulo.plugin.panel.events import Event, guarded

SHOWN = 5
"""Neighbours of a class in the grid: of ten that are known, those beside the item."""


class Looked(NamedTuple):
    """What was last looked at; the panel's state holds it as ``why``.

    Attributes:
        ids: of the item, and of those shown beside it.
        back: ids of the batch that the grid showed before, if it did.
        words: what the panel says of it, a sentence each.
    """

    ids: list[str]
    back: list[str]
    words: list[str]


def read_looked(why: object) -> Looked | None:
    """This, from the panel's state; None if there is none, or it was made up."""
    if not isinstance(why, Mapping):
        return None
    ids, back, words = (_texts(why.get(name)) for name in Looked._fields)
    return Looked(ids, back, words) if ids else None


def _texts(value: object) -> list[str]:
    every = value if isinstance(value, list) else []
    return every if all(isinstance(one, str) for one in every) else []


def is_looked_at(event: Event) -> bool:
    """Whether the grid shows what was last looked at, as the view itself says."""
    looked, stages = read_looked(event.state.why), event.view._stages
    ordered = [one for one in stages if isinstance(one, fo.Select) and one.ordered]
    return bool(looked and ordered and [*ordered[-1].sample_ids] == looked.ids)


def looking_lines(why: object) -> list[str]:
    """What the panel says of it, as markdown, a paragraph each."""
    looked = read_looked(why)
    return [plain(line) for line in looked.words] if looked else []


class Looking:
    """The events that show an item beside its neighbours, and lead back."""

    def refresh(self, event: Event, *, fresh: bool = False) -> None:
        """Reads what the panel shows."""
        raise NotImplementedError

    @guarded
    def show_why(self, event: Event) -> None:
        """The item that is selected, else the next of the batch, beside its like."""
        review, batch = event.shown, _batch(event)
        one = _pick(event, review, batch)
        why = explain(review, [one])[one]
        near = [] if why.near_duplicate is None else [why.near_duplicate]
        beside = [*near, *why.like_label[:SHOWN], *why.like_suggestion[:SHOWN]]
        ids = [*dict.fromkeys([one, *beside])]
        words = [_order(why, review.target.noun), *why.words]
        event.state.why = Looked(ids, batch, words)._asdict()
        event.ops.set_selected_samples([])
        event.show_batch_of(None, looking=True)
        event.show(list_view(event.ctx, review, ids))

    @guarded
    def back(self, event: Event) -> None:
        """What the grid showed before."""
        looked = read_looked(event.state.why)
        if looked and looked.back:
            open_ = [
                v is None for v in read_verdicts(event.shown, looked.back).values()
            ]
            grid.show_checked(event, looked.back, sum(open_))
        else:
            grid.show_part(event, event.state.filter)


def _batch(event: Event) -> list[str]:
    """Ids of the batch in the grid, or of the one that was there before a look."""
    looked = read_looked(event.state.why) if is_looked_at(event) else None
    return looked.back if looked else batch_of(event.view) or []


def _pick(event: Event, review: ReviewSession, batch: list[str]) -> str:
    """Id of the item to look at."""
    chosen = selected_ids(event.ctx, review)
    if chosen:
        return chosen[0]
    looked = read_looked(event.state.why) if is_looked_at(event) else None
    verdicts = read_verdicts(review, batch)
    unchecked = [one for one in batch if one in verdicts and verdicts[one] is None]
    if looked and looked.ids[0] in unchecked:
        at = unchecked.index(looked.ids[0])
        unchecked = [*unchecked[at + 1 :], *unchecked[: at + 1]]
    ids = unchecked or take_batch(review, 1, event.state.filter).ids or batch
    if not ids:
        raise InputError(f"Nothing is left to check; select a {review.target.noun}")
    return ids[0]


def _order(why: Explanation, noun: str) -> str:
    """What the grid shows, in its order."""
    parts = [f"The {noun} in question"]
    if why.near_duplicate is not None:
        parts.append("the one that is nearly the same")
    if why.like_label:
        label = why.label or "without a label"
        parts.append(f"{len(why.like_label[:SHOWN])} that are {label}")
    if why.like_suggestion:
        count = len(why.like_suggestion[:SHOWN])
        label = why.suggested_label or "without a label"
        parts.append(f"{count} that are {label}")
    return f"{', then '.join(parts)}."
