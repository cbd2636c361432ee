"""How an operator works while the App, or the database, follows its progress."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar
from uuid import uuid4

from bson import ObjectId
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionRunState

from fiftyone_dfaulo.adapter.doors import database_errors
from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.errors import Cancelled, DFauLoError
from fiftyone_dfaulo.plugin.app.background import in_background, throttled
from fiftyone_dfaulo.plugin.app.summaries import show_failure, show_progress
from fiftyone_dfaulo.plugin.host import Context, Message

_DATABASE_PERIOD = 1.0
"""Seconds between two updates of a delegated run's progress in the database."""

T = TypeVar("T")

Messages = Generator[Message, None, T]
"""Messages to the App as they come; then what the work returned."""


def run_at_once(ctx: Context, work: Callable[[Report], T]) -> Messages[T]:
    """Works in a thread; the App shows the progress, or why the work failed.

    Args:
        ctx: the operator's context.
        work: takes a function to report its progress to.

    Returns:
        what the work returns.
    """

    name = uuid4().hex

    def message(stage: str, fraction: float) -> Message:
        shown = show_progress(stage, name)
        return ctx.ops.show_output(shown.to_json(), {"progress": fraction})

    try:
        with database_errors():
            return (yield from in_background(work, message, name))
    except Exception as error:
        # The App does not show what a generator raises; Python users get that only.
        yield ctx.ops.show_output(show_failure(error).to_json(), {})
        raise


def run_or_notify(ctx: Context, work: Callable[[], T]) -> Messages[T]:
    """Does something short; if it is refused, the App shows why.

    Returns:
        what the work returns.

    Raises:
        DFauLoError: what the work raises.
    """
    try:
        with database_errors():
            return work()
    except DFauLoError as error:
        yield ctx.ops.notify(str(error), variant="error")
        raise


def report_to_database(ctx: Context) -> Report:
    """Reports to the operation in the database, and stops with it."""
    check = stop_if_failed(ctx.request_params.get("run_doc"))

    def send(stage: str, fraction: float) -> None:
        check()
        ctx.set_progress(progress=fraction, label=stage)

    return throttled(send, period=_DATABASE_PERIOD)


def stop_if_failed(operation: ObjectId | str | None) -> Callable[[], None]:
    """A check that raises Cancelled once somebody has marked an operation as failed.

    Args:
        operation: its id in the database; None if it has none.
    """
    service = DelegatedOperationService()

    def check() -> None:
        if operation is None:
            return
        if service.get(operation).run_state == ExecutionRunState.FAILED:
            raise Cancelled("The run was marked as failed; the dataset is as it was.")

    return check
