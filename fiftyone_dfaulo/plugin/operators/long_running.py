"""Operators that run long: they show their progress, or leave the run to a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from bson import ObjectId
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionResult, ExecutionRunState

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.errors import Cancelled
from fiftyone_dfaulo.plugin.app.background import in_background, throttled
from fiftyone_dfaulo.plugin.app.summaries import show_failure
from fiftyone_dfaulo.plugin.host import Context, JsonDict, Message, Property
from fiftyone_dfaulo.plugin.operators.base import (
    Messages,
    Operator,
    call,
    check_params,
)

_DATABASE_PERIOD = 1.0
"""Seconds between two updates of a delegated run's progress in the database."""

T = TypeVar("T")
RequestT = TypeVar("RequestT")
"""What a form asks for."""

ResultT = TypeVar("ResultT")
"""What a long run returns."""


class LongOperator(Operator, Generic[RequestT, ResultT]):
    """An operator that works on the labels of a field, and shows its progress.

    Besides the attributes of :class:`Operator`, a subclass has :meth:`read`,
    :meth:`work` and :meth:`show`.
    """

    def __call__(
        self, samples: Samples, label_field: str = "ground_truth", **params: Any
    ) -> ExecutionResult:
        """Executes the operator from Python.

        Args:
            samples: a dataset or view.
            label_field: the field with the labels.
            **params: the operator's parameters, as its function takes them.

        Returns:
            the result, or in a notebook a task to await.

        Raises:
            InputError: if a parameter is unknown or cannot be used here.
        """
        self.check(params)
        return call(self.uri, samples, {"label_field": label_field, **params})

    def check(self, params: Mapping[str, object]) -> None:
        """Refuses parameters that ``__call__`` does not know or cannot pass on.

        Raises:
            InputError: if there are any.
        """
        check_params(params, self.takes)

    def execute(self, ctx: Context) -> Messages[None] | JsonDict:
        """Runs, and sends the App the progress and the result."""
        return self.run_here(ctx, self.read(ctx))

    def run_here(self, ctx: Context, request: RequestT) -> Messages[None]:
        """Runs in this process, and sends the App the progress and the result."""
        done = yield from run_at_once(ctx, lambda report: self.work(request, report))
        yield from self.show(ctx, request, done)

    def read(self, ctx: Context) -> RequestT:
        """What the form asks for.

        Raises:
            InputError: if a value cannot be used.
        """
        raise NotImplementedError

    def work(self, request: RequestT, report: Report) -> ResultT:
        """Does the work, and reports how far it is."""
        raise NotImplementedError

    def show(self, ctx: Context, request: RequestT, result: ResultT) -> Messages[None]:
        """Shows the result in the App."""
        raise NotImplementedError


class DelegableOperator(LongOperator[RequestT, ResultT]):
    """A long operator that a worker can run as well.

    Besides what :class:`LongOperator` needs, a subclass has :meth:`summarize` and
    :meth:`show_summary`; and :meth:`resolve_run_name`, which names a delegated run.
    """

    can_be_delegated = True

    def __call__(
        self,
        samples: Samples,
        label_field: str = "ground_truth",
        *,
        delegate: bool = False,
        **params: Any,
    ) -> ExecutionResult:
        """Executes the operator from Python.

        Args:
            samples: a dataset or view.
            label_field: the field with the labels.
            delegate: whether to leave the run to ``fiftyone delegated launch``.
            **params: the operator's parameters, as its function takes them.

        Returns:
            the result, or in a notebook a task to await.

        Raises:
            InputError: if a parameter is unknown or cannot be used here.
        """
        self.check(params)
        given = {"label_field": label_field, **params}
        return call(self.uri, samples, given, request_delegation=delegate)

    def execute(self, ctx: Context) -> Messages[None] | JsonDict:
        """Runs: in this process, as a generator of messages to the App; or delegated.

        Returns:
            a generator; or of a delegated run its summary, which FiftyOne keeps.
        """
        request = self.read(ctx)
        if ctx.delegated:
            return self.summarize(request, self.work(request, report_to_database(ctx)))
        return self.run_here(ctx, request)

    def show(self, ctx: Context, request: RequestT, result: ResultT) -> Messages[None]:
        """Shows the summary in the App."""
        shown = self.show_summary(self.summarize(request, result))
        yield ctx.ops.show_output(shown.to_json(), {})

    def resolve_output(self, ctx: Context) -> Property | None:
        """The summary of a delegated run; an immediate one has shown its own."""
        return self.show_summary(ctx.results) if ctx.results else None

    def summarize(self, request: RequestT, result: ResultT) -> JsonDict:
        """What people want to know of the result, as JSON."""
        raise NotImplementedError

    def show_summary(self, summary: JsonDict) -> Property:
        """A summary as the App shows it."""
        raise NotImplementedError


def run_at_once(ctx: Context, work: Callable[[Report], T]) -> Messages[T]:
    """Works in a thread; the App shows the progress, or why the work failed.

    Args:
        ctx: the operator's context.
        work: takes a function to report its progress to.

    Returns:
        what the work returns.
    """

    def message(stage: str, fraction: float) -> Message:
        return ctx.ops.set_progress(label=stage, progress=fraction)

    try:
        return (yield from in_background(work, message))
    except Exception as error:
        # The App does not show what a generator raises; Python users get that only.
        yield ctx.ops.show_output(show_failure(error).to_json(), {})
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
