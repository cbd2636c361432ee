"""What a public function says where the database, or the dataset, goes away."""

from __future__ import annotations

from typing import Any

import pytest
from fiftyone.core.odm import get_db_conn
from pymongo.errors import AutoReconnect

from fiftyone_dfaulo.adapter.doors import public
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.errors import RunError


def test_that_the_database_is_away_and_nothing_lost() -> None:
    @public
    def read() -> None:
        raise AutoReconnect("connection closed")

    with pytest.raises(RunError, match="database is away. What was done before is"):
        read()


def test_that_the_dataset_was_deleted_meanwhile(make_dataset: Any) -> None:
    dataset = make_dataset(["a"])

    @public
    def read(samples: Samples) -> None:
        samples._root_dataset.delete()
        raise KeyError("some error of FiftyOne's")

    with pytest.raises(RunError, match="was deleted"):
        read(dataset)


def test_other_errors_stay_as_they_are(make_dataset: Any) -> None:
    @public
    def read(samples: Samples) -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        read(make_dataset(["a"]))


def test_a_read_that_the_database_breaks_off_is_repeated() -> None:
    assert get_db_conn().client.options.retry_reads
