"""The operator that scores labels: a thin door to :func:`.compute.run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fiftyone.operators.executor import ExecutionResult

from fiftyone_dfaulo.adapter.doors import check_given
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.results.base import DFauLoResults
from fiftyone_dfaulo.adapter.review.carrying import newest_review
from fiftyone_dfaulo.adapter.review.views import suspicious_view
from fiftyone_dfaulo.adapter.runs.colors import own_scheme
from fiftyone_dfaulo.adapter.runs.saved_view import find_view
from fiftyone_dfaulo.adapter.scoring import compute
from fiftyone_dfaulo.adapter.scoring.request import Request
from fiftyone_dfaulo.adapter.targets.kinds import target_to_judge
from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.current_run import tile_fields
from fiftyone_dfaulo.plugin.app.summaries import show_summary, summarize
from fiftyone_dfaulo.plugin.forms.compute import add_samples, add_scoring
from fiftyone_dfaulo.plugin.forms.params import (
    MODEL_SETTINGS,
    NUMBERS,
    read_request,
)
from fiftyone_dfaulo.plugin.forms.presets import DEFAULT_KEY
from fiftyone_dfaulo.plugin.forms.trust import overwrite_name
from fiftyone_dfaulo.plugin.host import Context, Inputs, JsonDict, Property, RiskLevel
from fiftyone_dfaulo.plugin.operators.base import DelegableOperator, call, check_params
from fiftyone_dfaulo.plugin.operators.running import Messages

PANEL = "dfaulo_review"


class ComputeSuspiciousness(DelegableOperator[Request, DFauLoResults]):
    """Scores how likely each label is wrong, and shows the most suspicious first.

    From Python, the label field is a Classification, Classifications, Detections or
    Polylines field. The parameters are ``brain_key``, ``embeddings``, ``model``,
    ``predictions``, ``train``, ``method``, ``depth``, ``layer``, ``classes``,
    ``factory``, ``preprocessing``, ``out_of_sample``, ``seed``, ``epochs``,
    ``image_size``, ``batch_size``, ``num_workers``, ``cluster``, ``cache`` and
    ``overwrite``, as :func:`fiftyone_dfaulo.compute_suspiciousness` takes them;
    embeddings and model by name or path only, ``preprocessing`` as a dict. Which
    factories are called, and which files that hold code are loaded, the environment
    says: see SECURITY.md.
    """

    name_ = "compute_suspiciousness"
    label = "Find suspicious labels"
    # the App searches these words, and lists what it finds by their first letter
    description = "Find mislabeled samples, label errors and noisy labels"
    icon = "troubleshoot"
    risk = RiskLevel.HIGH  # imports factories that the environment names
    takes = (
        "brain_key",
        "embeddings",
        "model",
        "predictions",
        "train",
        "method",
        "cluster",
        "cache",
        "overwrite",
        *MODEL_SETTINGS,
        *NUMBERS,
    )

    def __call__(
        self,
        samples: Samples,
        label_field: str = "ground_truth",
        *,
        delegate: bool = False,
        **params: Any,
    ) -> ExecutionResult:
        """As :meth:`.DelegableOperator.__call__`; ``overwrite`` is the form's yes."""
        self.check(params)
        if params.pop("overwrite", False):
            check_given(samples)
            key = params.get("brain_key", DEFAULT_KEY)
            params[overwrite_name(samples._root_dataset, key)] = True
        given = {"label_field": label_field, **params}
        return call(self.uri, samples, given, request_delegation=delegate)

    def check(self, params: Mapping[str, object]) -> None:
        """Refuses unknown parameters, arrays and torch modules."""
        more = ". fiftyone_dfaulo.compute_suspiciousness takes more"
        check_params(params, self.takes, more)
        for name, what in (("embeddings", "arrays"), ("model", "torch modules")):
            value = params.get(name)
            if value is not None and not isinstance(value, str):
                raise InputError(
                    f"{name} is a {type(value).__name__}; expected a name. "
                    f"fiftyone_dfaulo.compute_suspiciousness takes {what}"
                )

    def ask(self, inputs: Inputs, ctx: Context) -> None:
        """Asks what to score, how, and what to call the run."""
        if add_samples(inputs, ctx, "Score"):
            add_scoring(inputs, ctx, with_key=True)

    def resolve_run_name(self, ctx: Context) -> str:
        """How a delegated run is listed."""
        request = read_request(ctx)
        return f"Find suspicious labels: {request.label_field} to {request.brain_key}"

    def read(self, ctx: Context) -> Request:
        """What is asked for; it learns from the last review of the same labels."""
        request = read_request(ctx)
        target = target_to_judge(request.samples, request.label_field, request.settings)
        source = newest_review(ctx.dataset, target, request.brain_key)
        return replace(request, learn_from=source)

    def work(self, request: Request, report: Report) -> DFauLoResults:
        """Scores."""
        return compute.run(request, report=report)

    def show(
        self, ctx: Context, request: Request, result: DFauLoResults
    ) -> Messages[None]:
        """Shows the most suspicious in the grid, and the summary.

        Of samples of a whole dataset it is the saved view; the review opens beside it.
        """
        samples = result.config.target.shown(request.samples)
        dataset, key = samples._root_dataset, request.brain_key
        yield ctx.ops.reload_dataset()
        colors = own_scheme(dataset)
        if colors is not None:  # the App reads them when it opens a dataset only
            yield ctx.trigger("set_color_scheme", colors)
        yield ctx.ops.set_active_fields(tile_fields(result.config)[:-1])
        config = dataset.get_brain_info(key).config
        name = None
        if not (samples.view()._stages or samples._is_generated):
            name = find_view(dataset, config.fields)
        # The panel shows the saved view when it opens. The App does not know it yet.
        if name is None or ctx.view._stages or _shows_panel(ctx):
            yield ctx.ops.set_view(suspicious_view(samples, key))
        if name is not None:
            yield ctx.ops.open_panel(PANEL, layout="horizontal")
        yield from super().show(ctx, request, result)

    def summarize(self, request: Request, result: DFauLoResults) -> JsonDict:
        """The summary of the run, as JSON."""
        return summarize(result)

    def show_summary(self, summary: JsonDict) -> Property:
        """The summary as the App shows it."""
        return show_summary(summary)


def _shows_panel(ctx: Context) -> bool:
    """Whether the panel of the review is open."""
    return ctx.spaces is not None and f"'{PANEL}'" in str(ctx.spaces.to_dict())
