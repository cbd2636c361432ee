"""Reads what ``torch.save`` wrote, of which nothing is executed.

The file is a zip archive: a pickle, and a record of bytes for each tensor's storage. A
pickle is a program. Torch's own ``weights_only`` bounds what that program may call, but
not how long it runs, nor the memory it takes. So the few instructions that build dicts,
lists, tuples and tensors are carried out here, and any other object is a placeholder.
What the pickle says of a storage's size has to be so.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
"""Torch's name of a storage to the type of the numbers in it."""

_TENSOR = "torch._utils _rebuild_tensor_v2"
_PARAMETER = "torch._utils _rebuild_parameter"
_DICT = "collections OrderedDict"
_PUSHED = {
    "BINFLOAT",
    "BININT",
    "BININT1",
    "BININT2",
    "BINUNICODE",
    "LONG1",
    "SHORT_BINUNICODE",
}
"""Instructions that put their argument on the stack."""

_CONSTANTS: dict[str, Callable[[], object]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NEWFALSE": lambda: False,
    "NEWTRUE": lambda: True,
    "NONE": lambda: None,
}
_SIZES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Placeholder(NamedTuple):
    """What stands for an object that is neither a tensor nor a plain value.

    Attributes:
        name: of its class or function, as ``"module name"``.
    """

    name: str


def read_saved(path: str) -> object:
    """What a file of ``torch.save`` holds: dicts, lists, tuples, values and tensors.

    Args:
        path: of a file that :func:`.file_format.identify` calls weights, zipped.

    Raises:
        ValueError: if it is damaged, or has an instruction that none of them needs.
        OSError, RuntimeError, zipfile.BadZipFile: if it is damaged.
    """
    with zipfile.ZipFile(Path(path).expanduser()) as archive:
        names = archive.namelist()
        program = next(name for name in names if name.partition("/")[2] == "data.pkl")
        root = program.partition("/")[0]
        order = f"{root}/byteorder"
        if order in names and archive.read(order) != b"little":
            raise ValueError("its numbers are not little-endian")
        return _Machine(archive, root).run(archive.read(program))


class _Machine:
    """Carries out a pickle's instructions."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        self._archive, self._root = archive, root
        self._storages: dict[tuple[str, torch.dtype], Tensor] = {}
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, program: bytes) -> object:
        try:
            for code, argument, _ in pickletools.genops(program):
                if code.name == "STOP":
                    return self._stack.pop()
                self._step(code.name, argument)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise ValueError(f"its pickle is damaged: {error!r}") from None
        raise ValueError("its pickle has no end")

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _PUSHED:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in _SIZES:
            stack.append(tuple(self._take(len(stack) - _SIZES[name])))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name == "GLOBAL":
            stack.append(Placeholder(argument))
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name not in ("PROTO", "FRAME"):
            self._combine(name)

    def _combine(self, name: str) -> None:
        """Instructions that make one value of several."""
        stack = self._stack
        if name == "TUPLE":
            stack.append(tuple(self._take(self._marks.pop())))
        elif name in ("APPEND", "APPENDS"):
            items = self._take(self._start(name, 1))
            self._extend(lambda target: target.extend(items), list)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._take(self._start(name, 2))
            if not all(isinstance(key, (str, int)) for key in items[::2]):
                raise ValueError("it has a dict with keys that are no names")
            pairs = zip(items[::2], items[1::2])
            self._extend(lambda target: target.update(pairs), dict)
        elif name == "STACK_GLOBAL":
            module, function = self._take(len(stack) - 2)
            stack.append(Placeholder(f"{str(module)[:200]} {str(function)[:200]}"))
        elif name in ("REDUCE", "NEWOBJ"):
            function, arguments = self._take(len(stack) - 2)
            stack.append(self._call(function, arguments))
        elif name == "BUILD":  # attributes, of which weights need none
            stack.pop()
        elif name == "BINPERSID":
            stack.append(self._storage(*stack.pop()))
        else:
            raise ValueError(f"its pickle has the instruction {name}")

    def _start(self, name: str, single: int) -> int:
        several = name.endswith("S")
        return self._marks.pop() if several else len(self._stack) - single

    def _take(self, start: int) -> list[Any]:
        if start < 0:
            raise IndexError("the stack is empty")
        taken = self._stack[start:]
        del self._stack[start:]
        return taken

    def _extend(self, change: Callable[[Any], None], kind: type) -> None:
        target = self._stack[-1]
        if isinstance(target, kind):
            change(target)
        elif not isinstance(target, Placeholder):
            raise ValueError(f"its pickle fills a {type(target).__name__}")

    def _call(self, function: object, arguments: Any) -> object:
        name = function.name if isinstance(function, Placeholder) else ""
        if name == _TENSOR:
            storage, offset, size, stride = arguments[:4]
            if not all(type(number) is int for number in (offset, *size, *stride)):
                raise ValueError("it has a tensor whose shape is no numbers")
            return storage.as_strided(size, stride, offset)  # checks the bounds
        if name == _PARAMETER:
            return arguments[0]
        if name == _DICT:
            return {}
        return Placeholder(name)

    def _storage(self, *identity: Any) -> Tensor:
        _, kind, key, _, count = identity
        dtype = _DTYPES.get(kind.name.removeprefix("torch "))
        if dtype is None or not isinstance(key, str):
            raise ValueError(f"it has a {kind.name}")
        if (key, dtype) not in self._storages:
            self._storages[key, dtype] = self._read(key, dtype)
        storage = self._storages[key, dtype]
        if len(storage) != count:
            raise ValueError(
                f"its storage {key} has {len(storage)} numbers and states {count}"
            )
        return storage

    def _read(self, key: str, dtype: torch.dtype) -> Tensor:
        data = bytearray(self._archive.read(f"{self._root}/data/{key}"))
        if not data:
            return torch.empty(0, dtype=dtype)
        return torch.frombuffer(data, dtype=dtype)
