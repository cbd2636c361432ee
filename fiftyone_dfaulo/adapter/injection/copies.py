"""Copies of datasets under a name of their own, until they are whole.

A process that dies leaves its copy, with its images, under such a name; the next one
that makes a copy deletes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import fiftyone as fo

from fiftyone_dfaulo.adapter.injection.undo import discard
from fiftyone_dfaulo.adapter.storage.lease import clear_ended, holding, is_held

_UNFINISHED = "dfaulo-unfinished-"


@contextmanager
def unfinished_name() -> Iterator[str]:
    """A name for a copy that is not whole yet; deletes copies that dead ones have left.

    The copy is the caller's for as long as this lasts.
    """
    name = f"{_UNFINISHED}{uuid.uuid4().hex[:12]}"
    with holding(name):
        sweep()
        yield name


def sweep() -> None:
    """Deletes all copies that nobody is making any more, and their images."""
    clear_ended()
    for name in fo.list_datasets(glob_patt=f"{_UNFINISHED}*"):
        if not is_held(name):
            with suppress(ValueError):  # another process was faster
                discard(fo.load_dataset(name))
