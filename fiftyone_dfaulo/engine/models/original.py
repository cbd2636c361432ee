"""A model that somebody brings, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from fiftyone_dfaulo.config import Preprocessing


@dataclass(frozen=True)
class OriginalModel:
    """A classifier, and what it comes with.

    Attributes:
        module: images (B, C, S, S) to logits (B, K); never changed.
        name: how a message calls it.
        preprocessing: what the model states on how images are prepared; None if
            nothing.
        assumed: whether mean and standard deviation are taken to be ImageNet's, as the
            model does not state them.
        classes: names of its classes in the order of the logits, if it states them.
        batch: how many images at a time it takes; None is any number.
        open: whether its layers are Python modules, which can be named and trained.
        mixed: whether it may run in lower precision where the device gains from it.
    """

    module: nn.Module
    name: str
    preprocessing: Preprocessing | None = None
    assumed: bool = False
    classes: tuple[str, ...] | None = None
    batch: int | None = None
    open: bool = True
    mixed: bool = False


def is_closed(module: nn.Module) -> bool:
    """Whether a module's layers run outside Python: TorchScript's and exported ones."""
    if isinstance(module, torch.fx.GraphModule):
        operators = (node.target for node in module.graph.nodes)
        return any(isinstance(one, torch._ops.OpOverload) for one in operators)
    return isinstance(module, torch.jit.ScriptModule)
