"""The settings of one run: checked when made, stored with the run as JSON."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from numbers import Real
from typing import Any

from fiftyone_dfaulo.checks import check_whole_number
from fiftyone_dfaulo.errors import InputError

METHODS = ("dfaulo", "paper")
"""Scoring methods: ours (the default), and the paper's, step by step."""

DEPTHS = ("head", "full")
"""What a mutant retrains: linear heads on frozen features, or the network as well."""

CACHES = ("keep", "run", "none")
"""Whether work is kept on disk: for any run, as long as this one is there, or not."""

GIB = 1024**3

_CHANNELS = {"RGB": 3, "BGR": 3, "L": 1}
_IMAGENET = {
    3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    1: ((0.449,), (0.226,)),
}
"""Number of channels to the mean and standard deviation of ImageNet's images."""

_LIMITS = {
    "seed": (0, 2**32 - 1),
    "image_size": (8, 64),
    "epochs": (1, 1000),
    "batch_size": (1, 65536),
    "num_workers": (1, 256),
    "memory_budget": (1, 2**50),
}
"""Names of whole numbers among the settings to the least and the most of each."""

_OPTIONAL = ("image_size", "num_workers")
"""Those of them that may be None."""


@dataclass(frozen=True)
class Preprocessing:
    """How images are prepared for a model.

    Args:
        size: side in pixels, 1 to 2048, of the square that images are squashed to.
        mean: subtracted from each channel, on the 0..1 scale; a number is for all
            channels, and None is ImageNet's.
        std: what each channel is then divided by, given like ``mean``.
        mode: order of the channels: ``"RGB"``, ``"BGR"``, or ``"L"`` for a single grey
            one.

    Raises:
        InputError: if a value is of the wrong type or out of range.
    """

    size: int = 224
    mean: Sequence[float] | float | None = None
    std: Sequence[float] | float | None = None
    mode: str = "RGB"

    def __post_init__(self) -> None:
        if self.mode not in _CHANNELS:
            raise InputError(
                f"preprocessing mode={self.mode!r} is unknown; choose one of "
                f"{', '.join(map(repr, _CHANNELS))}"
            )
        size = check_whole_number("preprocessing size", self.size, 1, 2048)
        object.__setattr__(self, "size", size)
        mean, std = _IMAGENET[self.channels]
        object.__setattr__(self, "mean", self._numbers("mean", mean))
        object.__setattr__(self, "std", self._numbers("std", std))
        if not all(value > 0 for value in self.channel_std):
            raise InputError(
                f"preprocessing std={self.std!r}: expected numbers above 0"
            )

    @property
    def channels(self) -> int:
        """How many channels the model gets."""
        return _CHANNELS[self.mode]

    @property
    def channel_mean(self) -> tuple[float, ...]:
        """``mean``, one number a channel."""
        return self.mean  # type: ignore[return-value]  # since __post_init__

    @property
    def channel_std(self) -> tuple[float, ...]:
        """``std``, one number a channel."""
        return self.std  # type: ignore[return-value]

    def _numbers(self, name: str, default: tuple[float, ...]) -> tuple[float, ...]:
        value = getattr(self, name)
        if value is None:
            return default
        try:
            values = [value] if isinstance(value, Real) else [*value]
            one_for_all = self.channels if len(values) == 1 else 1
            numbers = tuple(map(float, values * one_for_all))
        except (TypeError, ValueError):
            numbers = ()
        if len(numbers) != self.channels or not all(abs(n) < 1e6 for n in numbers):
            raise InputError(
                f"preprocessing {name}={value!r}: expected {self.channels} finite "
                f"numbers on the 0..1 scale, one for each channel of {self.mode!r}"
            )
        return numbers


@dataclass(frozen=True)
class Settings:
    """How a run scores, apart from the samples themselves.

    Args:
        method: ``"dfaulo"`` (ours) or ``"paper"`` (Yin et al., ESEC/FSE 2023).
        seed: non-negative integer that all randomness of the run comes from.
        model: the original model: name of a torchvision architecture or of a FiftyOne
            zoo model, path of a file, or the class of a model that was passed in; None
            trains a small network on the samples themselves.
        factory: ``"package.module:function"`` that builds the network of the file.
        layer: dotted path of the layer whose output is the embedding; with ``"<"``
            before the path, its input is. ``""`` is the model's own output; None finds
            the input of the last linear layer.
        classes: names of the model's classes in the order of its logits; None takes
            those that the model states.
        preprocessing: how images are prepared for the model, a :class:`Preprocessing`
            or a dict of its values; None takes what the model states.
        trust_model_file: whether code in the model's file may run, as it does in
            pickles and archives of TorchScript and torch.export.
        depth: ``"head"`` leaves the network as it is; ``"full"`` also trains it again
            without the most suspicious samples.
        predictions: name of a field of predictions that serve as the original model;
            ``"auto"`` trains a detector on boxes; ``"look"`` looks at each box alone.
        train: whether a network is trained here beside what else is scored from.
        out_of_sample: whether the model, or whoever made the predictions, never saw
            these samples' labels, so that it votes beside the heads.
        image_size: side in pixels, 8 to 64, that images are resized to for the
            network trained here; None picks it from the images.
        epochs: how often training passes over the images, at least 1.
        batch_size: images per forward pass outside training. It does not change the
            scores beyond rounding.
        num_workers: threads that decode images; None is one per core, at most 8. It
            does not change the scores.
        memory_budget: bytes of decoded images in memory; more go to a temporary file.
        device: torch device such as ``"cpu"`` or ``"cuda:0"``; None picks CUDA, then
            MPS, then the CPU.
        cache: whether work is kept on disk for reruns and other runs (``"keep"``), as
            long as the run is there (``"run"``), or not (``"none"``).

    Raises:
        InputError: if a value is of the wrong type or out of range.
    """

    method: str = "dfaulo"
    seed: int = 51
    model: str | None = None
    factory: str | None = None
    layer: str | None = None
    classes: tuple[str, ...] | None = None
    preprocessing: Preprocessing | None = None
    trust_model_file: bool = False
    depth: str = "head"
    predictions: str | None = None
    train: bool = False
    out_of_sample: bool = False
    image_size: int | None = None
    epochs: int = 10
    batch_size: int = 256
    num_workers: int | None = None
    memory_budget: int = 2 * GIB
    device: str | None = None
    cache: str = "keep"

    def __post_init__(self) -> None:
        for name, known in (("method", METHODS), ("depth", DEPTHS), ("cache", CACHES)):
            value = getattr(self, name)
            if value not in known:
                raise InputError(f"{name}={value!r} is unknown; choose one of {known}")
        for name, (low, high) in _LIMITS.items():
            value, optional = getattr(self, name), name in _OPTIONAL
            if value is None and optional:
                continue
            advice = "None picks one" if optional else ""
            number = check_whole_number(name, value, low, high, advice)
            object.__setattr__(self, name, number)  # numpy's integers are no JSON
        for name in ("model", "factory", "layer", "predictions", "device"):
            self._check_type(name, str, "a string or None", optional=True)
        for name in ("trust_model_file", "out_of_sample", "train"):
            self._check_type(name, bool, "True or False")
        self._convert_classes()
        self._convert_preprocessing()
        self._check_together()

    def _check_together(self) -> None:
        if self.method == "paper":
            for name in ("model", "predictions"):
                if getattr(self, name) is not None:
                    raise InputError(
                        "method='paper' trains its own network and cannot use "
                        f"{name}={getattr(self, name)!r}; leave {name} out, or use "
                        "method='dfaulo'"
                    )
            if self.depth != "head":
                raise InputError(
                    "method='paper' has mutants of its own; leave depth out, or use "
                    "method='dfaulo'"
                )
        if self.predictions is not None and self.model is not None:
            raise InputError(
                f"predictions={self.predictions!r} and model={self.model!r} are both "
                "the original model; leave one of them out"
            )
        if self.train and self.depth != "head":
            raise InputError(
                f"depth={self.depth!r} trains the only network again; leave train or "
                "depth out"
            )
        if self.predictions is not None and self.depth != "head":
            raise InputError(
                f"depth={self.depth!r} trains a network and predictions have none; "
                "pass the model that made them"
            )
        sources = (self.model, self.predictions)
        for name, needed in (
            ("factory", sources[:1]),
            ("layer", sources[:1]),
            ("preprocessing", sources[:1]),
            ("trust_model_file", sources[:1]),
            ("classes", sources),
            ("out_of_sample", sources),
        ):
            if getattr(self, name) not in (None, False) and not any(needed):
                raise InputError(
                    f"{name}={getattr(self, name)!r} says something about a model; "
                    f"pass {'model' if len(needed) == 1 else 'model or predictions'} "
                    f"as well, or leave {name} out"
                )

    def _convert_classes(self) -> None:
        if self.classes is None:
            return
        known = isinstance(self.classes, Sequence) and not isinstance(self.classes, str)
        names = tuple(self.classes) if known else ()
        strings = all(isinstance(name, str) for name in names)
        if not strings or len(names) < 2 or len(set(names)) != len(names):
            raise InputError(
                f"classes={self.classes!r}: expected a list of two or more different "
                "names, in the order of the model's logits"
            )
        object.__setattr__(self, "classes", names)

    def _convert_preprocessing(self) -> None:
        value = self.preprocessing
        if isinstance(value, dict):
            known = {field.name for field in fields(Preprocessing)}
            if unknown := sorted(set(value) - known):
                raise InputError(
                    f"preprocessing has no {', '.join(map(str, unknown))}; expected "
                    f"some of {', '.join(sorted(known))}"
                )
            object.__setattr__(self, "preprocessing", Preprocessing(**value))
        elif value is not None and not isinstance(value, Preprocessing):
            raise InputError(
                f"preprocessing is a {type(value).__name__}; expected a "
                "fiftyone_dfaulo.Preprocessing or a dict of its values"
            )

    def _check_type(
        self, name: str, kind: type, expected: str, *, optional: bool = False
    ) -> None:
        value = getattr(self, name)
        if not isinstance(value, kind) and not (optional and value is None):
            raise InputError(
                f"{name}={value!r} is a {type(value).__name__}; expected {expected}"
            )

    @property
    def workers(self) -> int:
        """Number of decoding threads, resolved."""
        return self.num_workers or min(8, os.cpu_count() or 1)

    def to_dict(self) -> dict[str, Any]:
        """These settings as JSON-serializable values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Settings:
        """Settings from :meth:`to_dict`; keys this version does not know are dropped.

        Raises:
            InputError: if a value is of the wrong type or out of range.
        """
        known = {field.name for field in fields(cls)}
        return cls(**{name: v for name, v in values.items() if name in known})
