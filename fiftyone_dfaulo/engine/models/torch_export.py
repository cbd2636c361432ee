"""Loads a torch.export archive, which is a program: loading it may run any code.

Torch unpickles parts of such a file, evaluates text in it as expressions, and resolves
names in it by import. So :mod:`.loading` comes here only for a file that is trusted.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from fiftyone_dfaulo.errors import InputError, one_line


def load_exported(path: str) -> tuple[nn.Module, tuple[int, ...] | None]:
    """A network from a trusted torch.export archive.

    Returns:
        the network, on the CPU, and the shape of the images it was exported with, where
        -1 is any number; None if that is not known.

    Raises:
        InputError: if the archive cannot be loaded.
    """
    try:
        with warnings.catch_warnings(), _quiet():
            warnings.simplefilter("ignore")
            program = torch.export.load(str(Path(path).expanduser()))
            try:
                module = program.module(check_guards=False)
            except TypeError:  # torch before 2.9
                module = program.module()
        return module, _input_shape(program)
    except Exception as error:  # a damaged archive may raise anything
        raise InputError(
            f"model={path!r} cannot be loaded by torch.export.load "
            f"({one_line(error)}); export it again with the torch of this machine, "
            f"{torch.__version__}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences torch's log about an archive: the error says what is wrong."""
    logger = logging.getLogger("torch.export")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _input_shape(program: torch.export.ExportedProgram) -> tuple[int, ...] | None:
    names = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op == "placeholder" and node.name in names and hasattr(value, "shape"):
            return tuple(n if type(n) is int else -1 for n in value.shape)
    return None
