"""Loads a torch.export archive without letting it run anything.

``torch.export.load`` trusts its file: it unpickles parts of it, evaluates text as
expressions, and resolves names to functions. So the archive is copied, entry by entry,
to one that holds arithmetic on tensors only, and that copy is loaded.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import torch
from torch import nn

from fiftyone_dfaulo.errors import InputError, one_line

_CALL = re.compile(
    r"torch\.ops\.(aten|prims|quantized_decomposed)\.(?!from_file)[\w.]+"
    r"|torch\.ops\.higher_order\.wrap_with_\w+"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|getitem|eq|ne|lt|le|gt|ge)"
    r"|torch\.sym_\w+|math\.(ceil|floor|trunc|sqrt|prod)"
)
"""Functions that a network may call: arithmetic."""

_EXPRESSION = re.compile(
    r"([\d\s+*/(),<>=&|~-]|\b[suz]\d+\b|\bSymbol\('[suz]\d+'|\w+=(True|False)\b"
    r"|\b(Max|Min|Mod|Pow|Add|Mul|FloorDiv|CleanDiv|Integer|Eq|Ne|Lt|Le|Gt|Ge|oo"
    r"|int_oo|True|False)\b)*"
)
"""Symbolic sizes: arithmetic on ``s0`` and the like."""

_NAME = re.compile(r"[\w.]*")
"""Names of tensors and layers."""

_CODE = ("opaque_obj", "custom_obj", "aotinductor")
"""Entries that hold pickles of any kind, or machine code."""

_SWITCH = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
_switching = Lock()


def load_exported(path: str) -> tuple[nn.Module, tuple[int, ...] | None]:
    """A network from a torch.export archive that :func:`.file_format.identify` accepts.

    Returns:
        the network, on the CPU, and the shape of the images it was exported with, where
        -1 is any number; None if that is not known.

    Raises:
        InputError: if the archive holds code, or cannot be loaded.
    """
    try:
        copy = _arithmetic_only(path)
        with _weights_only(), warnings.catch_warnings(), _quiet():
            warnings.simplefilter("ignore")
            program = torch.export.load(copy)
            try:
                module = program.module(check_guards=False)
            except TypeError:  # torch before 2.9
                module = program.module()
        return module, _input_shape(program)
    except InputError:
        raise
    except Exception as error:  # a damaged archive may raise anything
        raise InputError(
            f"model={path!r} cannot be loaded by torch.export.load "
            f"({one_line(error)}); export it again with the torch of this machine, "
            f"{torch.__version__}"
        ) from error


def _arithmetic_only(path: str) -> io.BytesIO:
    copy = io.BytesIO()
    with (
        zipfile.ZipFile(Path(path).expanduser()) as source,
        zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target,
    ):
        for entry in source.infolist():
            if any(part in entry.filename.lower() for part in _CODE):
                raise _refused(path, f"the entry {entry.filename!r}")
            data = source.read(entry)
            if _is_program(entry.filename):
                data = _checked_program(path, data)
            target.writestr(entry.filename, data)
    copy.seek(0)
    return copy


def _is_program(name: str) -> bool:
    inner = name.partition("/")[2]
    return name == "serialized_exported_program.json" or (
        inner.startswith("models/") and inner.endswith(".json")
    )


def _checked_program(path: str, data: bytes) -> bytes:
    """The program without the code that guards its sizes, if all else is arithmetic."""
    program = json.loads(data)
    if not isinstance(program, dict):
        raise _refused(path, "a program that is none")
    if "guards_code" in program:
        program["guards_code"] = []
    for kind, text in _strings(program):
        if not kind.fullmatch(text):
            raise _refused(path, repr(text[:60]))
    return json.dumps(program).encode()


def _strings(program: object) -> Iterator[tuple[re.Pattern[str], str]]:
    """What each text that torch resolves, evaluates or prints into code has to be."""
    todo = [program]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo += one
        elif isinstance(one, dict):
            call = "inputs" in one and "outputs" in one  # or it is a tensor's target
            for key, value in one.items():
                todo.append(value)
                if not isinstance(value, str):
                    continue
                if key == "target" and call:
                    yield _CALL, value
                elif key == "expr_str":
                    yield _EXPRESSION, value
                elif key == "target" or key.endswith("name"):
                    yield _NAME, value


@contextmanager
def _weights_only() -> Iterator[None]:
    """Makes every ``torch.load`` refuse what is not a tensor."""
    with _switching:
        before = os.environ.get(_SWITCH)
        os.environ[_SWITCH] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ[_SWITCH]
            else:
                os.environ[_SWITCH] = before


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


def _refused(path: str, what: str) -> InputError:
    return InputError(
        f"model={path!r} is refused: beside arithmetic on tensors the archive holds "
        f"{what}, which could run code. Load it yourself if you trust it, and pass "
        "torch.export.load(...).module()"
    )
