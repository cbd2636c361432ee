"""What operators that run long have in common: how they are called and how they run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeVar

import fiftyone as fo
import fiftyone.operators as foo
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionRunState

from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.errors import Cancelled, InputError
from fiftyone_dfaulo.plugin.app.background import in_background, throttled
from fiftyone_dfaulo.plugin.app.summaries import show_failure

_DATABASE_PERIOD = 1.0
"""Seconds between two updates of a delegated run's progress in the database."""

T = TypeVar("T")


def check_params(
    params: Mapping[str, Any], known: Sequence[str], more: str = ""
) -> None:
    """Refuses what would be ignored.

    Args:
        params: what was passed from Python.
        known: names of what is used.
        more: where there is more to find, a sentence that ends the message.

    Raises:
        InputError: if a parameter is unknown.
    """
    unknown = sorted(set(params) - set(known))
    if unknown:
        raise InputError(
            f"unknown parameters {', '.join(unknown)}; expected some of "
            f"{', '.join(known) or 'none'}{more}"
        )


def call(uri: str, samples: Any, params: dict[str, Any], **how: Any) -> Any:
    """Executes an operator on a dataset or view from Python.

    Args:
        uri: the operator's.
        samples: a dataset or view.
        params: the answers to its form.
        **how: as :func:`fiftyone.operators.execute_operator` takes it.
    """
    target = "dataset" if isinstance(samples, fo.Dataset) else "view"
    return foo.execute_operator(uri, {target: samples, "params": params}, **how)


def run_at_once(ctx: Any, work: Callable[[Report], T]) -> Generator[Any, None, T]:
    """Works beside the operator, and has the App show how far it is, or why it failed.

    Args:
        ctx: the :class:`fiftyone.operators.executor.ExecutionContext`.
        work: gets a report to tell its progress by.
    """

    def message(stage: str, fraction: float) -> Any:
        return ctx.ops.set_progress(label=stage, progress=fraction)

    try:
        return (yield from in_background(work, message))
    except Exception as error:
        # What a generator raises does not reach the App, Python users get that only.
        yield ctx.ops.show_output(show_failure(error).to_json(), {})
        raise


def report_to_database(ctx: Any) -> Report:
    """Reports to the operation in the database, and stops with it."""
    check = stop_if_failed(ctx.request_params.get("run_doc"))

    def send(stage: str, fraction: float) -> None:
        check()
        ctx.set_progress(progress=fraction, label=stage)

    return throttled(send, period=_DATABASE_PERIOD)


def stop_if_failed(operation: Any) -> Callable[[], None]:
    """Raises Cancelled once somebody has marked the operation as failed."""
    service = DelegatedOperationService()

    def check() -> None:
        if operation is None:
            return
        if service.get(operation).run_state == ExecutionRunState.FAILED:
            raise Cancelled("The run was marked as failed; the dataset is as it was.")

    return check
