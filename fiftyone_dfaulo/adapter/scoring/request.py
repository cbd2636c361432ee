"""What a run is asked for, and the settings in it that callers may leave out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, TypedDict

from numpy.typing import ArrayLike

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.scoring.models import Model, read_preprocessing
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.errors import InputError

AUTO = "auto"
"""As ``embeddings``: whatever the dataset has; see :mod:`.auto`. As ``predictions``:
those of a detector that is trained here."""

LOOK = "look"
"""As ``predictions``: none; networks that are trained here look at each box."""

MADE_HERE = (AUTO, LOOK)
"""What may be passed as ``predictions`` and is no field."""


@dataclass(frozen=True)
class Request:
    """What a run is asked for; see :func:`.compute.compute_suspiciousness`.

    Attributes:
        samples, label_field, brain_key, embeddings, overwrite, cluster: as there.
        settings: how to score.
        model: a model itself; None takes the one that the settings name.
        work_of: the dataset whose work it is, where the samples are a copy that goes.
        learn_from: the key of a run whose review it learns from; None for none.
    """

    samples: Samples
    label_field: str
    settings: Settings
    brain_key: str = "dfaulo"
    embeddings: ArrayLike | None = None
    model: Model | None = None
    overwrite: bool = False
    work_of: Samples | None = None
    cluster: str | None = None
    learn_from: str | None = None

    @property
    def original(self) -> Model | None:
        """The original model: itself, or its name; None if there is none."""
        return self.settings.model if self.model is None else self.model


def is_auto(embeddings: Any) -> bool:
    """Whether an argument ``embeddings`` is :data:`AUTO`."""
    return isinstance(embeddings, str) and embeddings == AUTO


def as_sources(embeddings: Any) -> list[Any]:
    """The sources that an argument ``embeddings`` holds: names, or one array."""
    listed = isinstance(embeddings, (list, tuple)) and len(embeddings) > 0
    if listed and all(isinstance(one, str) for one in embeddings):
        return list(embeddings)
    return [] if embeddings is None else [embeddings]


class ScoringOptions(TypedDict, total=False):
    """Settings of a run that few need; see :class:`fiftyone_dfaulo.Settings`."""

    layer: str | None
    classes: Sequence[str] | None
    preprocessing: object
    factory: str | None
    trust_model_file: bool
    train: bool
    out_of_sample: bool
    depth: str
    image_size: int | None
    epochs: int
    batch_size: int
    num_workers: int | None
    memory_budget: int
    device: str | None
    cache: str


class SourceOptions(ScoringOptions, total=False):
    """These, and the settings that pick what is scored from."""

    method: str
    model: str | None
    predictions: str | None


def make_settings(
    function: Callable[..., object], given: Mapping[str, object]
) -> Settings:
    """The settings that a function was called with.

    Args:
        function: the function, for messages, and whose other arguments are known.
        given: name to value; ``preprocessing`` may be torchvision's.

    Raises:
        InputError: if there is no such setting, or it has a value that cannot be used.
    """
    known = {field.name for field in fields(Settings)}
    for name in given:
        if name not in known:
            _refuse(function, name, known)
    values = dict(given)
    values["preprocessing"] = read_preprocessing(values.get("preprocessing"))
    return Settings(**values)  # type: ignore[arg-type]  # it checks them itself


def _refuse(function: Callable[..., object], name: str, settings: set[str]) -> None:
    parameters = inspect.signature(function).parameters.values()
    others = {one.name for one in parameters if one.kind != one.VAR_KEYWORD}
    near = get_close_matches(name, sorted(settings | others), n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"see help({function.__name__})"
    raise InputError(f"{function.__name__} has no argument {name!r}; {advice}")
