"""The operator that scores labels: a thin door to ``adapter.compute.run``."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dfaulo.adapter.review.views import as_patches, suspicious_view
from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoResults
from fiftyone_dfaulo.adapter.scoring import compute
from fiftyone_dfaulo.adapter.scoring.request import Request
from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.current_run import tile_fields
from fiftyone_dfaulo.plugin.app.summaries import show_summary, summarize
from fiftyone_dfaulo.plugin.forms.compute import build_form
from fiftyone_dfaulo.plugin.forms.params import (
    MODEL_SETTINGS,
    NUMBERS,
    read_request,
)
from fiftyone_dfaulo.plugin.operators.base import (
    call,
    check_params,
    report_to_database,
    run_at_once,
)

_PARAMS = (
    "brain_key",
    "embeddings",
    "model",
    "predictions",
    "method",
    "overwrite",
    *MODEL_SETTINGS,
    *NUMBERS,
)
"""What ``__call__`` takes besides the samples and the label field."""


class ComputeSuspiciousness(foo.Operator):
    """Scores how likely each label is wrong, and shows the most suspicious first."""

    @property
    def config(self) -> foo.OperatorConfig:
        """How FiftyOne lists and runs this operator."""
        return foo.OperatorConfig(
            name="compute_suspiciousness",
            label="Find suspicious labels",
            description="Rank the samples by how likely their label is wrong",
            icon="troubleshoot",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,  # writes fields; replaces its own runs
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
            label_field: the Classification, Classifications, Detections or Polylines
                field with the labels.
            delegate: whether to leave the run to ``fiftyone delegated launch``.
            **params: ``brain_key``, ``embeddings``, ``model``, ``predictions``,
                ``method``, ``depth``, ``layer``, ``classes``, ``factory``,
                ``preprocessing``, ``out_of_sample``, ``seed``, ``epochs``,
                ``image_size``, ``batch_size``, ``num_workers`` and ``overwrite``, as
                :func:`fiftyone_dfaulo.compute_suspiciousness` takes them; embeddings
                and model by name or path only, ``preprocessing`` as a dict. Pickled
                models are never loaded.

        Returns:
            a :class:`fiftyone.operators.executor.ExecutionResult`, or in a notebook a
            task to await.

        Raises:
            InputError: if a parameter is unknown, or embeddings are no name.
        """
        _check_arguments(params)
        answered = {"label_field": label_field, **params}
        return call(self.uri, samples, answered, request_delegation=delegate)

    def resolve_input(self, ctx: Any) -> types.Property:
        """The form."""
        return build_form(ctx)

    def resolve_run_name(self, ctx: Any) -> str:
        """How a delegated run is listed."""
        request = read_request(ctx)
        return f"Find suspicious labels: {request.label_field} to {request.brain_key}"

    def execute(self, ctx: Any) -> Any:
        """Runs: at once, as a generator of messages to the App; or delegated.

        Returns:
            a generator, or of a delegated run the summary that is kept with it.
        """
        request = read_request(ctx)
        if ctx.delegated:
            return summarize(_run(request, report_to_database(ctx)))
        return _execute_at_once(ctx, request)

    def resolve_output(self, ctx: Any) -> types.Property | None:
        """The summary of a delegated run; an immediate one shows its own."""
        return show_summary(ctx.results) if ctx.results else None


def _check_arguments(params: dict[str, Any]) -> None:
    more = ". fiftyone_dfaulo.compute_suspiciousness takes more"
    check_params(params, _PARAMS, more)
    for name, what in (("embeddings", "arrays"), ("model", "torch modules")):
        value = params.get(name)
        if value is not None and not isinstance(value, str):
            raise InputError(
                f"{name} is a {type(value).__name__}; expected a name. "
                f"fiftyone_dfaulo.compute_suspiciousness takes {what}"
            )


def _run(request: Request, report: Report) -> DFauLoResults:
    return compute.run(request, report=report)


def _execute_at_once(ctx: Any, request: Request) -> Generator[Any, None, None]:
    results = yield from run_at_once(ctx, lambda told: _run(request, told))
    yield from _show(ctx, request, results)


def _show(
    ctx: Any, request: Request, results: DFauLoResults
) -> Generator[Any, None, None]:
    samples = request.samples
    if results.config.list_path and not samples._is_patches:
        samples = as_patches(samples, request.label_field)
    elif results.config.list_path:
        samples.reload()  # FiftyOne made these patches before the run
    yield ctx.ops.reload_dataset()
    yield ctx.ops.set_active_fields(tile_fields(results.config)[:3])
    yield ctx.ops.set_view(suspicious_view(samples, request.brain_key))
    yield ctx.ops.show_output(show_summary(summarize(results)).to_json(), {})
