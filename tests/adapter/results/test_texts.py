"""Labels as numbers, how often they come together, and where an item stands."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from bson import ObjectId

from fiftyone_dfaulo.adapter.results.texts import Rows, count_pairs, number_texts


def test_equal_texts_have_equal_numbers_and_new_ones_the_next() -> None:
    numbers = {"b": 0}
    found = number_texts(numbers, ["a", "b", None, "a", "c"])
    assert found.tolist() == [1, 0, -1, 1, 2]
    assert numbers == {"b": 0, "a": 1, "c": 2}


@pytest.mark.parametrize("size", [3, 500], ids=["few", "many"])
def test_pairs_are_counted_as_python_counts_them(size: int) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, size, (2, 2_000)).astype(np.int32)
    weights = rng.integers(0, 9, 2_000).astype(float)
    counts = Counter(zip(first.tolist(), second.tolist()))
    sums: Counter[Any] = Counter()
    for *pair, weight in zip(first.tolist(), second.tolist(), weights.tolist()):
        sums[tuple(pair)] += weight
    for given, expected in ((None, counts), (weights, sums)):
        one, two, found = count_pairs(first, second, size, given)
        pairs = [*zip(one.tolist(), two.tolist())]
        assert pairs == sorted(pairs)
        assert dict(zip(pairs, found.tolist())) == expected


def test_an_item_is_found_by_its_id_in_whatever_order() -> None:
    ids = [str(ObjectId()) for _ in range(300)] + ["00" * 12, "ab" + "00" * 11]
    np.random.default_rng(0).shuffle(ids)
    rows, asked = Rows(ids), [*ids[::-7], str(ObjectId())]
    assert rows.find(asked) == {one: ids.index(one) for one in ids[::-7]}
    assert rows.find([]) == {}
