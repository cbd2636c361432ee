"""What all operators are made of.

To add an operator, subclass :class:`Operator`, :class:`.long_running.LongOperator`,
:class:`.long_running.DelegableOperator`, or :class:`.review_base.ReviewOperator`; then
list the class in ``plugin/__init__.py`` and its name in ``fiftyone.yml``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import TypeVar

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.executor import ExecutionResult
from fiftyone.operators.types import RiskLevel

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.errors import DFauLoError, InputError
from fiftyone_dfaulo.plugin.host import Context, Inputs, Message, Property

T = TypeVar("T")
Messages = Generator[Message, None, T]
"""Messages to the App as they come; then what the work returned."""


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
        )

    def resolve_input(self, ctx: Context) -> Property | None:
        """The form with its problems so far; None if the operator has no form."""
        if not self.has_form:
            return None
        inputs = types.Object()
        self.ask(inputs, ctx)
        return types.Property(inputs, view=types.View(label=self.label))

    def ask(self, inputs: Inputs, ctx: Context) -> None:
        """Adds the form's fields, and marks what is wrong with their values."""


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
    """
    target = "dataset" if isinstance(samples, fo.Dataset) else "view"
    request = {target: samples, "params": params}
    return foo.execute_operator(uri, request, request_delegation=request_delegation)


def run_or_notify(ctx: Context, work: Callable[[], T]) -> Messages[T]:
    """Does something short; if it is refused, the App shows why.

    Returns:
        what the work returns.

    Raises:
        DFauLoError: what the work raises.
    """
    try:
        return work()
    except DFauLoError as error:
        yield ctx.ops.notify(str(error), variant="error")
        raise
