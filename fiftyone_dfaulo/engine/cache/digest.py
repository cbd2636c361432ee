"""Keys of kept work: hashes of all that decides a result."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np

_BLOCK = 2**24  # bytes of an array that are hashed at once

LIBRARIES = (
    "numpy",
    "pillow",
    "pillow-heif",
    "scikit-learn",
    "scipy",
    "torch",
    "torchvision",
)
"""Packages whose versions decide results."""


def digest(*parts: object) -> str:
    """A hash of values, as 40 hexadecimal digits.

    Args:
        parts: texts, bytes, numbers, None, numpy arrays, and lists, tuples and mappings
            of these.

    Raises:
        TypeError: if there is anything else among them.
    """
    state = hashlib.blake2b(digest_size=20)
    _feed(state, parts)
    return state.hexdigest()


def _feed(state: hashlib.blake2b, part: object) -> None:
    """Feeds each value with its type and length, so that no two look the same."""
    if isinstance(part, np.ndarray) and not part.dtype.hasobject:
        _put(state, "array", f"{part.dtype.str}{part.shape}".encode())
        step = max(1, _BLOCK // max(part[:1].nbytes, 1)) if part.ndim else 1
        rows = part if part.ndim else part[None]
        for start in range(0, len(rows), step):  # it may be mapped
            state.update(np.ascontiguousarray(rows[start : start + step]).data)
    elif isinstance(part, (list, tuple)):
        _put(state, "list", str(len(part)).encode())
        for one in part:
            _feed(state, one)
    elif isinstance(part, Mapping):
        _put(state, "mapping", str(len(part)).encode())
        for name in sorted(part):
            _feed(state, (name, part[name]))
    elif isinstance(part, bytes):
        _put(state, "bytes", part)
    elif part is None or isinstance(part, (bool, int, float, str)):
        text = f"{part!r}".encode("utf-8", "surrogatepass")
        _put(state, type(part).__name__, text)
    else:
        raise TypeError(f"a {type(part).__name__} is no part of a key")


def _put(state: hashlib.blake2b, kind: str, value: bytes) -> None:
    state.update(f"{kind} {len(value)} ".encode())
    state.update(value)


def file_state(path: str) -> tuple[str, int, int, int] | tuple[str, None]:
    """What tells that a file is still the same: path, size, and times of last change.

    The second of the times, of the last change of the file or its name, is the system's
    own: copying a file with its date does not set it back. A file that cannot be seen
    has None.
    """
    try:
        state = os.stat(path)
    except (OSError, ValueError):  # not there, or no path at all
        return path, None
    return path, state.st_size, state.st_mtime_ns, state.st_ctime_ns


@cache
def code_version() -> str:
    """A hash of the engine's code and of the versions of what it computes with."""
    engine = Path(__file__).parents[1]
    files = sorted(engine.rglob("*.py"))
    code = [(str(one.relative_to(engine)), one.read_bytes()) for one in files]
    return digest(code, [(name, _version(name)) for name in LIBRARIES])


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
