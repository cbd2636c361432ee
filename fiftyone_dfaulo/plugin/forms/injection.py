"""The part of a form that asks which faults to plant, and how it is read."""

from __future__ import annotations

from dataclasses import replace

import fiftyone as fo

from fiftyone_dfaulo.adapter.injection.request import (
    ALL_KINDS,
    MOST,
    Injection,
    check_drawing,
    check_labels,
)
from fiftyone_dfaulo.adapter.runs.lookup import list_runs
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.injection.plans import PAIRED
from fiftyone_dfaulo.plugin.forms import params, presets
from fiftyone_dfaulo.plugin.forms.fields import dropdown
from fiftyone_dfaulo.plugin.forms.problems import (
    add_problem,
    mark_invalid,
    problem_message,
)
from fiftyone_dfaulo.plugin.host import Context, Inputs

KINDS = {
    "random_label": (
        "Random labels",
        "In every class, some samples get the label of any other class",
    ),
    "specific_label": (
        "Two classes mixed up",
        "Some samples of each class get the label of the other",
    ),
    "pair": (
        "Systematic",
        "In a third of the classes, 3 times the rate get the label of one other class",
    ),
    "imbalanced": (
        "Random labels, unequal classes",
        "The classes are made smaller before, the smallest to 10 %",
    ),
    "random_data": (
        "Foreign images",
        "In every class, some images are replaced by pieces of photos",
    ),
    "specific_data": (
        "Foreign images in one class",
        "In one class, some images are replaced by pieces of photos",
    ),
    "mixture": (
        "Random labels and foreign images",
        "Half of the faults are of each of these kinds",
    ),
    "corrupt": (
        "Blank and corrupt images",
        "Some images become black, grey, white or noise",
    ),
    "duplicates": (
        "Images of another class",
        "Some images become noisy copies of another class; the labels stay",
    ),
}
"""Kind to its label and description, in the order of the form."""

BOX_KINDS = {
    ALL_KINDS: ("Every kind of fault of boxes", "Each kind below at this rate"),
    "wrong_class": ("Wrong classes", "Some objects get the label of any other class"),
    "misplaced": (
        "Misplaced boxes",
        "Some boxes are shifted and scaled, to an overlap of .3 to .7",
    ),
    "spurious": ("Boxes around nothing", "New boxes are put somewhere"),
    "doubled": ("Objects counted twice", "Some objects get a second box"),
    "missing": ("Missing objects", "Some objects are taken away"),
}
"""The same of boxes."""

NAMES = {kind: label for kind, (label, _) in {**KINDS, **BOX_KINDS}.items()}
"""Every kind to its label."""

_NEXT = "next class"
_IN_CLASSES = "faults in each class that gets some"
_DEFAULTS = Injection()


def read_injection(ctx: Context) -> Injection:
    """The faults that the form asks for; what is not filled in has its default."""
    given = ctx.params
    pairs = given.get("pairs")
    return Injection(
        label_field=params.label_field(ctx),
        kind=given.get("kind") or next(iter(_kinds(ctx))),
        rate=_DEFAULTS.rate if given.get("rate") is None else given["rate"],
        seed=_DEFAULTS.seed if given.get("seed") is None else given["seed"],
        pairs=None if pairs == _NEXT else pairs,
    )


def of_boxes(ctx: Context) -> bool:
    """Whether the labels are boxes, which have faults of their own."""
    return params.target(ctx).predictions_type is fo.Detections


def _kinds(ctx: Context) -> dict[str, tuple[str, str]]:
    return BOX_KINDS if of_boxes(ctx) else KINDS


def add_kind(inputs: Inputs, ctx: Context) -> None:
    """Asks for kind and rate; for some kinds, which classes to take for one another."""
    request, kinds = read_injection(ctx), _kinds(ctx)
    usual = replace(request, kind=next(iter(kinds)))
    problem = problem_message(check_labels, presets.samples(ctx), usual)
    if problem:
        add_problem(inputs, "No faults can be planted in these labels", problem)
        return
    kind = dropdown(
        inputs,
        "kind",
        kinds,
        default=next(iter(kinds)),
        label="Kind of faults",
        description=kinds.get(request.kind, ("", ""))[1],
    )
    share = "each kind among all objects" if of_boxes(ctx) else _IN_CLASSES
    rate = inputs.float(
        "rate",
        default=_DEFAULTS.rate,
        label="Rate",
        description=f"Share of {share}, up to {MOST}",
    )
    if request.kind not in kinds:
        problem = problem_message(check_labels, presets.samples(ctx), request)
        mark_invalid(kind, problem_message(check_drawing, request) or problem)
        return
    if not problem_message(Settings, seed=request.seed):  # else the seed is marked
        mark_invalid(rate, problem_message(check_drawing, request))
    if request.kind in PAIRED:
        _add_pairs(inputs, ctx)


def _add_pairs(inputs: Inputs, ctx: Context) -> None:
    if isinstance(ctx.params.get("pairs"), list):
        return  # Python users may name the classes themselves
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
