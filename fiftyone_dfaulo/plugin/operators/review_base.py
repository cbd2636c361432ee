"""What the operators of a review have in common: a run, a form, one call."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.types import RiskLevel

from fiftyone_dfaulo.adapter.runs.brain_run import load_config
from fiftyone_dfaulo.errors import DFauLoError, InputError
from fiftyone_dfaulo.plugin.app.current_run import current_run, list_runs, patches_anew
from fiftyone_dfaulo.plugin.forms.problems import add_problem
from fiftyone_dfaulo.plugin.operators.base import check_params

NO_RUN = "This dataset has no run yet. Execute 'Find suspicious labels' first"


class ReviewOperator(foo.Operator):
    """A form that asks for a run and more, and one call of the adapter."""

    name_: str
    label: str
    description: str
    icon: str
    risk = RiskLevel.MEDIUM
    takes: tuple[str, ...] = ()
    """What ``__call__`` takes besides the samples and the key."""
    clears_selection = False

    @property
    def config(self) -> foo.OperatorConfig:
        """How FiftyOne lists and runs this operator."""
        return foo.OperatorConfig(
            name=self.name_,
            label=self.label,
            description=self.description,
            icon=self.icon,
            dynamic=True,
            execute_as_generator=True,
            risk_level=self.risk,
        )

    def __call__(self, samples: Any, brain_key: str = "dfaulo", **params: Any) -> Any:
        """Executes the operator from Python.

        Args:
            samples: the dataset, or any view into it.
            brain_key: the key of the run.
            **params: as the function of the operator's name takes them.

        Returns:
            a :class:`fiftyone.operators.executor.ExecutionResult`, or in a notebook a
            task to await.

        Raises:
            InputError: if a parameter is unknown.
        """
        check_params(params, self.takes)
        context = {
            "dataset": samples._root_dataset,
            "view": samples.view(),
            "params": {"brain_key": brain_key, **params},
        }
        return foo.execute_operator(self.uri, context)

    def resolve_input(self, ctx: Any) -> types.Property:
        """The form, with what is wrong with the answers so far."""
        inputs = types.Object()
        try:
            key = _add_run(inputs, ctx)
            self.ask(inputs, ctx, key)
        except DFauLoError as error:
            add_problem(inputs, "This cannot be done", str(error))
        return types.Property(inputs, view=types.View(label=self.label))

    def execute(self, ctx: Any) -> Generator[Any, None, None]:
        """Acts, and has the App show the change, or why there is none."""
        try:
            key = current_run(ctx)
            if key is None:
                raise InputError(NO_RUN)
            said = self.act(ctx, key)
        except DFauLoError as error:
            yield ctx.ops.notify(str(error), variant="error")
            raise
        if self.clears_selection:
            yield ctx.ops.set_selected_samples([])
        patches = patches_anew(ctx.view)
        if patches is not None:  # first: the App keeps the tiles of what it reloads
            yield ctx.ops.set_view(patches)
        yield ctx.ops.reload_dataset()
        yield ctx.ops.notify(said, variant="success")

    def ask(self, inputs: types.Object, ctx: Any, key: str) -> None:
        """Adds to the form what there is to ask beside the run."""

    def act(self, ctx: Any, key: str) -> str:
        """Does it, and says in a sentence what was done."""
        raise NotImplementedError


def _add_run(inputs: types.Object, ctx: Any) -> str:
    runs, key = list_runs(ctx.dataset), current_run(ctx)
    if key is None:
        raise InputError(NO_RUN)
    choices = types.Dropdown()
    for run in runs:
        choices.add_choice(run, label=run)
    load_config(ctx.dataset, key)  # says more than the form, where there is none
    inputs.enum("brain_key", runs, default=key, label="Run", view=choices)
    return key


def add_choice(
    inputs: types.Object, name: str, label: str, choices: dict[str, str]
) -> None:
    """Adds radio buttons, value to text; the first is the default."""
    group = types.RadioGroup(orientation="vertical")
    for value, text in choices.items():
        group.add_choice(value, label=text)
    inputs.enum(
        name, list(choices), default=next(iter(choices)), label=label, view=group
    )


def counted(ctx: Any, key: str, count: int) -> str:
    """A number of what a run has scored, samples or objects, in words."""
    return samples(count, load_config(ctx.dataset, key).place.noun)


def samples(count: int, noun: str = "sample") -> str:
    """A number of samples, or of something else, in words."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
