"""The part of the form that asks what to score with.

The form looks at a model's file but never loads it, so that nothing in it runs. It has
no field that would trust a file: the server's environment does, see :mod:`.trust`.
"""

from __future__ import annotations

import fiftyone as fo
import fiftyone.operators.types as types

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading import embeddings
from fiftyone_dfaulo.adapter.scoring import checks, models
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.forms import params, trust
from fiftyone_dfaulo.plugin.forms.fields import dropdown, radio_group
from fiftyone_dfaulo.plugin.forms.params import (
    AUTO,
    BACKBONE,
    DETECTOR,
    EMBEDDINGS,
    FILE,
    LOOK,
    NETWORK,
    PREDICTIONS,
    ZOO,
)
from fiftyone_dfaulo.plugin.forms.problems import mark_invalid, problem_message
from fiftyone_dfaulo.plugin.host import Context, Inputs

_SOURCES = {
    AUTO: (
        "Use what is there",
        "Embeddings, or for photos a pretrained network; and one trained here if quick",
    ),
    NETWORK: (
        "Train a network on these images",
        "Needs nothing else; best for small images",
    ),
    EMBEDDINGS: (
        "Use embeddings that are there",
        "From a field or a brain run; the fastest way",
    ),
    PREDICTIONS: (
        "Use predictions that are there",
        "A model's logits, probabilities or confidences in a field",
    ),
    LOOK: (
        "Look at each box as well",
        "Finds misplaced, doubled and spurious ones; minutes for some thousand boxes",
    ),
    DETECTOR: (
        "Train a detector here",
        "Finds missing objects as well; takes minutes for some hundred images",
    ),
    BACKBONE: (
        "Use a pretrained torchvision network",
        "Good for photos; its weights are downloaded if need be",
    ),
    ZOO: (
        "Use a model of the FiftyOne zoo",
        "Any with embeddings or logits; downloaded if need be",
    ),
    FILE: (
        "Use a model of yours, from a file",
        "Safetensors or a state dict, and the function that builds the network",
    ),
}
"""Way to score to its label and description."""

_SOURCES_OF_BOXES = {
    PREDICTIONS: (
        "Use a detector's predictions",
        "Finds misplaced, doubled, spurious and missing boxes as well",
    ),
    **{way: _SOURCES[way] for way in params.BOX_WAYS.values()},
}
"""What predictions are of boxes, and the ways that see all of their faults."""

_ADVANCED = {
    "depth": ("", ""),
    "layer": ("Layer", "Whose output is the embedding; empty finds it"),
    "classes": ("Classes", "Of the logits in their order, separated by commas"),
    "preprocessing": (
        "Input size",
        "In pixels. Leave this and the next three empty to use what the model states",
    ),
}
"""Setting of a model under Advanced to its label and description."""

_DEPTHS = {
    "head": "head: the network stays as it is (default)",
    "full": "full: it is trained again, too; slower",
}


def add_source(inputs: Inputs, ctx: Context, samples: Samples, *, auto: bool) -> None:
    """Asks for the way to score, and for what that needs.

    Args:
        inputs: the form.
        ctx: the operator's context.
        samples: what is scored.
        auto: whether the plugin may choose; if not, of boxes only predictions serve.
    """
    chosen = params.source(ctx)
    boxes = params.target(ctx).predictions_type is fo.Detections
    hidden = {
        name
        for name, found in (
            (AUTO, auto and params.offers_auto(ctx)),
            (EMBEDDINGS, params.embedding_sources(ctx)),
            (PREDICTIONS, params.prediction_fields(ctx)),
            *((way, boxes) for way in params.BOX_WAYS.values()),
        )
        if not found and chosen != name
    }
    texts = {**(_SOURCES if auto else {}), **_SOURCES_OF_BOXES} if boxes else _SOURCES
    offered = {name: text for name, text in texts.items() if name not in hidden}
    usual = next((way for way in (AUTO, NETWORK) if way in offered), chosen)
    prop = radio_group(inputs, "source", offered, default=usual, label="How to score")
    if params.method(ctx) == "paper" and chosen not in (AUTO, NETWORK):
        problem = problem_message(lambda: checks.check(params.read_request(ctx)))
        mark_invalid(prop, problem)
    mark_invalid(prop, _unsupported(ctx))
    parts = {
        EMBEDDINGS: _add_embeddings,
        PREDICTIONS: _add_predictions,
        BACKBONE: _add_backbone,
        ZOO: _add_zoo,
        FILE: _add_file,
    }
    if chosen in parts:
        parts[chosen](inputs, ctx, samples)
        _add_train(inputs, ctx)


def _add_train(inputs: Inputs, ctx: Context) -> None:
    """Asks whether a network is trained here as well, where both can be judged."""
    if not params.several_sources(ctx):
        return
    prop = inputs.bool(
        "train",
        default=False,
        label="Train a network on these images as well",
        description="Both are judged together: finds more, and takes the time of both",
        view=types.CheckboxView(),
    )
    given = params.model_settings(ctx)
    depth = given.get("depth", "head")
    mark_invalid(prop, problem_message(Settings, train=given["train"], depth=depth))


def _unsupported(ctx: Context) -> str:
    """Which setting is for labels of another kind; empty if none is."""
    try:
        settings = params.read_request(ctx).settings
    except InputError:
        return ""  # the setting that is wrong says so itself
    return problem_message(checks.check_kind, params.target(ctx), settings)


def _add_embeddings(inputs: Inputs, ctx: Context, samples: Samples) -> None:
    found = params.embedding_sources(ctx)
    choices = {one.name: f"{one.name} ({one.kind})" for one in found}
    name = params.embeddings(ctx)
    prop = dropdown(inputs, "embeddings", choices, default=name, label="Embeddings")
    target = params.target(ctx)
    mark_invalid(
        prop, problem_message(embeddings.check_embeddings, samples, name or "", target)
    )


def _add_predictions(inputs: Inputs, ctx: Context, samples: Samples) -> None:
    found = params.prediction_fields(ctx)
    choices = {field: f"{field} ({holds})" for field, holds in found.items()}
    name = params.predictions(ctx)
    prop = dropdown(inputs, "predictions", choices, default=name, label="Predictions")
    given = samples, name or "", params.target(ctx)
    mark_invalid(prop, problem_message(checks.check_prediction_field, *given))
    _add_out_of_sample(inputs, ctx)


def _add_out_of_sample(inputs: Inputs, ctx: Context) -> None:
    if "out_of_sample" in params.target(ctx).unsupported:
        return
    inputs.bool(
        "out_of_sample",
        default=False,
        label="The model never saw these labels",
        description="Its predictions then count as much as those of the mutants",
        view=types.CheckboxView(),
    )


def _add_backbone(inputs: Inputs, ctx: Context, samples: Samples) -> None:
    choices = {name: f"{name} ({size} MB)" for name, size in params.BACKBONES.items()}
    model = params.model(ctx)
    offered = model in params.BACKBONES
    if not offered:  # from Python, any that torchvision has will do
        choices[model] = str(model)
    prop = dropdown(
        inputs,
        "model",
        choices,
        default=params.DEFAULT_BACKBONE,
        label="Network",
        description="Weights that torch has not cached yet are downloaded, once",
    )
    if not offered:
        problem = problem_message(Settings, model=model) or _model_problem(ctx)
        mark_invalid(prop, problem)


def _add_zoo(inputs: Inputs, ctx: Context, samples: Samples) -> None:
    prop = dropdown(
        inputs,
        "zoo_model",
        models.zoo_names(),
        default=params.model(ctx),
        label="Zoo model",
        description="Some need more packages; FiftyOne names them when it loads one",
    )
    mark_invalid(prop, _model_problem(ctx))
    _add_out_of_sample(inputs, ctx)


def _add_file(inputs: Inputs, ctx: Context, samples: Samples) -> None:
    path = inputs.str(
        "model_path",
        allow_empty=True,  # the check says more than FiftyOne's "Required property"
        default=params.model(ctx),
        label="Model file",
        description="Path on the machine that runs this. Pickles, TorchScript and "
        "torch.export are code, and are refused outside the folders that the server's "
        "environment trusts",
    )
    mark_invalid(path, _model_problem(ctx))
    factory = inputs.str(
        "factory",
        label="Factory",
        description="For weights: what builds the network, as "
        "torchvision.models:resnet18. Others have to be named by the server's "
        "environment",
    )
    given = ctx.params.get("factory") or None
    mark_invalid(factory, problem_message(trust.check_factory, given))
    _add_out_of_sample(inputs, ctx)


def model_problems(ctx: Context) -> dict[str, str]:
    """The problem with each of the model's settings that the form asks for."""
    return {
        name: problem_message(Settings, model="any", **{name: value})
        for name, value in params.model_settings(ctx).items()
        if name in _ADVANCED
    }


def add_model_settings(inputs: Inputs, ctx: Context, problems: dict[str, str]) -> None:
    """Asks for the settings of a model that few people need."""
    settings = params.model_settings(ctx)
    unsupported = params.target(ctx).unsupported
    settings = {n: v for n, v in settings.items() if n not in unsupported}
    if "depth" in settings:
        label = "Depth of the mutants"
        prop = dropdown(inputs, "depth", _DEPTHS, default="head", label=label)
        mark_invalid(prop, problems["depth"])
    for name in ("layer", "classes"):
        if name in settings:
            label, description = _ADVANCED[name]
            prop = inputs.str(name, label=label, description=description)
            mark_invalid(prop, problems[name])
    if "preprocessing" in settings:
        _add_input(inputs, problems["preprocessing"])


def _add_input(inputs: Inputs, problem: str) -> None:
    label, description = _ADVANCED["preprocessing"]
    size = inputs.int("input_size", label=label, description=description)
    mark_invalid(size, problem)
    # no default: the App would send it, and it would replace what the model states
    dropdown(inputs, "input_mode", ("RGB", "BGR", "L"), label="Colours")
    for name, what in (("mean", "Mean"), ("std", "Standard deviation")):
        inputs.str(
            f"input_{name}",
            label=what,
            description="Of each channel, from 0 to 1, as in 0.5, 0.5, 0.5",
        )


def _model_problem(ctx: Context) -> str:
    """The problem with the model, by its name and a look at its file."""
    try:
        settings = params.read_request(ctx).settings
    except InputError:
        return ""  # the setting that is wrong says so itself
    return problem_message(models.check_model, params.model(ctx), settings)
