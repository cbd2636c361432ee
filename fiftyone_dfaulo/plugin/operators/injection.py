"""Operators that plant faults, take them back, and evaluate a ranking with them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.types import RiskLevel

from fiftyone_dfaulo.adapter.injection import inject
from fiftyone_dfaulo.adapter.injection.evaluation import (
    check_fault_field,
    evaluate_ranking,
    list_fault_fields,
)
from fiftyone_dfaulo.adapter.injection.request import Injection, check_place
from fiftyone_dfaulo.adapter.reading.injection_record import Record, find_record
from fiftyone_dfaulo.adapter.runs.brain_run import load_config
from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.errors import DFauLoError, InputError
from fiftyone_dfaulo.plugin.app.current_run import current_run
from fiftyone_dfaulo.plugin.app.evaluation_view import show_evaluation, to_json
from fiftyone_dfaulo.plugin.forms.compute import add_samples
from fiftyone_dfaulo.plugin.forms.injection import KINDS, add_kind, read_injection
from fiftyone_dfaulo.plugin.forms.problems import (
    add_problem,
    mark_invalid,
    problem_message,
)
from fiftyone_dfaulo.plugin.operators.base import call, check_params, run_at_once
from fiftyone_dfaulo.plugin.operators.review_base import NO_RUN, ReviewOperator, samples

_PARAMS = ("kind", "rate", "seed", "pairs", "name", "in_place")


class InjectFaults(foo.Operator):
    """Plants faults in a copy of the dataset."""

    @property
    def config(self) -> foo.OperatorConfig:
        """How FiftyOne lists and runs this operator."""
        return foo.OperatorConfig(
            name="inject_faults",
            label="Plant faults in a copy",
            description="Copy the dataset and plant faults in the copy, to test with",
            icon="science",
            dynamic=True,
            execute_as_generator=True,
            risk_level=RiskLevel.MEDIUM,
        )

    def __call__(
        self, samples: Any, label_field: str = "ground_truth", **params: Any
    ) -> Any:
        """Executes the operator from Python.

        Args:
            samples: a dataset or view.
            label_field: the Classification field with the labels.
            **params: ``kind``, ``rate``, ``seed``, ``pairs``, ``name`` and
                ``in_place``, as :func:`fiftyone_dfaulo.inject_faults` takes them.

        Returns:
            a :class:`fiftyone.operators.executor.ExecutionResult`, or in a notebook a
            task to await.

        Raises:
            InputError: if a parameter is unknown.
        """
        check_params(params, _PARAMS)
        return call(self.uri, samples, {"label_field": label_field, **params})

    def resolve_input(self, ctx: Any) -> types.Property:
        """The form, with what is wrong with the answers so far."""
        inputs = types.Object()
        if add_samples(inputs, ctx, "Copy"):
            add_kind(inputs, ctx)
            _add_seed(inputs, ctx)
            _add_place(inputs, ctx)
        return types.Property(inputs, view=types.View(label=self.config.label))

    def execute(self, ctx: Any) -> Generator[Any, None, None]:
        """Plants them, telling of the progress, and says where they are."""
        request, source = _read(ctx), ctx.target_view()
        made = yield from run_at_once(
            ctx, lambda told: inject.run(source, request, told)
        )
        if request.in_place:
            yield ctx.ops.reload_dataset()
        yield ctx.ops.show_output(_show_planted(made, request).to_json(), {})


def _read(ctx: Any) -> Injection:
    in_place = bool(ctx.params.get("in_place"))
    name = None if in_place else ctx.params.get("name") or None
    return read_injection(ctx, name=name, in_place=in_place, persistent=True)


def _add_seed(inputs: types.Object, ctx: Any) -> None:
    again = "The same seed plants the same faults"
    prop = inputs.int("seed", default=51, label="Seed", description=again)
    mark_invalid(prop, problem_message(Settings, seed=_read(ctx).seed))


def _add_place(inputs: types.Object, ctx: Any) -> None:
    request = _read(ctx)
    name = inputs.str(
        "name",
        label="Name of the copy",
        description=f"Empty is {ctx.dataset.name}-injected. Images are shared with the "
        "dataset; new ones are written into a folder of the copy",
    )
    inputs.bool(
        "in_place",
        default=False,
        label="Make no copy, change this dataset itself",
        description="'Take planted faults back' restores it",
        view=types.CheckboxView(),
    )
    mark_invalid(name, problem_message(check_place, ctx.target_view(), request))


def _show_planted(dataset: Any, request: Injection) -> types.Property:
    record = find_record(dataset)
    if record is None:
        raise InputError(f"dataset {dataset.name!r} lost its planted faults meanwhile")
    counts = dataset.exists(record.fields.kind).count_values(record.fields.kind)
    rows = [f"| {what} | {count:,} |" for what, count in sorted(counts.items())]
    where = "This dataset" if request.in_place else f"The copy **{dataset.name}**"
    lines = [
        f"{where} now holds planted faults: {KINDS[record.kind][0].lower()}.",
        "",
        "| what was done | samples |",
        "|---|---|",
        *rows,
        "",
        f"`{record.fields.fault}` says which they are. "
        + ("" if request.in_place else "Open the copy by the list of datasets. ")
        + "Then execute 'Find suspicious labels', and 'Evaluate a ranking'.",
    ]
    outputs = types.Object()
    outputs.md("\n".join(lines), name="planted")
    return types.Property(outputs)


class RevertFaults(foo.Operator):
    """Takes planted faults back."""

    @property
    def config(self) -> foo.OperatorConfig:
        """How FiftyOne lists and runs this operator."""
        return foo.OperatorConfig(
            name="revert_faults",
            label="Take planted faults back",
            description="Restore labels and images as they were before",
            icon="restore",
            dynamic=True,
            execute_as_generator=True,
            risk_level=RiskLevel.MEDIUM,
        )

    def __call__(self, samples: Any) -> Any:
        """Executes the operator from Python.

        Args:
            samples: the dataset, or any view into it.
        """
        return foo.execute_operator(self.uri, {"dataset": samples._root_dataset})

    def resolve_input(self, ctx: Any) -> types.Property:
        """Says what will be taken back."""
        inputs, record = types.Object(), find_record(ctx.dataset)
        if record is None:
            add_problem(inputs, "This cannot be done", _none_planted(ctx.dataset))
        else:
            label, description = "Restores labels and images", _describe(record)
            inputs.view("what", types.Notice(label=label, description=description))
        return types.Property(inputs, view=types.View(label=self.config.label))

    def execute(self, ctx: Any) -> Generator[Any, None, None]:
        """Takes them back, and has the App show it."""
        try:
            count = inject.revert_faults(ctx.dataset)
        except DFauLoError as error:
            yield ctx.ops.notify(str(error), variant="error")
            raise
        yield ctx.ops.reload_dataset()
        yield ctx.ops.notify(f"Restored: {samples(count)}", variant="success")


def _none_planted(dataset: Any) -> str:
    return f"Dataset {dataset.name!r} holds no planted faults"


def _describe(record: Record) -> str:
    return (
        f"{KINDS[record.kind][0]} in {record.label_field}, rate {record.rate:g}. "
        "What was done to those labels since is undone as well, and the fields "
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

    def ask(self, inputs: types.Object, ctx: Any, key: str) -> None:
        """Asks for the field with the truth."""
        place = load_config(ctx.dataset, key).place
        fields = list_fault_fields(ctx.dataset, place)
        choices = types.Dropdown()
        for name in fields:
            choices.add_choice(name, label=name)
        prop = inputs.enum(
            "fault_field",
            fields,
            default=next(iter(fields), None),
            required=True,
            label="Truth",
            description="A boolean field, true for a fault; or a field of true labels",
            view=choices,
        )
        asked = _fault_field(ctx, place)
        mark_invalid(
            prop, problem_message(check_fault_field, ctx.dataset, place, asked)
        )

    def execute(self, ctx: Any) -> Generator[Any, None, None]:
        """Evaluates, and shows a plot and a table."""
        try:
            key = current_run(ctx)
            if key is None:
                raise InputError(NO_RUN)
            field = _fault_field(ctx, load_config(ctx.dataset, key).place)
            found = evaluate_ranking(ctx.dataset, key, fault_field=field)
        except DFauLoError as error:
            yield ctx.ops.notify(str(error), variant="error")
            raise
        title = f"Run {key}, compared with {field}"
        facts = to_json(found, title)
        yield ctx.ops.show_output(show_evaluation(facts).to_json(), {})


def _fault_field(ctx: Any, place: Place) -> Any:
    fields = list_fault_fields(ctx.dataset, place)
    return ctx.params.get("fault_field") or next(iter(fields), "")
