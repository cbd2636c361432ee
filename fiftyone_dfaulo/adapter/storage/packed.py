"""Long arrays that the database puts together, as NumPy arrays.

PyMongo makes an object of each element, which takes longer than the database takes to
find a million of them. But in BSON the elements of an array stand in blocks of equal
width: each is its type, its position as text, which has one digit up to 9, two up to
99, and so on, a zero, and the value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import bson
import numpy as np
from bson import ObjectId

from fiftyone_dfaulo.adapter.host import Documents

_DOCUMENT = 3
_TYPES = {1: "<f8", 7: "S12", 9: "<i8"}  # numbers, ids, times
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def number(value: object) -> Mapping[str, Any]:
    """An expression for a number; NaN for what is none."""
    return _convert(value, "double", {"$literal": float("nan")})


def moment(value: object) -> Mapping[str, Any]:
    """An expression for a time; 1970 for what is none."""
    return _convert(value, "date", {"$literal": _EPOCH})


def _convert(value: object, kind: str, other: object) -> Mapping[str, Any]:
    how = {"input": value, "to": kind, "onError": other, "onNull": other}
    return {"$convert": how}


def object_ids(ids: np.ndarray) -> list[ObjectId]:
    """Ids of S12 as the database's; bytes of zero at the end of one are kept."""
    data = ids.tobytes()
    return [ObjectId(data[n : n + 12]) for n in range(0, len(data), 12)]


def id_texts(ids: np.ndarray) -> list[str]:
    """Ids of S12 as texts of 24 digits."""
    digits = ids.tobytes().hex()
    return [digits[n : n + 24] for n in range(0, len(digits), 24)]


def aggregate(
    documents: Documents, stages: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The documents that an aggregation yields.

    Args:
        documents: of the database.
        stages: the aggregation. Each value in what it yields is a document, or an array
            of ids, of :func:`number`, or of :func:`moment`.

    Yields:
        the names to the values: arrays of S12, of float64, and of int64, which are
        milliseconds since 1970; float64 where there is no element.
    """
    for raw in documents.aggregate_raw_batches(stages, allowDiskUse=True):
        at = 0
        while at < len(raw):
            size = _size(raw, at)
            yield dict(_values(raw[at : at + size]))
            at += size


def _size(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 4], "little")


def _values(document: bytes) -> Iterator[tuple[str, Any]]:
    at = 4
    while at < len(document) - 1:
        end = document.index(0, at + 1)
        name = document[at + 1 : end].decode()
        value = document[end + 1 : end + 1 + _size(document, end + 1)]
        whole = document[at] == _DOCUMENT
        yield name, bson.decode(value) if whole else _array(value)
        at = end + 1 + len(value)


def _array(value: bytes) -> np.ndarray:
    data = np.frombuffer(value, np.uint8)[4:-1]
    if not len(data):
        return np.zeros(0)
    kind = np.dtype(_TYPES[int(data[0])])
    blocks, at, digits = [], 0, 1
    while at < len(data):
        width = 2 + digits + kind.itemsize
        most = 10**digits - (10 ** (digits - 1) if digits > 1 else 0)
        end = min(at + most * width, len(data))
        blocks.append(data[at:end].reshape(-1, width)[:, -kind.itemsize :])
        at, digits = end, digits + 1
    return np.concatenate(blocks).reshape(-1).view(kind)
