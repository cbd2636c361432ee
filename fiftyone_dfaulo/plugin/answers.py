"""What the answers to the form of ``compute_suspiciousness`` mean.

Answers may be missing: the App's first look at a form has none, and from Python only
those that differ from the defaults are given.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fiftyone_dfaulo.adapter import reading
from fiftyone_dfaulo.adapter.places import Place
from fiftyone_dfaulo.config import METHODS, Settings
from fiftyone_dfaulo.plugin.remember import remember

NETWORK, EMBEDDINGS, BACKBONE = "network", "embeddings", "backbone"
"""Ways to score: a network trained here, embeddings that exist, pretrained weights."""

BACKBONES = {
    "resnet18": 45,
    "efficientnet_b0": 21,
    "resnet50": 98,
    "convnext_tiny": 109,
    "vit_b_16": 331,
}
"""Architectures that the form offers, and the size of their weights in MB."""

DEFAULT_BACKBONE = "resnet18"
DEFAULT_FIELD = "ground_truth"
DEFAULT_KEY = "dfaulo"

NUMBERS = ("seed", "max_epochs", "image_size", "batch_size", "num_workers")
"""Settings in numbers that the form asks for."""

TRAINING_ONLY = ("max_epochs", "image_size")
"""Those of them that matter only where a network is trained."""


class Request(NamedTuple):
    """What is asked for: the arguments of ``fiftyone_dfaulo.adapter.compute.run``."""

    samples: Any
    label_field: str
    brain_key: str
    embeddings: str | None
    settings: Settings
    overwrite: bool


def read_request(ctx: Any) -> Request:
    """What the form, as far as it is filled in, asks for.

    Args:
        ctx: the :class:`fiftyone.operators.executor.ExecutionContext`.

    Raises:
        InputError: if a setting is out of range.
    """
    chosen = source(ctx)
    settings = {"method": method(ctx), **numbers(ctx)}
    if chosen == BACKBONE:
        settings["model"] = backbone(ctx)
    return Request(
        ctx.target_view(),
        label_field(ctx),
        brain_key(ctx),
        embeddings(ctx) if chosen == EMBEDDINGS else None,
        Settings(**settings),
        bool(ctx.params.get("overwrite")),
    )


def label_fields(ctx: Any) -> dict[str, int]:
    """The fields that can be scored, each with its number of labels."""
    return remember(
        ctx, "label fields", lambda: reading.list_label_fields(ctx.target_view())
    )


def default_label_field(ctx: Any) -> str:
    """FiftyOne's usual name if there is such a field, else the fullest field."""
    fields = label_fields(ctx)
    if DEFAULT_FIELD in fields or not fields:
        return DEFAULT_FIELD
    return max(fields, key=lambda name: fields[name])


def label_field(ctx: Any) -> Any:
    """The field whose labels are to be scored."""
    return ctx.params.get("label_field") or default_label_field(ctx)


def source(ctx: Any) -> str:
    """How to score; from Python, naming embeddings or a model is enough."""
    if ctx.params.get("source"):
        return str(ctx.params["source"])
    if ctx.params.get("embeddings"):
        return EMBEDDINGS
    return BACKBONE if ctx.params.get("model") else NETWORK


def embedding_sources(ctx: Any) -> list[reading.EmbeddingSource]:
    """The fields and brain runs that have embeddings."""
    field = label_field(ctx)

    def look() -> list[reading.EmbeddingSource]:
        return reading.list_embeddings(ctx.target_view(), place(ctx))

    return remember(ctx, ("embeddings", field), look)


def place(ctx: Any) -> Place:
    """Where the items with the labels lie; samples, if the field cannot be scored."""
    field = label_field(ctx)
    if field in label_fields(ctx):
        return reading.find_place(ctx.target_view(), field)
    return Place(str(field))


def embeddings(ctx: Any) -> Any:
    """Where to take embeddings from; None if nothing has any."""
    found = embedding_sources(ctx)
    return ctx.params.get("embeddings") or (found[0].name if found else None)


def backbone(ctx: Any) -> Any:
    """The pretrained architecture to use."""
    return ctx.params.get("model") or DEFAULT_BACKBONE


def brain_key(ctx: Any) -> Any:
    """The key of the run; an emptied field is an empty key, not the default."""
    key = ctx.params.get("brain_key")
    return DEFAULT_KEY if key is None else key


def method(ctx: Any) -> Any:
    """The scoring method."""
    return ctx.params.get("method") or METHODS[0]


def numbers(ctx: Any) -> dict[str, Any]:
    """The settings in numbers that were given and matter; empty means the default."""
    return {
        name: ctx.params[name]
        for name in NUMBERS
        if ctx.params.get(name) is not None
        and (name not in TRAINING_ONLY or source(ctx) == NETWORK)
    }
