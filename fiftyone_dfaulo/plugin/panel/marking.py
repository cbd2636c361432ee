"""What a marking says of the batch in the grid, and what is taken back."""

from __future__ import annotations

from datetime import datetime

from fiftyone_dfaulo.adapter.review.learning import relearn
from fiftyone_dfaulo.adapter.review.verdicts import (
    EVERY_VERDICT,
    VERDICTS,
    read_verdicts,
)
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.selection import (
    Selected,
    VerdictChange,
    batch_of,
    mark_verdicts,
    read_selection,
    unmark_verdicts,
    whole_batch_of,
)
from fiftyone_dfaulo.plugin.host import JsonDict
from fiftyone_dfaulo.plugin.panel.events import Event
from fiftyone_dfaulo.plugin.panel.grid import show_unchecked

UNDO_STEPS = 10


def rest_of_batch(event: Event, verdict: str) -> Selected:
    """The selection, and with this verdict all else in the batch that is unchecked.

    Raises:
        InputError: if the grid shows no batch of the run, or another one than the
            button said, or everything in it is checked; or if what is selected has the
            verdict that the rest would get.
    """
    ids, review = batch_of(event.view), event.shown
    if ids is None or event.state.batch_run not in (None, review.key):
        raise InputError(
            f"The grid shows no batch of run {review.key!r}; press 'Next batch' first"
        )
    selected = read_selection(event.ctx, review)
    _check_sense(selected, verdict)
    verdicts = read_verdicts(review, ids)
    taken = {*selected.faulty, *selected.correct}
    rest = [i for i in ids if verdicts.get(i) is None and i not in taken]
    said = event.ctx.params.get("count")
    if said is not None and said != sum(v is None for v in verdicts.values()):
        raise InputError(
            "The grid has changed since the button was shown; look again. Nothing "
            "was marked"
        )
    if not rest and not taken:
        raise InputError("All of this batch is checked already")
    groups = selected._asdict()
    groups[verdict] = [*groups[verdict], *rest]
    return Selected(**groups)


def _check_sense(selected: Selected, verdict: str) -> None:
    """Refuses to give all of a batch one verdict if some of it was picked for it."""
    groups = selected._asdict()
    same = groups.pop(verdict)
    (others,) = groups.values()
    if same and not others:
        way = "Alt+click" if verdict == "faulty" else "Click"
        other = "correct" if verdict == "faulty" else "faulty"
        raise InputError(
            f"All that is selected is marked {verdict} already, and the rest would be "
            f"too. {way} those that are {other}, or take the selection away"
        )


def mark(event: Event, selected: Selected) -> bool:
    """Records verdicts, which can be undone step by step.

    Returns:
        whether the batch in the grid is checked by now, filtered or not.
    """
    review = event.shown
    changes = mark_verdicts(review, selected, by=event.by)
    batch = whole_batch_of(event.view) or []
    if changes:
        rank = {one: n for n, one in enumerate(batch)}
        changes.sort(key=lambda change: rank.get(change[0], len(rank)))
        step = {"at": f"{datetime.now():%H:%M}", "changes": changes}
        steps = [*read_steps(event.state.undo), step]
        event.state.undo = steps[-UNDO_STEPS:]
    open_ = [v is None for v in read_verdicts(review, batch).values()]
    return bool(open_) and not any(open_)


def read_steps(given: object) -> list[JsonDict]:
    """The markings that can be undone, oldest first, from the panel's state.

    Each has ``at``, the time of day, and ``changes``, as :func:`mark_verdicts` says;
    none if they were made up.
    """
    steps = given if isinstance(given, list) else []
    return steps if all(map(_is_step, steps)) else []


def _is_step(step: object) -> bool:
    if not (isinstance(step, dict) and isinstance(step.get("at"), str)):
        return False
    changes = step.get("changes")
    return isinstance(changes, list) and all(
        isinstance(c, (list, tuple))
        and len(c) == 3
        and isinstance(c[0], str)
        and c[1] in (None, *EVERY_VERDICT)
        and c[2] in VERDICTS
        for c in changes
    )


def take_back(event: Event, steps: list[JsonDict]) -> str:
    """Undoes markings, the newest first, and shows what they were of.

    Args:
        event: the event.
        steps: the last of those that can be undone, oldest first.

    Returns:
        what was done, in a sentence.
    """
    back = left = 0
    for step in reversed(steps):
        some, others = unmark_verdicts(event.shown, step["changes"], by=event.by)
        back, left = back + some, left + others
    every = read_steps(event.state.undo)
    event.state.undo = every[: len(every) - len(steps)]
    said = f"Taken back: {back} verdicts"
    if left:
        said += f"; {left} marked otherwise since were left alone"
    if relearn(event.shown):
        said += "; the ranking has unlearned them"
    changes = [change for step in steps for change in step["changes"]]
    if is_shown(event, changes):
        event.show_written()
    else:
        event.ops.reload_dataset()
        ids = dict.fromkeys(one for one, *_ in changes)
        show_unchecked(event, [*ids])
    return said


def is_shown(event: Event, changes: list[VerdictChange]) -> bool:
    """Whether the grid shows all that a step of undoing is about."""
    batch = whole_batch_of(event.view)
    if batch is None:
        return True  # no batch: the grid shows what the person has chosen
    return {one for one, *_ in changes} <= {*batch}
