"""What the form of ``compute_suspiciousness`` asks for, read from its parameters.

Parameters may be missing: a form that was just opened has none, and Python users give
only those that differ from the defaults. The types below are those of the App's values.
A value from Python may be of any type; the adapter's checks refuse what cannot be used.
"""

from __future__ import annotations

from collections.abc import Sequence

from fiftyone_dfaulo.adapter.reading.embeddings import EmbeddingSource, list_embeddings
from fiftyone_dfaulo.adapter.reading.label_fields import list_label_fields
from fiftyone_dfaulo.adapter.scoring import auto, models
from fiftyone_dfaulo.adapter.scoring.checks import list_prediction_fields
from fiftyone_dfaulo.adapter.scoring.request import AUTO, LOOK, Request
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.kinds import by_predictions, find_target
from fiftyone_dfaulo.adapter.targets.sample import SampleTarget
from fiftyone_dfaulo.config import CACHES, DEPTHS, METHODS, Settings
from fiftyone_dfaulo.plugin.forms import trust
from fiftyone_dfaulo.plugin.forms.form_cache import cached
from fiftyone_dfaulo.plugin.forms.presets import preset_key, samples
from fiftyone_dfaulo.plugin.host import Context, JsonDict

NETWORK, EMBEDDINGS, BACKBONE = "network", "embeddings", "backbone"
PREDICTIONS, ZOO, FILE, DETECTOR = "predictions", "zoo", "file", "detector"
"""Ways to score: a network trained here, embeddings that exist, pretrained weights;
predictions that exist, a model of FiftyOne's zoo, a model's file, a detector trained
here. And ``AUTO``: all embeddings that exist, and a network where that is quick; and
``LOOK``: networks that look at given boxes."""

BOX_WAYS = {LOOK: LOOK, AUTO: DETECTOR}
"""Setting ``predictions`` that is no field to the way to judge boxes."""

BACKBONES = {
    "resnet18": 45,
    "efficientnet_b0": 21,
    "resnet50": 98,
    "convnext_tiny": 109,
    "vit_b_16": 331,
}
"""Architectures that the form offers, and the size of their weights in MB."""

DEFAULT_BACKBONE = "resnet18"
DEFAULT_ZOO_MODEL = "resnet18-imagenet-torch"
DEFAULT_FIELD = "ground_truth"

HERE = "here"
"""What the form calls a run without a cluster."""

NUMBERS = ("seed", "epochs", "image_size", "batch_size", "num_workers")
"""The numeric settings that the form asks for."""

TRAINING_ONLY = ("epochs", "image_size")
"""Those of :data:`NUMBERS` that matter only if a network is trained."""

MODEL_SETTINGS = {
    "depth": (NETWORK, BACKBONE, FILE),
    "layer": (BACKBONE, FILE),
    "classes": (ZOO, FILE, PREDICTIONS),
    "preprocessing": (FILE,),
    "out_of_sample": (ZOO, FILE, PREDICTIONS),
    "factory": (FILE,),
    "train": (EMBEDDINGS, PREDICTIONS, BACKBONE, ZOO, FILE),
}
"""Setting of a model to the ways to score for which the form asks for it."""

_INPUT = ("size", "mode", "mean", "std")
"""Parts of a model's preprocessing; the form's parameters are ``input_<part>``."""


def read_request(ctx: Context) -> Request:
    """The run that the form asks for; what is not filled in has its default.

    Args:
        ctx: the operator's context.

    Raises:
        InputError: if a setting is out of range, or the server's environment does not
            let operators call the factory, or does not name the cluster.
    """
    chosen = source(ctx)
    settings = {"method": method(ctx), **numbers(ctx), **model_settings(ctx)}
    settings["cache"] = ctx.params.get("cache") or CACHES[0]
    if chosen in (BACKBONE, ZOO, FILE):
        settings["model"] = model(ctx)
    if chosen == FILE:
        trust.check_factory(settings["factory"])
        file = models.kind_of(model(ctx)) == models.FILE
        settings["trust_model_file"] = file and trust.is_trusted(model(ctx))
    elif chosen == PREDICTIONS:
        settings["predictions"] = predictions(ctx)
    elif chosen in BOX_WAYS.values():
        settings["predictions"] = AUTO if chosen == DETECTOR else LOOK
    sure = trust.overwrite_name(ctx.dataset, brain_key(ctx))
    vectors = {AUTO: AUTO, DETECTOR: AUTO, LOOK: AUTO, EMBEDDINGS: embeddings(ctx)}
    return Request(
        samples(ctx),
        label_field(ctx),
        Settings(**settings),
        brain_key(ctx),
        vectors.get(chosen),
        overwrite=bool(ctx.params.get(sure)),
        cluster=cluster(ctx),
    )


def label_fields(ctx: Context) -> dict[str, int]:
    """The fields that can be scored, each with its number of labels."""
    return cached(ctx, "label fields", lambda: list_label_fields(samples(ctx)))


def default_label_field(ctx: Context) -> str:
    """FiftyOne's usual name if there is such a field, else the fullest field."""
    fields = label_fields(ctx)
    if DEFAULT_FIELD in fields or not fields:
        return DEFAULT_FIELD
    return max(fields, key=lambda name: fields[name])


def label_field(ctx: Context) -> str:
    """The field whose labels are to be scored."""
    return ctx.params.get("label_field") or default_label_field(ctx)


def source(ctx: Context) -> str:
    """The way to score; if it is not given, it follows from what is there."""
    return given_source(ctx) or (AUTO if offers_auto(ctx) else NETWORK)


def offers_auto(ctx: Context) -> bool:
    """Whether there is anything that the plugin could use together with a network."""

    field = label_field(ctx)

    def look() -> bool:
        return auto.has_something(samples(ctx), target(ctx))

    return field in label_fields(ctx) and cached(ctx, ("auto", field), look)


def given_source(ctx: Context) -> str | None:
    """The way to score that is given, or that follows from what is given."""
    params = ctx.params
    if params.get("source"):
        return str(params["source"])
    if params.get("embeddings") == AUTO:
        return AUTO
    if params.get("predictions") in BOX_WAYS:
        return BOX_WAYS[params["predictions"]]
    for name, way in (
        ("embeddings", EMBEDDINGS),
        ("predictions", PREDICTIONS),
        ("zoo_model", ZOO),
        ("model_path", FILE),
    ):
        if params.get(name):
            return way
    return way_of(str(params["model"])) if params.get("model") else None


def way_of(name: str) -> str:
    """The way to score by a model of this name."""
    if name in BACKBONES:
        return BACKBONE
    return {models.FILE: FILE, models.ZOO: ZOO}.get(models.kind_of(name), BACKBONE)


def embedding_sources(ctx: Context) -> list[EmbeddingSource]:
    """The fields and brain runs that have embeddings."""
    field = label_field(ctx)

    def read() -> list[EmbeddingSource]:
        return list_embeddings(samples(ctx), target(ctx))

    return cached(ctx, ("embeddings", field), read)


def target(ctx: Context) -> LabelTarget:
    """Where the items with the labels lie; samples, if the field cannot be scored."""
    field = label_field(ctx)
    if field not in label_fields(ctx):
        return SampleTarget(str(field))
    found = find_target(samples(ctx), field)
    compared = given_source(ctx) in (PREDICTIONS, *BOX_WAYS.values())
    return by_predictions(found) if compared else found


def several_sources(ctx: Context) -> bool:
    """Whether these labels can be judged by several sources together."""
    return target(ctx).labels_type.several_sources


def embeddings(ctx: Context) -> str | None:
    """The field or brain run with the embeddings to use; None if there is none."""
    found = embedding_sources(ctx)
    return ctx.params.get("embeddings") or (found[0].name if found else None)


def prediction_fields(ctx: Context) -> dict[str, str]:
    """The fields of predictions that can be used, each with what it holds."""
    return cached(
        ctx,
        ("predictions", label_field(ctx)),
        lambda: list_prediction_fields(samples(ctx), target(ctx)),
    )


def predictions(ctx: Context) -> str | None:
    """The field of predictions to use; None if there is none."""
    found = prediction_fields(ctx)
    return ctx.params.get("predictions") or next(iter(found), None)


def model(ctx: Context) -> str:
    """The name or path of the model to use; empty if the path was emptied."""
    params = ctx.params
    if source(ctx) == ZOO:
        return params.get("zoo_model") or params.get("model") or DEFAULT_ZOO_MODEL
    if source(ctx) == FILE:
        return params.get("model_path") or params.get("model") or ""
    return params.get("model") or DEFAULT_BACKBONE


def model_settings(ctx: Context) -> JsonDict:
    """The settings of the model that matter for the way to score."""
    values = {
        "depth": ctx.params.get("depth") or DEPTHS[0],
        "layer": ctx.params.get("layer") or None,
        "classes": _classes(ctx.params.get("classes")),
        "preprocessing": _preprocessing(ctx),
        "out_of_sample": bool(ctx.params.get("out_of_sample")),
        "factory": ctx.params.get("factory") or None,
        "train": bool(ctx.params.get("train") and several_sources(ctx)),
    }
    way = source(ctx)
    return {name: v for name, v in values.items() if way in MODEL_SETTINGS[name]}


def _classes(value: str | Sequence[str] | None) -> Sequence[str] | None:
    """The names of the classes; the form's text has commas between them."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",")] if value.strip() else None
    return value


def _preprocessing(ctx: Context) -> dict[str, object] | None:
    """The given parts of the model's preprocessing; None if none was given."""
    if ctx.params.get("preprocessing"):
        return ctx.params["preprocessing"]
    given = {name: ctx.params.get(f"input_{name}") for name in _INPUT}
    return {
        name: _numbers(value) if name in ("mean", "std") else value
        for name, value in given.items()
        if value not in (None, "")
    } or None


def _numbers(text: object) -> object:
    """The numbers in a text with commas; anything else as it is, for the checks."""
    try:
        return [float(part) for part in str(text).split(",")]
    except ValueError:
        return text


def brain_key(ctx: Context) -> str:
    """The key of the run; an emptied field is an empty key, not the default."""
    key = ctx.params.get("brain_key")
    return preset_key(ctx) if key is None else key


def cluster(ctx: Context) -> str | None:
    """The cluster to work on: that of the server's environment, or none.

    Raises:
        InputError: if it is an address, which a request must not decide.
    """
    value = ctx.params.get("cluster")
    trust.check_cluster(value)
    return None if value in (None, "", HERE) else str(value)


def method(ctx: Context) -> str:
    """The scoring method."""
    return ctx.params.get("method") or METHODS[0]


def numbers(ctx: Context) -> JsonDict:
    """The numeric settings that were given and matter; an emptied one is not given."""
    asked = [n for n in NUMBERS if n not in TRAINING_ONLY or trains(ctx)]
    return {n: ctx.params[n] for n in asked if ctx.params.get(n) is not None}


def trains(ctx: Context) -> bool:
    """Whether a network is trained here, alone or beside something else."""
    beside = bool(model_settings(ctx).get("train"))
    return beside or source(ctx) in (AUTO, NETWORK, *BOX_WAYS.values())
