"""One process at a time changes a dataset; a dead one does not keep it for ever."""

from __future__ import annotations

import threading
from typing import Any

import fiftyone.core.odm as foo
import pytest

from fiftyone_dfaulo.adapter.storage import lease
from fiftyone_dfaulo.adapter.storage.lease import changing
from fiftyone_dfaulo.errors import Cancelled, RunError
from tests.adapter.process import run_python

DIE = """
import os, signal, sys
import fiftyone as fo
from fiftyone_dfaulo.adapter.storage import lease

lease.TERM = float(sys.argv[2])
with lease.changing(fo.load_dataset(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def dataset(make_dataset: Any) -> Any:
    """A sample."""
    made = make_dataset(["a"])
    made.persistent = True
    yield made
    leases().delete_many({})


def leases() -> Any:
    return foo.get_db_conn()["dfaulo_leases"]


def test_it_is_given_back(dataset: Any) -> None:
    def fail() -> None:
        with changing(dataset), changing(dataset):
            assert leases().count_documents({"_id": dataset._doc.id}) == 1
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert leases().count_documents({"_id": dataset._doc.id}) == 0


def test_another_waits_until_it_is_given_back(dataset: Any) -> None:
    order, waits = [], threading.Event()

    def other() -> None:
        with changing(dataset, waits.set):
            order.append("second")

    thread = threading.Thread(target=other)
    with changing(dataset):
        thread.start()
        assert waits.wait(60)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_that_of_a_dead_process_is_free_at_once_on_its_machine(dataset: Any) -> None:
    assert run_python(DIE, dataset.name, "1000").returncode == -9
    assert leases().count_documents({"_id": dataset._doc.id}) == 1
    with changing(dataset):
        assert lease.is_held(dataset._doc.id)
    assert not lease.is_held(dataset._doc.id)


def test_elsewhere_it_ends_with_its_term(
    dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = {"$set": {"machine": "another"}}
    assert run_python(DIE, dataset.name, "1").returncode == -9
    leases().update_one({"_id": dataset._doc.id}, away)
    with changing(dataset):
        assert leases().count_documents({"_id": dataset._doc.id}) == 1

    assert run_python(DIE, dataset.name, "1000").returncode == -9
    leases().update_one({"_id": dataset._doc.id}, away)
    monkeypatch.setattr(lease, "PATIENCE", 0)
    with (
        pytest.raises(RunError, match="another process has been changing"),
        changing(dataset),
    ):
        pass


def test_waiting_can_be_stopped(dataset: Any) -> None:
    def stop() -> None:
        raise Cancelled

    assert run_python(DIE, dataset.name, "1000").returncode == -9
    leases().update_one({"_id": dataset._doc.id}, {"$set": {"machine": "another"}})
    with pytest.raises(Cancelled), changing(dataset, stop):
        pass
