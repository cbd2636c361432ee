"""What all operators are made of.

To add an operator, subclass :class:`Operator`, :class:`LongOperator`,
:class:`DelegableOperator`, or :class:`.review_base.ReviewOperator`; then list the class
in ``plugin/__init__.py`` and its name in ``fiftyone.yml``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.executor import ExecutionResult

from fiftyone_dfaulo.adapter.doors import check_given, database_errors
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.errors import DFauLoError, InputError
from fiftyone_dfaulo.plugin.forms.problems import add_problem
from fiftyone_dfaulo.plugin.forms.texts import check_texts
from fiftyone_dfaulo.plugin.host import (
    TARGET_IS_ANSWER,
    Context,
    Inputs,
    JsonDict,
    Property,
    RiskLevel,
)
from fiftyone_dfaulo.plugin.operators.running import (
    Messages,
    report_to_database,
    run_at_once,
)

RequestT = TypeVar("RequestT")
"""What a form asks for."""

ResultT = TypeVar("ResultT")
"""What a long run returns."""


class Operator(foo.Operator):
    """An operator of this plugin.

    A subclass sets the attributes without a value below, and has ``execute``. If it has
    a form, it has :meth:`ask` too. ``__call__`` is what Python users call.

    Attributes:
        name_: the name in ``fiftyone.yml``, without the plugin's.
        label: what the App calls the operator.
        description: one line for the App's list of operators.
        icon: the name of a Material icon.
        risk: what the operator can do to a dataset.
        takes: the names of the parameters that ``__call__`` passes on.
        is_listed: whether the App's list of operators shows it.
        has_form: whether :meth:`ask` builds a form. The App builds it anew after every
            keystroke.
        sends_messages: whether ``execute`` is a generator of messages to the App.
        can_be_delegated: whether the App offers to schedule a run.
    """

    name_: str
    label: str
    description: str
    icon: str
    risk: RiskLevel = RiskLevel.MEDIUM
    takes: tuple[str, ...] = ()
    is_listed = True
    has_form = True
    sends_messages = True
    can_be_delegated = False

    @property
    def config(self) -> foo.OperatorConfig:
        """How FiftyOne lists and runs this operator."""
        return foo.OperatorConfig(
            name=self.name_,
            label=self.label,
            description=self.description,
            icon=self.icon,
            dynamic=self.has_form,
            execute_as_generator=self.sends_messages,
            allow_immediate_execution=True,
            allow_delegated_execution=self.can_be_delegated,
            risk_level=self.risk,
            unlisted=not self.is_listed,
        )

    def resolve_input(self, ctx: Context) -> Property | None:
        """The form with its problems so far; None if the operator has no form."""
        if not self.has_form:
            return None
        inputs = types.Object()
        try:
            with database_errors():
                check_texts(ctx.params)
                self.ask(inputs, ctx)
        except DFauLoError as error:
            add_problem(inputs, "This cannot be done", str(error))
        return types.Property(inputs, view=self.frame())

    def frame(self) -> types.View:
        """What the form stands in: a dialog, with the operator's label."""
        return types.View(label=self.label)

    def ask(self, inputs: Inputs, ctx: Context) -> None:
        """Adds the form's fields, and marks what is wrong with their values."""


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
        with database_errors():
            request = self.read(ctx)
        return self.run_here(ctx, request)

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
        with database_errors():
            request = self.read(ctx)
            if ctx.delegated:
                done = self.work(request, report_to_database(ctx))
                return self.summarize(request, done)
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


def check_params(params: Iterable[str], known: Sequence[str], more: str = "") -> None:
    """Refuses what would be ignored.

    Args:
        params: names of what was passed from Python.
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


def call(
    uri: str,
    samples: Samples,
    params: Mapping[str, object],
    *,
    request_delegation: bool = False,
) -> ExecutionResult:
    """Executes an operator on a dataset or view from Python.

    Args:
        uri: the operator's.
        samples: a dataset or view.
        params: the parameters of its form.
        request_delegation: whether to leave the run to a worker.

    Raises:
        DFauLoError: if these are no samples, or their dataset was deleted.
    """
    check_given(samples)
    target = "dataset" if isinstance(samples, fo.Dataset) else "view"
    if TARGET_IS_ANSWER and target == "view":
        params = {"view_target": "CURRENT_VIEW", **params}
    request = {target: samples, "params": params}
    return foo.execute_operator(uri, request, request_delegation=request_delegation)
