"""The operator that says how well the method would work on the samples at hand."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dfaulo.adapter.injection import quality
from fiftyone_dfaulo.adapter.injection.request import check_place
from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.plugin.app.evaluation_view import show_evaluation, to_json
from fiftyone_dfaulo.plugin.forms import params
from fiftyone_dfaulo.plugin.forms.compute import add_samples, add_scoring
from fiftyone_dfaulo.plugin.forms.injection import KINDS, add_kind, read_injection
from fiftyone_dfaulo.plugin.forms.problems import add_problem, problem_message
from fiftyone_dfaulo.plugin.operators.base import (
    call,
    check_params,
    report_to_database,
    run_at_once,
)

_PARAMS = (
    "kind",
    "rate",
    "pairs",
    "embeddings",
    "model",
    "method",
    *params.NUMBERS,
)
"""What ``__call__`` takes besides the samples and the label field."""


class EstimateQuality(foo.Operator):
    """Plants faults in a temporary copy, finds them, and reports."""

    @property
    def config(self) -> foo.OperatorConfig:
        """How FiftyOne lists and runs this operator."""
        return foo.OperatorConfig(
            name="estimate_quality",
            label="How well would this work on my data?",
            description="Plant faults in a temporary copy, find them, and report",
            icon="help_center",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.LOW,  # leaves nothing behind
        )

    def __call__(
        self,
        samples: Any,
        label_field: str = "ground_truth",
        *,
        delegate: bool = False,
        **params: Any,
    ) -> Any:
        """Executes the operator from Python.

        Args:
            samples: a dataset or view.
            label_field: the Classification field with the labels.
            delegate: whether to leave the run to ``fiftyone delegated launch``.
            **params: ``kind``, ``rate``, ``pairs``, ``embeddings``, ``model``,
                ``method``, ``seed``, ``epochs``, ``image_size``, ``batch_size``
                and ``num_workers``, as :func:`fiftyone_dfaulo.estimate_quality` takes
                them; embeddings by name only.

        Returns:
            a :class:`fiftyone.operators.executor.ExecutionResult`, or in a notebook a
            task to await.

        Raises:
            InputError: if a parameter is unknown.
        """
        check_params(params, _PARAMS)
        answered = {"label_field": label_field, **params}
        return call(self.uri, samples, answered, request_delegation=delegate)

    def resolve_input(self, ctx: Any) -> types.Property:
        """The form, with what is wrong with the answers so far."""
        inputs = types.Object()
        if add_samples(inputs, ctx, "Copy"):
            add_kind(inputs, ctx)
            add_scoring(inputs, ctx, with_key=False)
            if not any(prop.invalid for prop in inputs.properties.values()):
                problem = problem_message(_check, ctx)
                if problem:
                    add_problem(inputs, "This cannot be done", problem)
        return types.Property(inputs, view=types.View(label=self.config.label))

    def resolve_run_name(self, ctx: Any) -> str:
        """How a delegated run is listed."""
        request = read_injection(ctx)
        return f"How well would this work: {request.kind} in {request.label_field}"

    def execute(self, ctx: Any) -> Any:
        """Runs: at once, as a generator of messages to the App; or delegated.

        Returns:
            a generator, or of a delegated run what its output shows.
        """
        if ctx.delegated:
            return _run(ctx, report_to_database(ctx))
        return _execute_at_once(ctx)

    def resolve_output(self, ctx: Any) -> types.Property | None:
        """The report of a delegated run; an immediate one shows its own."""
        return show_evaluation(ctx.results) if ctx.results else None


def _check(ctx: Any) -> None:
    """What is wrong with the answers together, each of them being right."""
    request = params.read_request(ctx)
    planted = read_injection(ctx)
    check_place(ctx.dataset, planted)
    quality.check_seen(planted, request.embeddings, request.settings)


def _run(ctx: Any, report: Report) -> dict[str, Any]:
    request, injection = params.read_request(ctx), read_injection(ctx)
    found = quality.run(
        request.samples, injection, request.embeddings, request.settings, report
    )
    kind = KINDS[injection.kind][0].lower()
    title = f"How well {kind} would be found in {injection.label_field}"
    return to_json(found, title)


def _execute_at_once(ctx: Any) -> Generator[Any, None, None]:
    facts = yield from run_at_once(ctx, lambda told: _run(ctx, told))
    yield ctx.ops.show_output(show_evaluation(facts).to_json(), {})
