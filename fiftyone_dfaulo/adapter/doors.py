"""What every public function checks before it starts: the types of its arguments.

A function says by its annotations what it takes. What needs more than a look at the
type, it checks itself.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import fiftyone as fo
from fiftyone.core.collections import SampleCollection
from fiftyone.core.dataset import DatasetNotFoundError
from pymongo.errors import ConnectionFailure

from fiftyone_dfaulo.checks import check_text
from fiftyone_dfaulo.errors import DFauLoError, InputError, RunError

P = ParamSpec("P")
T = TypeVar("T")

_PATH = "str | os.PathLike[str]"

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "Samples": ((SampleCollection,), "a FiftyOne dataset or view"),
    "bool": ((bool,), "True or False"),
    "str": ((str,), "a string"),
    "str | None": ((str, type(None)), "a string or None"),
    _PATH: ((str, os.PathLike), "a path"),
}
"""Annotation to what a value may be; other annotations are not looked at."""


def public(function: Callable[P, T]) -> Callable[P, T]:
    """A function whose arguments are checked by its annotations.

    Raises:
        InputError: when it is called, if an argument is of another type, or is a text
            that cannot be stored.
        RunError: if it is called with a dataset that was deleted, or is meanwhile; if
            the database is away.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def door(*args: P.args, **kwargs: P.kwargs) -> T:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            _check(name, value, str(signature.parameters[name].annotation))
        try:
            with database_errors():
                return function(*args, **kwargs)
        except DFauLoError:
            raise
        except Exception as error:
            _check_not_deleted_since(args, error)
            if isinstance(error, DatasetNotFoundError):
                raise RunError(_COPY_GONE) from error
            raise

    return door


AWAY = (
    "the database is away. What was done before is kept, and a run that was being "
    "written is cleared away by the next one; try again once the database is back"
)


@contextmanager
def database_errors() -> Iterator[None]:
    """Says that the database is away, and what is kept, in place of pymongo's words.

    Raises:
        RunError: if it is away.
    """
    try:
        yield
    except ConnectionFailure as error:
        raise RunError(AWAY) from error


_COPY_GONE = (
    "the copy of the dataset that was being made is gone: the database was away, or "
    "somebody deleted it. Your dataset is as it was; try again"
)


def _check_not_deleted_since(arguments: tuple[object, ...], error: Exception) -> None:
    for value in arguments:
        if isinstance(value, SampleCollection):
            try:
                _check_there(value)
            except RunError as gone:
                raise gone from error


def check_given(samples: object) -> None:
    """Makes sure that these are samples, of a dataset that is there.

    Raises:
        InputError: if it is neither a dataset nor a view.
        RunError: if the dataset was deleted.
    """
    _check("samples", samples, "Samples")


def _check(name: str, value: Any, annotation: str) -> None:
    if annotation not in _TYPES:
        return
    types, expected = _TYPES[annotation]
    if not isinstance(value, types):
        plain = isinstance(value, (str, int, float, type(None)))
        shown = f"={repr(value)[:60]}:" if plain else f" is a {type(value).__name__};"
        several = isinstance(value, (list, tuple)) and str in types
        one = "; pass one of them at a time" if several else ""
        raise InputError(f"{name}{shown} expected {expected}{one}")
    if isinstance(value, str):
        check_text(name, value)
    elif isinstance(value, SampleCollection):
        _check_there(value)
    if annotation == _PATH:
        _check_path(name, value)


def _check_path(name: str, value: Any) -> None:
    text = os.fspath(value)
    if not isinstance(text, str):
        raise InputError(f"{name} is a path of bytes; expected one of text")
    check_text(name, text)
    try:
        Path(text).expanduser()
    except RuntimeError as error:  # nobody has that name
        raise InputError(f"{name}={text!r}: {error}") from None


def _check_there(samples: SampleCollection) -> None:
    """Makes sure that nobody has deleted the dataset, here or in another process."""
    whole = samples if isinstance(samples, fo.Dataset) else samples._root_dataset
    if whole.deleted or not _stored(whole):
        raise RunError(f"dataset {whole.name!r} was deleted; load another one")


def _stored(dataset: fo.Dataset) -> bool:
    datasets = dataset._sample_collection.database.datasets
    return datasets.find_one({"_id": dataset._doc.id}, {"_id": True}) is not None
