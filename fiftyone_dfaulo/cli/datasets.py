"""Datasets as the command line names and shows them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from fiftyone_dfaulo.errors import DFauLoError, InputError, one_line

if TYPE_CHECKING:
    from fiftyone_dfaulo.adapter.host import Dataset

SHOWN = 10
"""How many of the most suspicious are printed."""

_MOST_NAMES = 10


class StartError(DFauLoError):
    """FiftyOne cannot be used here."""


def start_fiftyone() -> None:
    """Imports FiftyOne and what works on its datasets.

    Raises:
        StartError: if that fails, as without a database.
    """
    try:
        import fiftyone  # noqa: F401 - which starts the database

        import fiftyone_dfaulo.adapter.scoring.compute  # noqa: F401
    except Exception as error:
        raise StartError(
            f"FiftyOne does not start: {one_line(error)}. `fiftyone-dfaulo doctor` "
            "says what is missing"
        ) from error


def load(name: str) -> Dataset:
    """The dataset of this name.

    Raises:
        InputError: if there is none; it names similar ones.
        StartError: as :func:`start_fiftyone`.
    """
    start_fiftyone()
    import fiftyone as fo

    if fo.dataset_exists(name):
        return fo.load_dataset(name)
    names = fo.list_datasets()
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        advice = f"did you mean {' or '.join(map(repr, near))}?"
    elif names:
        more = f" and {len(names) - _MOST_NAMES} more" * (len(names) > _MOST_NAMES)
        advice = f"there are {', '.join(map(repr, names[:_MOST_NAMES]))}{more}"
    else:
        advice = "there is no dataset at all; `fiftyone-dfaulo folder` makes one"
    raise InputError(f"there is no dataset {name!r}; {advice}")


def print_top(dataset: Dataset, key: str, limit: int = SHOWN) -> None:
    """Prints the most suspicious items, one a line."""
    from fiftyone_dfaulo.adapter.exports.ranking import top_rows
    from fiftyone_dfaulo.adapter.review.session import open_review

    rows = top_rows(open_review(dataset, key, "suspiciousness", "suggestion"), limit)
    print(f"\nThe {len(rows)} most suspicious:")
    for row in rows:
        looks = f" looks like {row.seen}" if row.seen != row.given else ""
        why = f" ({', '.join(row.reasons)})" if row.reasons else ""
        print(f"  {row.score:.3f}  {row.given}{looks}{why}  {row.path}")
    print(f"\nTo review them: fiftyone app launch {dataset.name}")
