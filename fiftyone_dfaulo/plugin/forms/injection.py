"""The part of a form that asks which faults to plant, and what its answers mean."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from fiftyone_dfaulo.adapter.injection.request import MOST, Injection, check_drawing
from fiftyone_dfaulo.adapter.reading.label_fields import check_label_field
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.injection.plans import PAIRED
from fiftyone_dfaulo.plugin.app.current_run import list_runs
from fiftyone_dfaulo.plugin.forms import params
from fiftyone_dfaulo.plugin.forms.fields import dropdown
from fiftyone_dfaulo.plugin.forms.problems import (
    add_problem,
    mark_invalid,
    problem_message,
)

KINDS = {
    "random_label": ("Random labels", "In every class, some get any other label"),
    "specific_label": ("Two classes mixed up", "Some of each get the other's label"),
    "pair": ("Systematic", "A third of the classes leak 3 x the rate into another"),
    "imbalanced": (
        "Random labels, unequal classes",
        "Classes shrunk, down to 10 %",
    ),
    "random_data": ("Foreign images", "In every class, some become pieces of photos"),
    "specific_data": ("Foreign images in one class", "The same, in one class only"),
    "mixture": ("Random labels and foreign images", "Half and half"),
    "corrupt": ("Blank and corrupt images", "Black, grey, white or noise"),
    "duplicates": ("Images of another class", "Noisy copies, the label kept"),
}
"""Kind to its label and description, in the order of the form."""

_NEXT = "next class"
_DEFAULTS = Injection()


def read_injection(ctx: Any, **more: Any) -> Injection:
    """What is to be planted, as far as the form is filled in.

    Args:
        ctx: the :class:`fiftyone.operators.executor.ExecutionContext`.
        **more: further fields of the injection.
    """
    given = ctx.params
    pairs = given.get("pairs")
    return Injection(
        label_field=params.label_field(ctx),
        kind=given.get("kind") or _DEFAULTS.kind,
        rate=_DEFAULTS.rate if given.get("rate") is None else given["rate"],
        seed=_DEFAULTS.seed if given.get("seed") is None else given["seed"],
        pairs=None if pairs == _NEXT else pairs,
        **more,
    )


def add_kind(inputs: types.Object, ctx: Any) -> None:
    """Asks for kind and rate, and where the kind needs it for confusable classes."""
    request = read_injection(ctx)
    place = params.place(ctx)
    if place.list_path or place.tags_path:  # else the field's own check has looked
        problem = problem_message(
            check_label_field, ctx.target_view(), request.label_field
        )
        label = "Faults are planted in labels of whole images, one each"
        add_problem(inputs, label, problem)
        return
    kind = dropdown(
        inputs,
        "kind",
        KINDS,
        default=_DEFAULTS.kind,
        label="Kind of faults",
        description=KINDS.get(request.kind, ("", ""))[1],
    )
    rate = inputs.float(
        "rate",
        default=_DEFAULTS.rate,
        label="Rate",
        description=f"Share of faults in each class that gets some, up to {MOST}",
    )
    if request.kind not in KINDS:
        mark_invalid(kind, problem_message(check_drawing, request))
        return
    if not problem_message(
        Settings, seed=request.seed
    ):  # a bad seed is marked at the seed
        mark_invalid(rate, problem_message(check_drawing, request))
    if request.kind in PAIRED:
        _add_pairs(inputs, ctx)


def _add_pairs(inputs: types.Object, ctx: Any) -> None:
    if isinstance(ctx.params.get("pairs"), list):
        return  # named, from Python
    choices = [
        (_NEXT, "Each class with the next one, by name"),
        *((run, f"As the run {run} suggests") for run in list_runs(ctx.dataset)),
        *(
            (found.name, f"Nearest by {found.name} ({found.kind})")
            for found in params.embedding_sources(ctx)
        ),
    ]
    label = "Classes taken for one another"
    dropdown(inputs, "pairs", dict(choices), default=_NEXT, label=label)
