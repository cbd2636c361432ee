"""Arrays that come as NumPy arrays hold what PyMongo says of each document."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import fiftyone.core.odm as foo
import numpy as np
import pytest
from bson import ObjectId

from fiftyone_dfaulo.adapter.storage import packed

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc)


@pytest.fixture
def documents() -> Any:
    found = foo.get_db_conn()[f"packed_{ObjectId()}"]
    yield found
    found.drop()


# where the positions in an array get another digit, and around it
@pytest.mark.parametrize("count", [1, 9, 10, 11, 100, 101, 1_000, 1_001, 10_123])
def test_arrays_are_whole_at_any_length(documents: Any, count: int) -> None:
    given = [
        {"_id": ObjectId(), "x": n / 7, "at": WHEN + timedelta(hours=n), "k": n % 2}
        for n in range(count)
    ]
    documents.insert_many(given)
    group = {
        "_id": {"k": "$k"},
        "ids": {"$push": "$_id"},
        "x": {"$push": packed.number("$x")},
        "at": {"$push": packed.moment("$at")},
        "none": {"$push": "$$REMOVE"},
    }
    groups = [*packed.aggregate(documents, [{"$group": group}])]
    assert len(groups) == min(count, 2)
    for one in groups:
        expected = [some for some in given if some["k"] == one["_id"]["k"]]
        assert packed.object_ids(one["ids"]) == [some["_id"] for some in expected]
        assert one["x"].tolist() == [some["x"] for some in expected]
        assert one["at"].tolist() == [
            round(some["at"].timestamp() * 1000) for some in expected
        ]
        assert one["none"].tolist() == []


def test_an_id_that_ends_in_zeros_is_whole(documents: Any) -> None:
    ids = [ObjectId(f"{n:02x}" * 9 + "000000") for n in range(1, 4)] + [ObjectId()]
    documents.insert_many([{"_id": one} for one in ids])
    group = {"_id": {}, "ids": {"$push": "$_id"}}
    [found] = packed.aggregate(documents, [{"$group": group}])
    assert packed.object_ids(found["ids"]) == ids
    assert packed.id_texts(found["ids"]) == [str(one) for one in ids]


def test_what_is_no_number_is_nan_and_what_is_no_time_is_1970(documents: Any) -> None:
    values: list[Any] = [0.5, 1, None, "odd", True, [0.5], float("inf"), WHEN]
    documents.insert_many([{"_id": n, "x": x} for n, x in enumerate(values)])
    documents.insert_one({"_id": len(values)})
    group = {
        "_id": {},
        "x": {"$push": packed.number("$x")},
        "at": {"$push": packed.moment("$x")},
    }
    stages = [{"$sort": {"_id": 1}}, {"$group": group}]
    (one,) = packed.aggregate(documents, stages)
    stamp = WHEN.timestamp() * 1000  # as a number, a time is its milliseconds
    nan = float("nan")
    expected = [0.5, 1, nan, nan, 1, nan, float("inf"), stamp, nan]
    np.testing.assert_array_equal(one["x"], expected)
    assert one["at"][7] == stamp
    assert one["at"][[2, 3, 4, 5, 8]].tolist() == [0] * 5


def test_nothing_matches(documents: Any) -> None:
    assert [*packed.aggregate(documents, [{"$group": {"_id": "$x"}}])] == []
