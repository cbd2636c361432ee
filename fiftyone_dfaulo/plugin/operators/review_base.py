"""What the operators of a review have in common: a run, a form, one call."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators.executor import ExecutionResult

from fiftyone_dfaulo.adapter.doors import check_given
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.review.session import ReviewSession
from fiftyone_dfaulo.adapter.runs.lookup import list_runs
from fiftyone_dfaulo.errors import DFauLoError, InputError
from fiftyone_dfaulo.plugin.app.current_run import current_run, patches_anew
from fiftyone_dfaulo.plugin.app.review_target import open_in_app
from fiftyone_dfaulo.plugin.forms.fields import dropdown
from fiftyone_dfaulo.plugin.forms.problems import add_problem
from fiftyone_dfaulo.plugin.host import Context, Inputs, JsonDict
from fiftyone_dfaulo.plugin.operators.base import Operator, check_params
from fiftyone_dfaulo.plugin.operators.running import Messages, run_or_notify


class ReviewOperator(Operator):
    """An operator that asks for a run and more, and calls the adapter once.

    Besides the attributes of :class:`.base.Operator`, a subclass has :meth:`act`; and
    :meth:`ask_of_run`, if it asks for more than the run.

    Attributes:
        takes: the names of what ``__call__`` takes besides the samples and the key.
        needs: which of :class:`.RunFields` must exist.
        clears_selection: whether nothing is selected in the grid afterwards.
    """

    needs: tuple[str, ...] = ("suspiciousness", "verdict")
    clears_selection = False

    def __call__(
        self, samples: Samples, brain_key: str = "dfaulo", **params: Any
    ) -> ExecutionResult:
        """Executes the operator from Python.

        Args:
            samples: the dataset, or any view into it.
            brain_key: the key of the run.
            **params: as the function of the operator's name takes them.

        Returns:
            the result, or in a notebook a task to await.

        Raises:
            InputError: if a parameter is unknown.
        """
        check_params(params, self.takes)
        return self.call(samples, brain_key, params)

    def call(
        self, samples: Samples, brain_key: str, params: JsonDict
    ) -> ExecutionResult:
        """Executes the operator with the parameters of its form.

        Raises:
            DFauLoError: if these are no samples, or their dataset was deleted.
        """
        check_given(samples)
        context = {
            "dataset": samples._root_dataset,
            "view": samples.view(),
            "params": {"brain_key": brain_key, **params},
        }
        return foo.execute_operator(self.uri, context)

    def ask(self, inputs: Inputs, ctx: Context) -> None:
        """Asks for the run, and for what there is to ask of it."""
        try:
            review = self._open(ctx)
            runs = list_runs(ctx.dataset)
            dropdown(inputs, "brain_key", runs, default=review.key, label="Run")
            self.ask_of_run(inputs, ctx, review)
        except DFauLoError as error:
            add_problem(inputs, "This cannot be done", str(error))

    def execute(self, ctx: Context) -> Messages[None] | None:
        """Acts, and has the App show the change, or why there is none."""
        return self.act_and_show(ctx)

    def act_and_show(self, ctx: Context) -> Messages[None]:
        """The messages of :meth:`execute`."""
        done = yield from run_or_notify(ctx, lambda: self.act(ctx, self._open(ctx)))
        if self.clears_selection:
            yield ctx.ops.set_selected_samples([])
        patches = patches_anew(ctx.view)
        if patches is not None:  # first: the App keeps the tiles of what it reloads
            yield ctx.ops.set_view(patches)
        yield ctx.ops.reload_dataset()
        yield ctx.ops.notify(done, variant="success")

    def _open(self, ctx: Context) -> ReviewSession:
        key = require_run(ctx)
        return open_in_app(ctx, key, *self.needs, recent=True)

    def ask_of_run(self, inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
        """Adds to the form what there is to ask besides the run."""

    def act(self, ctx: Context, review: ReviewSession) -> str:
        """Does the work, and says in one sentence what was done."""
        raise NotImplementedError


def require_run(ctx: Context) -> str:
    """The key of the run that the form asks for, or of the current one.

    Raises:
        InputError: if the dataset has no run.
    """
    key = current_run(ctx)
    if key is None:
        raise InputError(
            "This dataset has no run yet. Execute 'Find suspicious labels' first"
        )
    return key


def count_items(review: ReviewSession, count: int) -> str:
    """A number of the run's items in words, as in ``"3 objects"``."""
    return count_in_words(count, review.target.noun)


def count_in_words(count: int, noun: str = "sample") -> str:
    """A number of samples, or of something else, in words."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
