"""Loads a model from a file: without running code in it, unless it is trusted."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from fiftyone_dfaulo.config import Preprocessing
from fiftyone_dfaulo.engine.models import file_format
from fiftyone_dfaulo.engine.models.original import OriginalModel
from fiftyone_dfaulo.engine.models.state_dict import Placeholder, read_saved
from fiftyone_dfaulo.engine.models.torch_export import load_exported
from fiftyone_dfaulo.errors import InputError, one_line

_NESTED = ("state_dict", "model_state_dict", "model")
"""Where checkpoints keep the state dict."""

_WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""


def load_model(
    path: str, *, factory: str | None = None, trust_model_file: bool = False
) -> OriginalModel:
    """A model from a TorchScript or torch.export archive, or from weights.

    Args:
        path: the file; what it holds is known by its bytes, not by its name.
        factory: ``"package.module:function"`` that builds the network; for safetensors
            and for state dicts of ``torch.save``. It is called without arguments.
        trust_model_file: whether code in the file may run: an archive of TorchScript or
            torch.export is code, and a pickled network may hold any.

    Raises:
        InputError: if the file is none of these, damaged or a zip bomb; if it holds a
            program and ``trust_model_file`` is False; if the factory is missing, cannot
            be imported, raises, or builds something else; if the weights do not fit the
            network.
    """
    kind = file_format.identify(path)
    name = f"{path!r}"
    if kind in file_format.PROGRAMS:
        if not trust_model_file:
            raise file_format.program(path, kind)
        file_format.check_factory(path, kind, factory)
        if kind == file_format.EXPORT:
            return _exported_model(path, name)
        return OriginalModel(_load_script(path), name, open=False)
    if kind == file_format.SAFETENSORS:
        weights = _load_safetensors(path)
    else:
        loaded = _load_weights(path, trust_model_file)
        if isinstance(loaded, nn.Module):
            return OriginalModel(loaded, name, classes=stated_classes(loaded))
        weights = loaded
    file_format.check_factory(path, kind, factory)
    assert factory is not None
    network = build(factory)
    _fill(network, weights, path, factory)
    return OriginalModel(network, name, classes=stated_classes(network))


def stated_classes(module: nn.Module) -> tuple[str, ...] | None:
    """The names in a module's ``classes`` or ``class_names``, if it has them."""
    for attribute in ("classes", "class_names"):
        value = getattr(module, attribute, None)
        if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
            return tuple(value) or None
    return None


def build(factory: str) -> nn.Module:
    """The network that a factory builds.

    Raises:
        InputError: if it cannot be imported, raises, or builds no network.
    """
    function = _import(factory)
    try:
        with torch.random.fork_rng(devices=[]):  # it draws weights, to be replaced
            network = function()
    except (Exception, SystemExit) as error:  # it is somebody's code
        raise InputError(
            f"factory={factory!r} raised {type(error).__name__}: {one_line(error)}; it "
            "is called without arguments and returns the network"
        ) from error
    if not isinstance(network, nn.Module):
        raise InputError(
            f"factory={factory!r} returned a {type(network).__name__}; expected a "
            "torch.nn.Module"
        )
    return network


def _import(factory: str) -> Callable[[], object]:
    module, colon, name = factory.partition(":")
    if not (
        colon and name.isidentifier() and all(map(str.isidentifier, _parts(module)))
    ):
        raise InputError(
            f"factory={factory!r} is no name of a function; expected "
            "'package.module:function'"
        )
    try:
        function = getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:  # the module is somebody's code
        raise InputError(
            f"factory={factory!r} cannot be imported ({type(error).__name__}: "
            f"{one_line(error)}); install its package, or put its folder "
            "into PYTHONPATH"
        ) from error
    if not callable(function):
        raise InputError(
            f"factory={factory!r} is a {type(function).__name__}; expected a function"
        )
    return function


def _parts(module: str) -> list[str]:
    return module.split(".")


def _load_script(path: str) -> nn.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch deprecates TorchScript
            return torch.jit.load(Path(path).expanduser(), map_location="cpu")
    except Exception as error:  # a damaged archive may raise anything
        raise InputError(
            f"model={path!r} looks like TorchScript and cannot be loaded by "
            f"torch.jit.load ({one_line(error)}); save it again"
        ) from error


def _exported_model(path: str, name: str) -> OriginalModel:
    module, shape = load_exported(path)
    preprocessing, batch = None, None
    if shape is not None and len(shape) == 4:
        batch = shape[0] if shape[0] > 0 else None
        mode = "L" if shape[1] == 1 else "RGB"
        if shape[2] > 0 and shape[2] == shape[3]:
            preprocessing = Preprocessing(size=shape[2], mode=mode)
    return OriginalModel(
        module,
        name,
        preprocessing=preprocessing,
        assumed=True,  # an archive states the shape alone
        batch=batch,
        open=False,
    )


def _load_safetensors(path: str) -> Mapping[str, Tensor]:
    from safetensors.torch import load_file

    try:
        return load_file(Path(path).expanduser())
    except Exception as error:  # the library has errors of its own
        raise InputError(
            f"model={path!r} looks like safetensors and cannot be loaded "
            f"({one_line(error)}); save it again"
        ) from error


def _load_weights(path: str, trusted: bool) -> nn.Module | Mapping[str, Tensor]:
    if not trusted:
        file_format.check_zipped(path)
    try:
        loaded = _unpickle(path) if trusted else read_saved(path)
    except Exception as error:  # a damaged file may raise anything
        raise InputError(
            f"model={path!r} cannot be loaded ({one_line(error)}); save or copy "
            "it again"
        ) from error
    if isinstance(loaded, nn.Module):
        return loaded
    if isinstance(loaded, Placeholder):
        names = file_format.pickled_globals(path) or [loaded.name.replace(" ", ".")]
        raise file_format.pickled(path, f"it names {', '.join(names[:3])}")
    return _state_dict(loaded, path)


def _unpickle(path: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(path).expanduser()
        return torch.load(file, map_location="cpu", weights_only=False)


def _state_dict(loaded: object, path: str) -> Mapping[str, Tensor]:
    for key in _NESTED:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if (
        isinstance(loaded, Mapping)
        and loaded
        and all(isinstance(value, Tensor) for value in loaded.values())
    ):
        return loaded
    raise InputError(
        f"model={path!r} holds a {type(loaded).__name__} that is no state dict; "
        f"expected names and tensors, under one of the keys {', '.join(_NESTED)} if "
        "not at the top"
    )


def _fill(
    network: nn.Module, weights: Mapping[str, Tensor], path: str, factory: str
) -> None:
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in weights):
            weights = {name[len(prefix) :]: v for name, v in weights.items()}
    try:
        missing, unexpected = network.load_state_dict(weights, strict=False)
    except RuntimeError as error:  # the shapes differ
        lines = [line.strip() for line in str(error).splitlines()]
        raise _misfit(path, factory, " ".join(lines[1:3])) from None
    problems = [
        f"{len(names)} {kind}, such as {names[0]!r}"
        for kind, names in (("missing", missing), ("not in the network", unexpected))
        if names
    ]
    if problems:
        raise _misfit(path, factory, "; ".join(problems))


def _misfit(path: str, factory: str, what: str) -> InputError:
    return InputError(
        f"the weights in model={path!r} do not fit the network of factory={factory!r} "
        f"({what}); pass the factory of the network that they were saved from"
    )
