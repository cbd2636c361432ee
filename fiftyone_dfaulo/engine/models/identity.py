"""What tells one network from another: its weights, its code and its settings.

Networks are anybody's Python, so no look at one can prove what it will do. Kept work is
reused only if all of these are the same: the weights and buffers, to the bit; the plain
attributes and the code of its modules' classes, with the functions that it calls by
name; and, as a last resort, what it says of images of noise (which the caller adds). A
network with hooks of somebody's own has no identity, and its work is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from types import CodeType, FunctionType

import torch
from torch import Tensor, nn

from fiftyone_dfaulo.engine.cache.digest import digest

_VERSIONED = ("torch", "torchvision", "fiftyone")
"""Packages whose code is known by their version."""

_PLAIN = (bool, int, float, str, bytes, type(None))


def identify(module: nn.Module) -> str | None:
    """A hash of a network; None if it has hooks that may do anything.

    Args:
        module: the network, as it is used.
    """
    parts: list[object] = []
    for name, one in module.named_modules():
        hooks = [*one._forward_hooks.values(), *one._forward_pre_hooks.values()]
        if not all(map(_is_versioned, hooks)):
            return None
        parts.append((name, type(one).__module__, type(one).__qualname__))
        parts += [one.training, *_attributes(one), *class_code(type(one))]
        with suppress(Exception):  # programs of TorchScript and torch.export have it
            parts.append(str(one.code))
    every = [*module.named_parameters(), *module.named_buffers()]
    return digest(parts, [(name, *_tensor(value)) for name, value in every])


def _is_versioned(value: object) -> bool:
    """Whether a function, or its class, is of a package whose version is known."""
    home = getattr(value, "__module__", None) or type(value).__module__
    return str(home).partition(".")[0] in _VERSIONED


def _tensor(value: Tensor) -> tuple[object, ...]:
    data = value.detach().cpu().contiguous()
    raw = data.reshape(-1).view(torch.uint8).numpy() if data.numel() else b""
    return str(value.dtype), list(value.shape), str(value.layout), raw


def _attributes(module: nn.Module) -> Iterator[tuple[object, ...]]:
    """Names and values of what is set on a module and is not a part of it."""
    with suppress(Exception):  # not every program shows its own
        for name, value in sorted(vars(module).items()):
            if isinstance(value, Tensor):
                yield name, *_tensor(value)
            elif isinstance(value, FunctionType):
                yield name, *_function_code(value, set())
            elif not name.startswith("_") and _is_plain(value):
                yield name, value


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        named = all(isinstance(name, str) for name in value)
        return named and all(map(_is_plain, value.values()))
    return isinstance(value, _PLAIN)


def class_code(cls: type) -> Iterator[tuple[object, ...]]:
    """The code of a class and of those that it is made from, as parts of a hash."""
    for base in cls.__mro__:
        if base is object or _is_versioned(base):
            continue
        for name, value in sorted(vars(base).items()):
            function = getattr(value, "fget", getattr(value, "__func__", value))
            if isinstance(function, FunctionType):
                yield name, *_function_code(function, set())
            elif not name.startswith("__") and _is_plain(value):
                yield name, value


def _function_code(function: FunctionType, seen: set[CodeType]) -> Iterator[object]:
    """The code of a function and of those that it names, and the plain values there."""
    code = function.__code__
    if code in seen:
        return
    seen.add(code)
    cells = function.__closure__ or ()
    given = [function.__defaults__, function.__kwdefaults__]
    with suppress(ValueError):  # a cell that is empty yet
        given += [cell.cell_contents for cell in cells]
    for one in _codes(code):
        yield one.co_code
        yield [*one.co_names, *one.co_varnames, *one.co_freevars]
        yield [_constant(value) for value in one.co_consts]
        given += [function.__globals__.get(name) for name in one.co_names]
    for value in given:
        if isinstance(value, FunctionType) and not _is_versioned(value):
            yield from _function_code(value, seen)
        elif _is_plain(value):
            yield value


def _constant(value: object) -> str:
    if isinstance(value, CodeType):
        return ""  # looked at by itself
    if isinstance(value, frozenset):
        return repr(sorted(map(repr, value)))
    return repr(value)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _codes(one)
