"""The operator that says how well the method would work on the samples at hand."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from fiftyone_dfaulo.adapter.injection import quality
from fiftyone_dfaulo.adapter.injection.evaluation import Evaluation
from fiftyone_dfaulo.adapter.injection.reports import (
    keep_report,
    name_source,
    quality_reports,
)
from fiftyone_dfaulo.adapter.injection.request import Injection, check_place
from fiftyone_dfaulo.adapter.scoring.request import is_auto
from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.plugin.app.summaries import show_evaluation, summarize_evaluation
from fiftyone_dfaulo.plugin.forms.compute import add_samples, add_scoring
from fiftyone_dfaulo.plugin.forms.injection import (
    NAMES,
    add_kind,
    of_boxes,
    read_injection,
)
from fiftyone_dfaulo.plugin.forms.params import (
    DETECTOR,
    NETWORK,
    NUMBERS,
    PREDICTIONS,
    Request,
    given_source,
    prediction_fields,
    read_request,
)
from fiftyone_dfaulo.plugin.forms.problems import add_problem, problem_message
from fiftyone_dfaulo.plugin.host import Context, Inputs, JsonDict, Property, RiskLevel
from fiftyone_dfaulo.plugin.operators.base import DelegableOperator

_SHOWN = 10  # reports to compare


class Trial(NamedTuple):
    """Which faults to plant, and how to score then."""

    scoring: Request
    injection: Injection


class EstimateQuality(DelegableOperator[Trial, Evaluation]):
    """Plants faults in a temporary copy, and reports how well they are found.

    From Python, the label field is a Classification or Detections field. The parameters
    are ``kind``, ``rate``, ``pairs``, ``embeddings``, ``model``, ``predictions``,
    ``method``, ``seed``, ``epochs``, ``image_size``, ``batch_size`` and
    ``num_workers``, as :func:`fiftyone_dfaulo.estimate_quality` takes them; embeddings
    by name only.
    """

    name_ = "estimate_quality"
    label = "How well would this work on my data?"
    description = "Plant faults in a temporary copy, find them, report and compare"
    icon = "help_center"
    risk = RiskLevel.HIGH  # imports factories that the environment names
    takes = (
        "kind",
        "rate",
        "pairs",
        "embeddings",
        "model",
        "predictions",
        "method",
        *NUMBERS,
    )

    def ask(self, inputs: Inputs, ctx: Context) -> None:
        """Asks for the samples, the faults to plant, and how to find them."""
        _pick_one_source(ctx)
        if not add_samples(inputs, ctx, "Copy"):
            return
        add_kind(inputs, ctx)
        add_scoring(inputs, ctx, with_key=False)
        if any(prop.invalid for prop in inputs.properties.values()):
            return
        problem = problem_message(_check, ctx)
        if problem:
            add_problem(inputs, "This cannot be done", problem)

    def resolve_run_name(self, ctx: Context) -> str:
        """How a delegated run is listed."""
        injection = read_injection(ctx)
        return f"How well would this work: {injection.kind} in {injection.label_field}"

    def read(self, ctx: Context) -> Trial:
        """How to score, and which faults to plant."""
        _pick_one_source(ctx)
        return Trial(_read_scoring(ctx), read_injection(ctx))

    def work(self, request: Trial, report: Report) -> Evaluation:
        """Plants, scores and compares."""
        scoring, injection = request
        samples, settings = scoring.samples, scoring.settings
        found = quality.run(samples, injection, scoring.embeddings, settings, report)
        source = name_source(scoring.embeddings, settings)
        keep_report(samples._root_dataset, injection, source, settings, found)
        return found

    def summarize(self, request: Trial, result: Evaluation) -> JsonDict:
        """The evaluation, and those from before, as JSON."""
        injection = request.injection
        kind = NAMES[injection.kind].lower()
        title = f"How well {kind} would be found in {injection.label_field}"
        reports = quality_reports(request.scoring.samples)
        return {**summarize_evaluation(result, title), "reports": reports[:_SHOWN]}

    def show_summary(self, summary: JsonDict) -> Property:
        """The evaluation as the App shows it."""
        return show_evaluation(summary)


def _pick_one_source(ctx: Context) -> None:
    """A network trained here, where nothing is given: copies are not tried with all.

    Of boxes, predictions that are there, or a detector trained here.
    """
    if given_source(ctx) is None:
        boxes = DETECTOR if not prediction_fields(ctx) else PREDICTIONS
        ctx.params["source"] = boxes if of_boxes(ctx) else NETWORK


def _read_scoring(ctx: Context) -> Request:
    """How to score; the images, and with them embeddings, stay those from before."""
    request = read_request(ctx)
    return replace(request, embeddings=None) if is_auto(request.embeddings) else request


def _check(ctx: Context) -> None:
    """Refuses values that can be used one by one, but not together."""
    scoring, injection = _read_scoring(ctx), read_injection(ctx)
    check_place(ctx.dataset, injection)
    quality.check_seen(injection, scoring.embeddings, scoring.settings)
