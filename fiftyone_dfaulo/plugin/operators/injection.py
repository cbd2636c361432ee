"""Operators that plant faults, take them back, and evaluate a ranking with them."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.executor import ExecutionResult

from fiftyone_dfaulo.adapter.doors import check_given
from fiftyone_dfaulo.adapter.host import Dataset, Samples
from fiftyone_dfaulo.adapter.injection import inject
from fiftyone_dfaulo.adapter.injection.evaluation import (
    check_fault_field,
    evaluate,
    list_fault_fields,
)
from fiftyone_dfaulo.adapter.injection.request import (
    BOX_FAULTS,
    Injection,
    check_place,
)
from fiftyone_dfaulo.adapter.reading.injection_record import (
    Record,
    count_planted,
    find_record,
)
from fiftyone_dfaulo.adapter.review.session import ReviewSession, open_review
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.plain_text import code, plain
from fiftyone_dfaulo.plugin.app.summaries import show_evaluation, summarize_evaluation
from fiftyone_dfaulo.plugin.forms import presets
from fiftyone_dfaulo.plugin.forms.compute import add_samples
from fiftyone_dfaulo.plugin.forms.fields import dropdown
from fiftyone_dfaulo.plugin.forms.injection import NAMES, add_kind, read_injection
from fiftyone_dfaulo.plugin.forms.problems import (
    add_problem,
    mark_invalid,
    problem_message,
)
from fiftyone_dfaulo.plugin.forms.trust import confirmation
from fiftyone_dfaulo.plugin.host import Context, Inputs, Property, RiskLevel
from fiftyone_dfaulo.plugin.operators.base import LongOperator, Operator
from fiftyone_dfaulo.plugin.operators.review_base import (
    ReviewOperator,
    count_in_words,
    require_run,
)
from fiftyone_dfaulo.plugin.operators.running import Messages, run_or_notify


class Planting(NamedTuple):
    """What to plant in which samples."""

    samples: Samples
    injection: Injection


class InjectFaults(LongOperator[Planting, Dataset]):
    """Plants faults in a copy of the dataset.

    From Python, the label field is a Classification or Detections field. The
    parameters are ``kind``, ``rate``, ``seed``, ``pairs``, ``name`` and ``in_place``,
    as :func:`fiftyone_dfaulo.inject_faults` takes them.
    """

    name_ = "inject_faults"
    label = "Plant faults in a copy"
    description = "Copy the dataset and plant faults in the copy, to test with"
    icon = "science"
    takes = ("kind", "rate", "seed", "pairs", "name", "in_place")

    def ask(self, inputs: Inputs, ctx: Context) -> None:
        """Asks for the samples, the faults, and the copy's name."""
        if add_samples(inputs, ctx, "Copy"):
            add_kind(inputs, ctx)
            self._add_seed(inputs, ctx)
            self._add_copy(inputs, ctx)

    def _add_seed(self, inputs: Inputs, ctx: Context) -> None:
        again = "The same seed plants the same faults"
        prop = inputs.int("seed", default=51, label="Seed", description=again)
        mark_invalid(prop, problem_message(Settings, seed=_read_injection(ctx).seed))

    def _add_copy(self, inputs: Inputs, ctx: Context) -> None:
        name = inputs.str(
            "name",
            label="Name of the copy",
            description=f"Empty is {plain(ctx.dataset.name)}-injected. Images are "
            "shared with the dataset; new ones are written into a folder of the copy",
        )
        inputs.bool(
            "in_place",
            default=False,
            label="Make no copy, change this dataset itself",
            description="'Take planted faults back' restores it",
            view=types.CheckboxView(),
        )
        injection = _read_injection(ctx)
        mark_invalid(
            name, problem_message(check_place, presets.samples(ctx), injection)
        )

    def read(self, ctx: Context) -> Planting:
        """What to plant in which samples."""
        return Planting(presets.samples(ctx), _read_injection(ctx))

    def work(self, request: Planting, report: Report) -> Dataset:
        """Plants the faults."""
        return inject.run(*request, report)

    def show(self, ctx: Context, request: Planting, result: Dataset) -> Messages[None]:
        """Says what was planted, and where."""
        if request.injection.in_place:
            yield ctx.ops.reload_dataset()
        shown = _show_planted(result, request.injection)
        yield ctx.ops.show_output(shown.to_json(), {})


def _read_injection(ctx: Context) -> Injection:
    in_place = bool(ctx.params.get("in_place"))
    name = None if in_place else ctx.params.get("name") or None
    faults = read_injection(ctx)
    return replace(faults, name=name, in_place=in_place, persistent=True)


def _show_planted(dataset: Dataset, injection: Injection) -> Property:
    record = find_record(dataset)
    if record is None:
        raise InputError(
            f"dataset {dataset.name!r} has lost its planted faults: somebody has taken "
            "them back in the meantime. Plant them again"
        )
    counts = count_planted(dataset, record)
    rows = [f"| {what} | {count:,} |" for what, count in sorted(counts.items())]
    where = (
        "This dataset" if injection.in_place else f"The copy **{plain(dataset.name)}**"
    )
    lines = [
        f"{where} now holds planted faults: {NAMES[record.kind].lower()}.",
        "",
        f"| what was done | {'objects' if record.kind in BOX_FAULTS else 'samples'} |",
        "|---|---|",
        *rows,
        "",
        f"{code(record.fields.fault)} says which they are. "
        + ("" if injection.in_place else "Open the copy by the list of datasets. ")
        + "Then execute 'Find suspicious labels', and 'Evaluate a ranking'.",
    ]
    outputs = types.Object()
    outputs.md("\n".join(lines), name="planted")
    return types.Property(outputs)


class RevertFaults(Operator):
    """Takes planted faults back."""

    name_ = "revert_faults"
    label = "Take planted faults back"
    description = "Restore labels and images as they were before"
    icon = "restore"

    def __call__(self, samples: Samples) -> ExecutionResult:
        """Executes the operator from Python.

        Args:
            samples: the dataset, or any view into it.
        """
        check_given(samples)
        dataset = samples._root_dataset
        params = {confirmation(dataset, "confirm"): True}
        return foo.execute_operator(self.uri, {"dataset": dataset, "params": params})

    def ask(self, inputs: Inputs, ctx: Context) -> None:
        """Says what will be taken back."""
        record = find_record(ctx.dataset)
        if record is None:
            problem = f"Dataset {ctx.dataset.name!r} holds no planted faults"
            add_problem(inputs, "This cannot be done", problem)
        else:
            label, description = "Restores labels and images", plain(_describe(record))
            inputs.view("what", types.Notice(label=label, description=description))
            name = confirmation(ctx.dataset, "confirm")
            sure = inputs.bool(name, default=False, label="Yes, take them back")
            mark_invalid(sure, "" if ctx.params.get(name) else "Say yes to go on")

    def execute(self, ctx: Context) -> Messages[None]:
        """Takes them back, and has the App show it."""

        def revert() -> int:
            sure = ctx.params.get(confirmation(ctx.dataset, "confirm"))
            if find_record(ctx.dataset) is not None and not sure:
                raise InputError(
                    "Taking faults back undoes later changes, too: say yes in the form"
                )
            return inject.revert_faults(ctx.dataset)

        count = yield from run_or_notify(ctx, revert)
        yield ctx.ops.reload_dataset()
        yield ctx.ops.notify(f"Restored: {count_in_words(count)}", variant="success")


def _describe(record: Record) -> str:
    return (
        f"{NAMES[record.kind]} in {record.label_field}, rate {record.rate:g}. "
        "Later changes of those labels are undone too, and the fields "
        f"{', '.join(record.fields)} are deleted"
    )


class EvaluateRanking(ReviewOperator):
    """Compares a run's ranking with the truth."""

    name_ = "evaluate_ranking"
    label = "Evaluate a ranking"
    description = "Compare a run's ranking with a field that says what is a fault"
    icon = "query_stats"
    risk = RiskLevel.LOW
    takes = ("fault_field",)
    needs = ("suspiciousness",)

    def ask_of_run(self, inputs: Inputs, ctx: Context, review: ReviewSession) -> None:
        """Asks for the field with the truth."""
        target = review.target
        fields = list_fault_fields(ctx.dataset, target)
        prop = dropdown(
            inputs,
            "fault_field",
            fields,
            default=next(iter(fields), None),
            required=True,
            label="Truth",
            description="A boolean field, true for a fault; or a field of true labels",
        )
        field = _fault_field(ctx, target)
        problem = problem_message(check_fault_field, ctx.dataset, target, field)
        mark_invalid(prop, problem)

    def execute(self, ctx: Context) -> Messages[None]:
        """Evaluates, and shows a plot and a table."""

        def show() -> Property:
            review = open_review(ctx.dataset, require_run(ctx), *self.needs)
            field = _fault_field(ctx, review.target)
            found = evaluate(review, field)
            title = f"Run {review.key}, compared with {field}"
            return show_evaluation(summarize_evaluation(found, title))

        shown = yield from run_or_notify(ctx, show)
        yield ctx.ops.show_output(shown.to_json(), {})


def _fault_field(ctx: Context, target: LabelTarget) -> str:
    fields = list_fault_fields(ctx.dataset, target)
    return ctx.params.get("fault_field") or next(iter(fields), "")
