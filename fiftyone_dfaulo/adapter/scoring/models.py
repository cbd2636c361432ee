"""What ``model=`` may be, and how each is loaded.

A string is a file's path, the name of a FiftyOne zoo model, or that of a torchvision
architecture. Checks import torch only where they must: a form makes them.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from fiftyone_dfaulo.config import Preprocessing, Settings
from fiftyone_dfaulo.engine.models import file_format
from fiftyone_dfaulo.errors import InputError

if TYPE_CHECKING:
    import fiftyone.core.models as fom
    from torch import nn

    from fiftyone_dfaulo.engine.models.original import OriginalModel

Model: TypeAlias = "str | Path | nn.Module | fom.Model"
"""What ``model=`` may be."""

FILE, ZOO, TORCHVISION, MODULE, FIFTYONE = (
    "file",
    "zoo model",
    "torchvision network",
    "torch module",
    "FiftyOne model",
)
"""What a model can be."""

_SUFFIXES = (".pt", ".pth", ".pt2", ".ts", ".safetensors", ".ckpt", ".bin", ".pkl")


def kind_of(model: object) -> str:
    """What a ``model=`` is; a name may turn out to be no network's.

    Raises:
        InputError: if it is of a type that no model has.
    """
    if isinstance(model, (str, Path)):
        name = str(model)
        if not name or "/" in name or "\\" in name or name.lower().endswith(_SUFFIXES):
            return FILE
        if name in zoo_names():
            return ZOO
        return FILE if Path(name).is_file() else TORCHVISION
    import fiftyone.core.models as fom
    from torch import nn

    if isinstance(model, nn.Module):
        return MODULE
    if isinstance(model, fom.Model):
        return FIFTYONE
    raise InputError(
        f"model is a {type(model).__name__}; expected a torch.nn.Module, a FiftyOne "
        "model, the path of a file, or the name of a zoo model or a torchvision network"
    )


def zoo_names() -> list[str]:
    """Names of the zoo's image models with embeddings or logits, sorted."""
    import fiftyone.zoo as foz

    tagged = {
        *foz.list_zoo_models(tags="embeddings"),
        *foz.list_zoo_models(tags="logits"),
    }
    return sorted(tagged)


def describe(model: object) -> str | None:
    """What the settings of a run say of its model: a name, a path or a class."""
    if model is None:
        return None
    if isinstance(model, (str, Path)):
        return str(model)
    return f"{type(model).__module__}.{type(model).__qualname__}"


def check_model(model: Model | None, settings: Settings) -> None:
    """Makes sure, without loading it, that a model can be used with the settings.

    Args:
        model: as ``compute_suspiciousness`` takes it, or None.
        settings: ``factory``, ``trust_model_file``, ``layer``, ``depth`` and
            ``preprocessing`` are looked at.

    Raises:
        InputError: if it cannot.
    """
    if model is None:
        return
    kind = kind_of(model)
    if kind == FILE:
        file_format.check_file(
            str(model), settings.factory, trusted=settings.trust_model_file
        )
    elif settings.factory is not None or settings.trust_model_file:
        raise InputError(
            "factory and trust_model_file are for a model's file; "
            f"model={describe(model)!r} is a {kind}"
        )
    if kind in (ZOO, FIFTYONE) and (settings.layer is not None or _full(settings)):
        raise InputError(
            f"model={describe(model)!r} is a {kind}, whose embeddings are its own; "
            "leave out layer and depth, or pass the torch.nn.Module"
        )
    if kind == TORCHVISION:
        _check_architecture(str(model))


def _full(settings: Settings) -> bool:
    return settings.depth == "full"


def _check_architecture(name: str) -> None:
    from fiftyone_dfaulo.engine.models.pretrained import architectures

    known = architectures()
    if name in known:
        return
    near = get_close_matches(name.lower(), [*known, *zoo_names()]) or ["resnet18"]
    raise InputError(
        f"model={name!r} is no file, no FiftyOne zoo model with embeddings or logits, "
        "and no torchvision classification architecture; did you mean "
        f"{' or '.join(map(repr, near))}?"
    )


def load_original(model: Model, settings: Settings) -> OriginalModel:
    """Loads a model that is neither a zoo's nor a FiftyOne model.

    Raises:
        InputError: if it cannot be loaded.
        WeightsError: if pretrained weights are not to be had.
    """
    from fiftyone_dfaulo.engine.models import loading, pretrained
    from fiftyone_dfaulo.engine.models.original import OriginalModel, is_closed

    kind = kind_of(model)
    if kind == FILE:
        return loading.load_model(
            str(model),
            factory=settings.factory,
            trust_model_file=settings.trust_model_file,
        )
    if kind == TORCHVISION:
        return pretrained.load_pretrained(str(model))
    assert not isinstance(model, (str, Path))
    return OriginalModel(
        model,
        type(model).__name__,
        classes=loading.stated_classes(model),
        open=not is_closed(model),
    )


def read_preprocessing(value: Any) -> object:
    """A torchvision transform or its weights as a :class:`Preprocessing`.

    Anything else is returned as it is, for :class:`Settings` to check.
    """
    if callable(getattr(value, "transforms", None)):  # the weights
        value = value.transforms()
    names = ("crop_size", "mean", "std")
    if all(isinstance(getattr(value, name, None), (list, tuple)) for name in names):
        return Preprocessing(
            int(value.crop_size[0]), tuple(value.mean), tuple(value.std)
        )
    return value
