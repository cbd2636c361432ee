"""Where in a network the penultimate activations are, and how to get at them.

1. A dispatch mode records every matrix product and 1x1 convolution of a forward pass.
   It works for Python modules, TorchScript and exported graphs alike.
2. From the last one backwards, each is tried as the head. Its output is frozen to that
   of the first image: then all logits must become those of the first image. A layer
   that the logits bypass, such as that of an auxiliary head, fails.
3. The input of the head is the embedding. A hook captures it where the head is a Python
   module; elsewhere the dispatch mode does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from fiftyone_dfaulo.engine.models.original import is_closed
from fiftyone_dfaulo.errors import InputError

_aten = torch.ops.aten
_MATMULS = {
    _aten.addmm.default: (1, 2),
    _aten.mm.default: (0, 1),
    _aten.linear.default: (0, 1),
    _aten.convolution.default: (0, 1),
    _aten._convolution.default: (0, 1),
    _aten.conv2d.default: (0, 1),
}
"""Operation to the positions of its input and its weights among the arguments."""

_TRIED = 24  # matrix products from the end that may be the head
_CLOSE = 1e-3  # share of the logits' spread that a frozen head may leave


@dataclass(frozen=True)
class Penultimate:
    """Where the embedding is taken.

    Attributes:
        layer: dotted path of a Python module, with ``"<"`` before it if its input is
            taken; None if there is no such module.
        matmul: else the position, among the ``matmuls`` of a forward pass, of the
            matrix product whose input is taken.
        matmuls: how many matrix products one forward pass makes.
    """

    layer: str | None
    matmul: int = -1
    matmuls: int = 0


class MatmulRecorder(TorchDispatchMode):
    """Records the matrix products of a forward pass.

    Args:
        batch: B, the number of images.
        freeze: position of a product whose output is replaced by that of the first
            image, for all images.
        keep: position of a product whose input is kept.

    Attributes:
        weights: of each product, the address of its weights.
        shapes: of each product, the shape of its output.
        kept: the input of the product at ``keep``.
    """

    def __init__(self, batch: int, *, freeze: int = -1, keep: int = -1) -> None:
        super().__init__()
        self.batch, self.freeze, self.keep = batch, freeze, keep
        self.weights: list[int] = []
        self.shapes: list[torch.Size] = []
        self.kept: Tensor | None = None

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: Sequence[Tensor] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        output = func(*args, **(kwargs or {}))
        operands = _operands(func, args)
        if operands is None:
            return output
        position = len(self.weights)
        self.weights.append(operands[1].data_ptr())
        self.shapes.append(output.shape)
        if position == self.keep:
            self.kept = operands[0]
        if position == self.freeze:
            output = freeze_first(output, self.batch)
        return output


def _operands(func: OpOverload, args: Sequence[Tensor]) -> tuple[Tensor, Tensor] | None:
    positions = _MATMULS.get(func)
    if positions is None:
        return None
    values, weights = (args[position] for position in positions)
    if weights.ndim > 2 and any(side != 1 for side in weights.shape[2:]):
        return None
    return values, weights


def freeze_first(output: Tensor, batch: int) -> Tensor:
    """The output for the first image in place of every image's."""
    if not batch or output.shape[0] % batch:
        return output
    rows = output.unflatten(0, (batch, -1))
    return rows[:1].expand_as(rows).flatten(0, 1).clone()


def find_penultimate(module: nn.Module, images: Tensor) -> Penultimate:
    """Finds the input of the last layer that all of the logits come from.

    A head of zeros, as some networks start with, is recognised by its shape alone.

    Args:
        module: in evaluation mode.
        images: (B, C, S, S), at least two that differ.

    Raises:
        InputError: if there is none.
    """
    with torch.no_grad():
        recorder = MatmulRecorder(len(images))
        with recorder:
            logits = module(images)
        spread = (logits - logits[:1]).abs().max()
        count = len(recorder.weights)
        for position in reversed(range(max(count - _TRIED, 0), count)):
            if not spread > 0 and recorder.shapes[position] != logits.shape:
                continue
            with MatmulRecorder(len(images), freeze=position):
                frozen = module(images)
            if (frozen - logits[:1]).abs().max() <= _CLOSE * spread:
                return _hookable(module, images, position, recorder.weights)
    raise InputError(
        f"none of the {count} linear layers and 1x1 convolutions of the model "
        f"{type(module).__name__} makes the logits alone; name the penultimate layer, "
        "as by layer='features', or pass layer='' if the model's own output is the "
        "embedding"
    )


def _hookable(
    module: nn.Module, images: Tensor, position: int, weights: list[int]
) -> Penultimate:
    """The Python module that makes a product, if there is one that can be hooked."""
    anywhere = Penultimate(None, position, len(weights))
    if is_closed(module):
        return anywhere
    owners = [
        name.rpartition(".")[0]
        for name, parameter in module.named_parameters()
        if parameter.data_ptr() == weights[position]
    ]
    if not owners or weights.count(weights[position]) > 1:
        return anywhere
    penultimate = Penultimate(f"<{owners[0]}")
    with capture_activations(module, penultimate, len(images)) as captured:
        module(images)
    owner = module.get_submodule(owners[0])
    plain = isinstance(owner, (nn.Linear, nn.Conv2d))
    return penultimate if plain and captured else anywhere


@contextmanager
def capture_activations(
    module: nn.Module, penultimate: Penultimate, batch: int
) -> Iterator[list[Tensor]]:
    """Puts the penultimate activations of each forward pass inside into the list.

    Args:
        module: the network.
        penultimate: from :func:`find_penultimate` or :func:`named_layer`.
        batch: number of images of the pass.
    """
    values: list[Tensor] = []
    if penultimate.layer is None:
        with MatmulRecorder(batch, keep=penultimate.matmul) as recorder:
            yield values
        if recorder.kept is not None and len(recorder.weights) == penultimate.matmuls:
            values.append(recorder.kept)
        return
    layer = module.get_submodule(penultimate.layer.removeprefix("<"))
    if penultimate.layer.startswith("<"):
        handle = layer.register_forward_pre_hook(
            lambda _, args, kwargs: values.extend([*args, *kwargs.values()][:1]),
            with_kwargs=True,
        )
    else:
        handle = layer.register_forward_hook(lambda _, __, out: values.append(out))
    try:
        yield values
    finally:
        handle.remove()


def named_layer(module: nn.Module, layer: str) -> Penultimate:
    """The layer that a dotted path names.

    Raises:
        InputError: if the network has no such layer.
    """
    path = layer.removeprefix("<")
    if is_closed(module) and path:
        raise InputError(
            f"layer={layer!r} cannot be taken from a TorchScript or torch.export "
            "archive, whose layers run outside Python; leave layer out, or pass the "
            "torch.nn.Module"
        )
    names = [name for name, _ in module.named_modules() if name]
    if path and path not in names:
        raise InputError(
            f"the model {type(module).__name__} has no layer={layer!r}; it has "
            f"{', '.join(names[-8:]) or 'none'}{' and more' if len(names) > 8 else ''}"
        )
    return Penultimate(layer)


def pool(values: Tensor, batch: int, *, channels_first: bool) -> Tensor:
    """Activations as (B, D): the mean over cells or tokens, where there are several.

    Args:
        values: (B, D), (B * T, D), (B, T, D), (B, D, H, W) or (B, H, W, D).
        batch: B.
        channels_first: whether four dimensions have the features in the second.
    """
    if values.ndim == 4 and channels_first:
        return values.mean((2, 3))
    rows = values.reshape(batch, -1, values.shape[-1])
    return rows[:, 0] if rows.shape[1] == 1 else rows.mean(1)
