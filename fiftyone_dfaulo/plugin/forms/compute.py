"""The form of ``compute_suspiciousness``.

The adapter checks each value, and its message stands beside the field. The App builds
the form anew after every keystroke. So nothing here imports torch, or reads more of
images than the headers of a few, and what is slow to read is read once for each open
form.
"""

from __future__ import annotations

import fiftyone as fo
import fiftyone.operators.types as types
from fiftyone.core.brain import BrainInfo

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading.label_check import labels_problem
from fiftyone_dfaulo.adapter.reading.label_fields import check_label_field
from fiftyone_dfaulo.adapter.reading.media import check_samples
from fiftyone_dfaulo.adapter.runs.keys import (
    check_key,
    check_no_review,
    count_scored,
)
from fiftyone_dfaulo.adapter.scoring import auto
from fiftyone_dfaulo.adapter.storage.schema import field_names
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cluster.connection import check_cluster
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.plain_text import plain
from fiftyone_dfaulo.plugin.forms import params, presets, trust
from fiftyone_dfaulo.plugin.forms.fields import dropdown
from fiftyone_dfaulo.plugin.forms.form_cache import cached
from fiftyone_dfaulo.plugin.forms.problems import (
    add_problem,
    mark_invalid,
    problem_message,
)
from fiftyone_dfaulo.plugin.forms.source import (
    add_model_settings,
    add_source,
    model_problems,
)
from fiftyone_dfaulo.plugin.forms.workers import worker_runs_here
from fiftyone_dfaulo.plugin.host import Context, Inputs

_NUMBERS = {
    "seed": ("Seed", "The same seed gives the same scores"),
    "epochs": ("Epochs", "With too many, the network learns faulty labels by heart"),
    "image_size": ("Image size", "Side in pixels, 8 to 64; empty picks one"),
    "batch_size": ("Batch size", "Images at a time; does not change the scores"),
    "num_workers": ("Reading threads", "Empty means one per core, at most 8"),
}
"""Setting to its label and description."""


_CHOICES = {
    "cluster": (
        "Who does the work",
        "Of decoding, embedding and fitting; the scores are the same",
        {
            params.HERE: "This process",
            "auto": "A Ray cluster: RAY_ADDRESS of the server, or this machine's cores",
        },
    ),
    "cache": (
        "Work on disk",
        "Embeddings, networks and heads; who calls again need not make them anew",
        {
            "keep": "Keep it, for this run if it is killed and for others",
            "run": "Keep it as long as the run is there",
            "none": "Keep nothing",
        },
    ),
}
"""Name to label, description, and the choices; the first one is the default."""


def add_samples(inputs: Inputs, ctx: Context, action: str) -> bool:
    """Asks for the samples and the label field.

    Args:
        inputs: the form.
        ctx: the operator's context.
        action: a verb: what the operator does to the samples.

    Returns:
        whether there are labels to go on with; if not, the form says why.
    """
    preset = presets.preset_target(ctx)
    inputs.view_target(ctx, action_description=action, default_target=preset)
    samples = presets.samples(ctx)
    problem = cached(ctx, "samples", lambda: problem_message(check_samples, samples))
    if problem:
        add_problem(inputs, "These samples cannot be scored", problem)
    elif not params.label_fields(ctx):
        _add_no_field(inputs, ctx, samples)
    else:
        _add_label_field(inputs, ctx, samples)
        return True
    return False


def add_scoring(inputs: Inputs, ctx: Context, *, with_key: bool) -> None:
    """Asks how to score, and, with a key, what to call the run."""
    add_source(inputs, ctx, presets.samples(ctx), auto=with_key)
    if with_key:
        _add_brain_key(inputs, ctx)
    _add_advanced(inputs, ctx, with_cluster=with_key)
    if with_key:
        _add_duration(inputs, ctx)
    _add_worker_note(inputs)


def _add_duration(inputs: Inputs, ctx: Context) -> None:
    """About how long it takes, where a network is trained and not as in the paper."""
    way, settings = params.source(ctx), params.numbers(ctx)
    estimate = {
        params.AUTO: auto.seconds,
        params.NETWORK: auto.seconds_of_training,
    }.get(way)
    field = params.label_field(ctx)
    count = params.label_fields(ctx).get(field, 0)
    if estimate is None or not count or params.method(ctx) == "paper":
        return

    def measure() -> float:
        found = Settings(**settings)
        return estimate(params.samples(ctx), params.target(ctx), count, found)

    try:
        seconds = cached(ctx, ("seconds", way, field, repr(settings)), measure)
    except InputError:  # the form says elsewhere what is wrong with a number
        return
    inputs.view("duration", types.Notice(label=told(seconds)))


def told(seconds: float) -> str:
    """How long it takes, in words."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "Takes less than a minute"
    long = f"{minutes} minute{'s' * (minutes > 1)}"
    if minutes >= 90:
        long = f"{round(minutes / 60)} hours"
    return f"Takes about {long} on two cores, less with a GPU"


def _add_no_field(inputs: Inputs, ctx: Context, samples: Samples) -> None:
    problem = problem_message(check_label_field, samples, params.label_field(ctx))
    todo = (
        "Load labels into a Classification, Classifications, Detections or Polylines "
        "field first"
    )
    add_problem(inputs, "No labels to check", f"{problem}. {todo}")


def _add_label_field(inputs: Inputs, ctx: Context, samples: Samples) -> None:
    counts = params.label_fields(ctx).items()
    prop = dropdown(
        inputs,
        "label_field",
        {n: f"{n} ({c:,} {'label' if c == 1 else 'labels'})" for n, c in counts},
        default=params.default_label_field(ctx),
        label="Label field",
        description="The labels to check. Samples without a label are left out",
    )
    field = params.label_field(ctx)
    problem = problem_message(check_label_field, samples, field)
    if not problem:
        target = params.target(ctx)
        key = ("labels", field, target.kind)
        problem = cached(ctx, key, lambda: labels_problem(samples, field, target))
    mark_invalid(prop, problem)


def _add_brain_key(inputs: Inputs, ctx: Context) -> None:
    key, dataset = params.brain_key(ctx), ctx.dataset
    target = params.target(ctx)
    problem = cached(
        ctx,
        ("key", repr(key), str(params.label_field(ctx))),
        lambda: problem_message(check_key, dataset, key, target=target, overwrite=True),
    )
    fields = "" if problem else f". Its fields: {plain(', '.join(field_names(key)))}"
    prop = inputs.str(
        "brain_key",
        allow_empty=True,  # the check says more than FiftyOne's "Required property"
        default=presets.preset_key(ctx),
        label="Brain key",
        description=f"Names this run{fields}",
    )
    mark_invalid(prop, problem)
    if not problem and dataset.has_brain_run(key):
        work = cached(
            ctx, ("review", key), lambda: problem_message(check_no_review, dataset, key)
        )
        size = cached(ctx, ("size", key), lambda: count_scored(dataset, key))
        _add_replace(inputs, ctx, dataset.get_brain_info(key), work, size)


def _add_replace(
    inputs: Inputs, ctx: Context, info: BrainInfo, work: str, size: int
) -> None:
    """Says what happens to the earlier run; deleting a review needs an explicit yes."""
    new = params.label_fields(ctx).get(params.label_field(ctx), 0)
    noun = info.config.target.noun
    items = noun if size == 1 else f"{noun}s"
    swap = f"Replaces a run of {size:,} {items} by one of {new:,}"
    if work:
        name = trust.overwrite_name(ctx.dataset, params.brain_key(ctx))
        sure = inputs.bool(
            name,
            default=False,
            label="Replace the run and delete its review",
            description=swap,
            view=types.CheckboxView(),
        )
        mark_invalid(sure, "" if ctx.params.get(name) else work)
        return
    when = f" of {info.timestamp:%Y-%m-%d %H:%M} UTC" if info.timestamp else ""
    note = types.Warning(
        label=swap,
        description=f"The run{when} scored {plain(info.config.label_field)} and has "
        "no verdicts. It stays until the new scores are there",
    )
    inputs.view("replaces", note)


def _add_advanced(inputs: Inputs, ctx: Context, *, with_cluster: bool) -> None:
    settings = {"method": params.method(ctx), **params.numbers(ctx)}
    if with_cluster and ctx.params.get("cache"):
        settings["cache"] = ctx.params["cache"]
    problems = {
        name: problem_message(Settings, **{name: v}) for name, v in settings.items()
    }
    problems |= model_problems(ctx)
    if with_cluster:
        problems["cluster"] = _cluster_problem(ctx)
    inputs.bool(
        "advanced",
        default=False,
        label="Advanced",
        description="Method, depth, seed, epochs, image size, batch size, threads, "
        "cluster, kept work",
        view=types.SwitchView(),
    )
    if not ctx.params.get("advanced") and not any(problems.values()):
        return
    methods = {"dfaulo": "dfaulo: cross-fitted head mutants (default)"}
    if "method" not in params.target(ctx).unsupported:
        methods["paper"] = "paper: Yin et al. 2023, step by step"
    method = dropdown(inputs, "method", methods, default="dfaulo", label="Method")
    mark_invalid(method, problems["method"])
    add_model_settings(inputs, ctx, problems)
    for name in params.NUMBERS:
        if name in params.TRAINING_ONLY and not params.trains(ctx):
            continue
        label, description = _NUMBERS[name]
        default = getattr(Settings(), name)
        prop = inputs.int(name, default=default, label=label, description=description)
        mark_invalid(prop, problems.get(name, ""))
    for name, (label, text, choices) in _CHOICES.items() if with_cluster else ():
        first = next(iter(choices))
        prop = dropdown(
            inputs, name, choices, default=first, label=label, description=text
        )
        mark_invalid(prop, problems.get(name, ""))


def _cluster_problem(ctx: Context) -> str:
    """The problem with the cluster; one that is not asked for has none."""
    problem = problem_message(params.cluster, ctx)
    if problem or params.cluster(ctx) is None:
        return problem
    return cached(ctx, "cluster", lambda: problem_message(check_cluster, "auto"))


def _add_worker_note(inputs: Inputs) -> None:
    """Says what a scheduled run needs, unless a worker is there to run it."""
    allowed = fo.config.allow_legacy_orchestrators
    if allowed and worker_runs_here():
        return
    if allowed:
        text = (
            "A scheduled run waits until you start a worker: `fiftyone delegated "
            "launch`"
        )
    else:
        text = (
            "To schedule runs, start the App with "
            "`FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS=true`, and start a worker: "
            "`fiftyone delegated launch`"
        )
    label = "Execute works as it is; Schedule needs a delegated worker"
    inputs.view("worker", types.Notice(label=label, description=text))
