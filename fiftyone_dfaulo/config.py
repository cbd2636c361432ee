"""The settings of one run: checked when made, stored with the run as JSON."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from typing import Any

from fiftyone_dfaulo.errors import InputError

METHODS = ("dfaulo", "paper")
"""Scoring methods: ours (the default), and the paper's, step by step."""

GIB = 1024**3


@dataclass(frozen=True)
class Settings:
    """How a run scores, apart from the samples themselves.

    Args:
        method: ``"dfaulo"`` (ours) or ``"paper"`` (Yin et al., ESEC/FSE 2023).
        seed: non-negative integer that all randomness of the run comes from.
        model: name of a torchvision classification architecture, such as
            ``"resnet18"``, whose pretrained weights are used frozen; None trains a
            small network on the samples themselves. Not used where embeddings are
            given.
        image_size: side in pixels, 8 to 64, that images are resized to for the
            network trained here; None picks it from the images.
        max_epochs: the most epochs the network is trained for, at least 1.
        batch_size: images per forward pass outside training. It does not change the
            scores beyond rounding.
        num_workers: threads that decode images; None is one per core, at most 8. It
            does not change the scores.
        memory_budget: bytes of decoded images kept in memory; beyond that they are
            streamed from a temporary file.
        device: torch device such as ``"cpu"`` or ``"cuda:0"``; None picks CUDA, then
            MPS, then the CPU.

    Raises:
        InputError: if a value is of the wrong type or out of range.
    """

    method: str = "dfaulo"
    seed: int = 51
    model: str | None = None
    image_size: int | None = None
    max_epochs: int = 30
    batch_size: int = 256
    num_workers: int | None = None
    memory_budget: int = 2 * GIB
    device: str | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(
                f"method={self.method!r} is unknown; choose one of {METHODS}"
            )
        self._check_int("seed", 0, 2**32 - 1)
        self._check_int("image_size", 8, 64, optional=True)
        self._check_int("max_epochs", 1, 1000)
        self._check_int("batch_size", 1, 65536)
        self._check_int("num_workers", 1, 256, optional=True)
        self._check_int("memory_budget", 1, 2**50)
        for name in ("model", "device"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise InputError(
                    f"{name}={value!r} is a {type(value).__name__}; "
                    "expected a string or None"
                )
        if self.method == "paper" and self.model is not None:
            raise InputError(
                f"method='paper' trains its own network and cannot use "
                f"model={self.model!r}; leave model out, or use method='dfaulo'"
            )

    def _check_int(
        self, name: str, low: int, high: int, *, optional: bool = False
    ) -> None:
        value = getattr(self, name)
        if value is None and optional:
            return
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise InputError(
                f"{name}={value!r} is a {type(value).__name__}; expected an integer "
                f"from {low} to {high}{' or None' if optional else ''}"
            )
        number = int(value)  # numpy's integers are no JSON
        if not low <= number <= high:
            raise InputError(f"{name}={value} is out of range; use {low} to {high}")
        object.__setattr__(self, name, number)

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
