"""What a marking says of the batch in the grid."""

from __future__ import annotations

from fiftyone_dfaulo.adapter.review.verdicts import read_verdicts
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.selection import Selected, batch_of, read_selection
from fiftyone_dfaulo.plugin.panel.events import Event


def rest_of_batch(event: Event) -> Selected:
    """The selection, and as correct all else in the batch that is unchecked.

    Raises:
        InputError: if the grid shows no batch of the run, or another one than the
            button said, or everything in it is checked.
    """
    ids, review = batch_of(event.view), event.shown
    if ids is None or event.state.batch_run not in (None, review.key):
        raise InputError(
            f"The grid shows no batch of run {review.key!r}; press 'Next batch' first"
        )
    selected = read_selection(event.ctx, review)
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
    return Selected(selected.faulty, [*selected.correct, *rest])
