"""What the events of the panel have in common: what they work on, and how they fail."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar

from fiftyone.core.dataset import DatasetNotFoundError
from pymongo.errors import ConnectionFailure

from fiftyone_dfaulo.adapter.doors import AWAY
from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.review.state.kept import forget_state
from fiftyone_dfaulo.adapter.storage.refresh import current_name
from fiftyone_dfaulo.errors import DFauLoError, InputError
from fiftyone_dfaulo.plugin.app.current_run import patches_anew, tile_fields
from fiftyone_dfaulo.plugin.app.review_target import open_in_app
from fiftyone_dfaulo.plugin.host import Context, style_selection
from fiftyone_dfaulo.plugin.panel.counts import BATCH

logger = logging.getLogger(__name__)


_STATE = {
    "facts": dict,
    "filter": dict,
    "undo": list,
    "run": str,
    "batch_run": str,
    "by": str,
    "batch": list,
    "share": str,
    "why": dict,
    "damage": list,
}
"""What the panel's state holds; the App sends it, and a foreign page may send any."""


class Event:
    """One event of the panel: what the App sent, and the review, opened once.

    Args:
        ctx: the context that FiftyOne made for it.

    Attributes:
        whole: whether all of a run is read anew, if that is quick.
    """

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.ops = ctx.ops
        self.state = ctx.panel.state
        self.whole = False
        for name, kind in _STATE.items():
            if not isinstance(ctx.panel.get_state(name), (kind, type(None))):
                ctx.panel.set_state(name, None)
        self._reviews: dict[str, ReviewSession] = {}

    @property
    def dataset(self) -> Dataset:
        """The dataset in the App."""
        return self.ctx.dataset

    @property
    def view(self) -> Samples:
        """What the grid shows."""
        return self.ctx.view

    @property
    def facts(self) -> dict[str, Any]:
        """What the panel shows; see :mod:`.panel`."""
        return self.state.facts or {}

    def review(self, brain_key: str) -> ReviewSession:
        """The review of a run; this event opens each once.

        Raises:
            DFauLoError: if there is no such run, or a field that it needs was deleted.
        """
        if brain_key not in self._reviews:
            needed = ("suspiciousness", "verdict")
            review = open_in_app(self.ctx, brain_key, *needed, recent=True)
            if self.whole:
                forget_state(review)
            self._reviews[brain_key] = review
        return self._reviews[brain_key]

    @property
    def shown(self) -> ReviewSession:
        """The review of the run that the panel shows.

        Raises:
            InputError: if it shows none.
            DFauLoError: as :meth:`review`.
        """
        key = self.facts.get("key")
        if key is None:
            raise InputError(
                "There is no run to review; execute 'Find suspicious labels'"
            )
        return self.review(str(key))

    @property
    def batch_size(self) -> Any:
        """The size of a batch that was typed in, whether or not it makes sense."""
        asked = self.state.batch_size
        return BATCH if asked is None else asked

    @property
    def usual_size(self) -> int:
        """The size to estimate for; the usual one while none that makes sense is."""
        asked = self.batch_size
        return asked if isinstance(asked, int) and asked > 0 else BATCH

    @property
    def by(self) -> str | None:
        """The reviewer's name, if it was typed in."""
        return self.state.by or None

    def keep(self, name: str, value: Any) -> None:
        """Writes a part of the panel's state, if it is another one.

        The App answers each write by loading the page's data anew, and forgets the
        filters of the sidebar then.
        """
        if self.ctx.panel.get_state(name) != value:
            self.ctx.panel.set_state(name, value)

    def show_batch_of(self, batch: list[int] | None, *, looking: bool = False) -> None:
        """Has this answer say how large the batch is, and how much of it is unchecked.

        It is not kept: it changes with every filter of the sidebar.

        Args:
            batch: these two numbers; None if the grid shows no batch.
            looking: whether it shows an item beside its neighbours.
        """
        self.ctx.panel_state["batch"] = batch
        self.ctx.panel_state["looking"] = looking

    def show(self, view: Samples) -> None:
        """Has the grid show a view, with what the run says on the tiles.

        The fields come first: the App loses fields that reach it while it changes the
        view.
        """
        self.ops.set_active_fields(tile_fields(self.shown.config))
        self.ops.set_view(view)

    def show_selection_style(self) -> None:
        """Has a click in the grid show a cross, for faulty, and Alt+click a check."""
        style_selection(self.ctx)

    def show_written(self) -> None:
        """Has the grid show what was written."""
        self.ops.reload_dataset()
        patches = patches_anew(self.view)
        if patches is not None:
            self.ops.set_view(patches)


class Refreshable(Protocol):
    """A panel whose events are :func:`guarded`."""

    def refresh(self, event: Event, *, fresh: bool = False) -> None:
        """Reads what the panel shows."""


P = TypeVar("P", bound=Refreshable)


def guarded(handle: Callable[[P, Event], None]) -> Callable[[P, Context], None]:
    """Has an event say what went wrong; nothing is lost then, and the panel stays."""

    @wraps(handle)
    def safe(self: P, ctx: Context) -> None:
        event = Event(ctx)
        try:
            try:
                handle(self, event)
            except DFauLoError as error:
                event.ops.notify(str(error), variant="error")
                self.refresh(event)
        except ConnectionFailure:  # the panel stays, as there is nothing to read
            event.ops.notify(AWAY, variant="error")
        except DatasetNotFoundError:
            _say_where_it_is(event)
        except Exception as error:
            logger.exception("The panel failed at %s", handle.__name__)
            event.state.facts = {"problem": f"{type(error).__name__}: {error}"}

    return safe


def _say_where_it_is(event: Event) -> None:
    """Follows a dataset to its new name, or says that it is gone.

    The panel's state stays as it is: the App would store it with the dataset, and end
    in an error of its own.
    """
    old, uid = event.ctx.dataset_name, event.facts.get("dataset_id")
    name = current_name(uid) if uid else None
    if name is None:
        message = f"The dataset {old!r} was deleted; open another one"
        event.ops.notify(message, variant="error")
        return
    message = f"The dataset {old!r} is now called {name!r}"
    event.ops.notify(message, variant="warning")
    event.ops.open_dataset(name)
