"""Checks what a model returns, and describes what cannot be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from fiftyone_dfaulo.errors import InputError


def check_finite(
    name: str, arrays: Mapping[str, np.ndarray | None], sources: Sequence[str]
) -> None:
    """Makes sure that a model returned finite numbers.

    Args:
        name: how a message calls the model.
        arrays: what the values are called to the values, (B, ...); None is skipped.
        sources: the B images.

    Raises:
        InputError: if one is NaN or infinite.
    """
    for what, values in arrays.items():
        if values is None:
            continue
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            raise InputError(
                f"model={name} gives {what} of NaN or infinity, first for "
                f"{sources[bad[0]]}; check its weights and its preprocessing"
            )


def checked_output(
    name: str, output: object, count: int, *, strict: bool
) -> Tensor | None:
    """The output as logits (B, K); if not strict, None where it is something else."""
    if isinstance(output, Tensor):
        if output.ndim == 2 and output.shape[0] == count:
            return output
        if not strict:
            return None
        what = f"a tensor of shape {tuple(output.shape)}"
    elif not strict:
        return None
    else:
        what = _describe(output)
    raise InputError(
        f"model={name} returned {what} for {count} images; expected logits, a tensor "
        f"of shape ({count}, number of classes). Wrap it in a torch.nn.Module whose "
        "forward returns those"
    )


def _describe(output: object) -> str:
    if isinstance(output, Mapping):
        return f"a {type(output).__name__} with {', '.join(map(repr, output))}"
    if isinstance(output, (tuple, list)):
        kinds = ", ".join(
            f"{type(one).__name__}{tuple(getattr(one, 'shape', ()))}" for one in output
        )
        return f"a {type(output).__name__} of {kinds}"
    return f"a {type(output).__name__}"
