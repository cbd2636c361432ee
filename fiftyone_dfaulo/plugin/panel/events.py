"""What the events of the panel have in common: how they fail, and what they ask."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import fiftyone.core.odm as foo
from fiftyone.core.dataset import DatasetNotFoundError

from fiftyone_dfaulo.adapter.runs.brain_run import load_config
from fiftyone_dfaulo.errors import DFauLoError, InputError
from fiftyone_dfaulo.plugin.app.current_run import tile_fields
from fiftyone_dfaulo.plugin.panel.view import BATCH

if TYPE_CHECKING:
    from fiftyone_dfaulo.plugin.panel.panel import ReviewPanel

logger = logging.getLogger(__name__)

Event = Callable[["ReviewPanel", Any], None]


def guarded(event: Event) -> Event:
    """Has an event say what went wrong; nothing is lost then, and the panel stays."""

    @wraps(event)
    def safe(self: ReviewPanel, ctx: Any) -> None:
        try:
            try:
                event(self, ctx)
            except DFauLoError as error:
                ctx.ops.notify(str(error), variant="error")
                self.refresh(ctx)
        except DatasetNotFoundError:
            _say_where_it_is(ctx)
        except Exception as error:
            logger.exception("The panel failed at %s", event.__name__)
            ctx.panel.state.facts = {"problem": f"{type(error).__name__}: {error}"}

    return safe


def _say_where_it_is(ctx: Any) -> None:
    """Follows a dataset to its new name, or says that it is gone.

    The panel's state stays as it is: the App would store it with the dataset, and end
    in an error of its own.
    """
    old, uid = ctx.dataset_name, (ctx.panel.state.facts or {}).get("dataset_id")
    try:
        name = foo.load_dataset(id=uid).name if uid else None
    except ValueError:
        name = None
    if name is None:
        said = f"The dataset {old!r} was deleted; open another one"
        ctx.ops.notify(said, variant="error")
        return
    ctx.ops.notify(f"The dataset {old!r} is now called {name!r}", variant="warning")
    ctx.ops.open_dataset(name)


def asked_size(ctx: Any) -> Any:
    """The size of a batch that was typed in, whether or not it makes sense."""
    asked = ctx.panel.state.batch_size
    return BATCH if asked is None else asked


def batch_size(ctx: Any) -> int:
    """The size to estimate for; the usual one while none that makes sense is asked."""
    asked = asked_size(ctx)
    return asked if isinstance(asked, int) and asked > 0 else BATCH


def run_key(ctx: Any) -> str:
    """The key of the run that the panel shows.

    Raises:
        InputError: if it shows none.
    """
    key = (ctx.panel.state.facts or {}).get("key")
    if key is None:
        raise InputError("There is no run to review; execute 'Find suspicious labels'")
    return str(key)


def shown_fields(ctx: Any, key: str) -> list[str]:
    """The fields to show on the tiles."""
    return tile_fields(load_config(ctx.dataset, key))
