"""Which class looks like which other one: as given, or by a run or embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading.embeddings import check_embeddings, read_embeddings
from fiftyone_dfaulo.adapter.reading.labels import Labelled
from fiftyone_dfaulo.adapter.results.single_label import SingleLabelResults
from fiftyone_dfaulo.adapter.runs.lookup import is_dfaulo_run, load_config
from fiftyone_dfaulo.engine.injection.class_pairs import nearest_pairs, rank_pairs
from fiftyone_dfaulo.errors import InputError

_EXPECTED = (
    "expected pairs of class names such as [('cat', 'dog')], the key of a DFauLo run, "
    "the name of a source of embeddings, or None"
)


def check_pairs(samples: Samples, pairs: Any) -> None:
    """Makes sure that pairs are of a kind that :func:`read_pairs` takes.

    Raises:
        InputError: if they are not, or name a run or embeddings that do not exist.
    """
    if pairs is None:
        return
    if isinstance(pairs, str):
        if is_dfaulo_run(samples, pairs):
            results = load_config(samples, pairs).target.results_type
            if not issubclass(results, SingleLabelResults):
                raise InputError(
                    f"brain run {pairs!r} has scored several labels a sample, so it "
                    "does not say which class looks like which; pass another run, or "
                    "pairs"
                )
        else:
            check_embeddings(samples, pairs)
        return
    named = isinstance(pairs, Sequence) and len(pairs) > 0
    if not named or not all(map(_is_pair, pairs)):
        raise InputError(f"pairs={pairs!r}; {_EXPECTED}")


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and len(value) == 2
        and all(isinstance(name, str) for name in value)
        and value[0] != value[1]
    )


def read_pairs(
    samples: Samples, labelled: Labelled, pairs: Any
) -> list[tuple[int, int]]:
    """Pairs of classes as indexes into ``labelled.classes``, most confused first.

    Args:
        samples: a dataset or view.
        labelled: its labels.
        pairs: pairs of class names. Or the key of a DFauLo run: each class is then
            paired with those that the run suggests for it. Or the name of embeddings:
            with the class whose mean lies nearest. None pairs each class with the next
            one by name.

    Raises:
        InputError: as :func:`check_pairs`, or if a class does not occur, or is the
            first of two pairs.
    """
    check_pairs(samples, pairs)
    if pairs is None:
        numbers = labelled.labels.numbers
        return rank_pairs(numbers, numbers, len(labelled.classes))
    if not isinstance(pairs, str):
        return _named(labelled, pairs)
    if is_dfaulo_run(samples, pairs):
        return _of_run(samples, labelled, pairs)
    array, kept, _ = read_embeddings(samples, pairs, labelled.ids)
    present, labels = np.unique(labelled.labels.numbers[kept], return_inverse=True)
    if len(present) < 2:
        raise InputError(
            f"pairs={pairs!r} holds embeddings of one class only; pass other pairs"
        )
    found = nearest_pairs(array, labels)
    return [(int(present[a]), int(present[b])) for a, b in found]


def _named(labelled: Labelled, pairs: Sequence[Any]) -> list[tuple[int, int]]:
    number = {name: n for n, name in enumerate(labelled.classes)}
    unknown = sorted({name for pair in pairs for name in pair} - number.keys())
    if unknown:
        raise InputError(
            f"pairs names {', '.join(map(repr, unknown))}, which no label is; classes "
            f"here: {', '.join(labelled.classes[:20])}"
        )
    first = [a for a, _ in pairs]
    twice = sorted({name for name in first if first.count(name) > 1})
    if twice:
        raise InputError(
            f"pairs gives {twice[0]!r} two classes to be taken for; give it one"
        )
    return [(number[a], number[b]) for a, b in pairs]


def _of_run(samples: Samples, labelled: Labelled, key: str) -> list[tuple[int, int]]:
    results = samples._root_dataset.load_brain_results(key)
    if results is None:
        raise InputError(
            f"brain run {key!r} has no results; run compute_suspiciousness again, or "
            "pass other pairs"
        )
    number = {name: n for n, name in enumerate(labelled.classes)}
    looks = [number.get(name, -1) for name in results.suggestable]
    suggested = dict(zip(results.ids, np.array(looks)[results.suggestions].tolist()))
    seen = np.array([suggested.get(i, -1) for i in labelled.ids], np.int64)
    given = labelled.labels.numbers
    seen = np.where(seen < 0, given, seen)
    return rank_pairs(given, seen, len(labelled.classes))
