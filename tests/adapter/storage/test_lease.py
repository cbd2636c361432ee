"""One process at a time changes a dataset; a dead one does not keep it for ever."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import fiftyone.core.odm as foo
import pytest

from fiftyone_dfaulo.adapter.storage import lease
from fiftyone_dfaulo.adapter.storage.lease import changing
from fiftyone_dfaulo.errors import Cancelled, RunError
from tests.adapter.process import last_json, run_forked, run_python

DIE = """
import os, signal, sys
import fiftyone as fo
from fiftyone_dfaulo.adapter.storage import lease

lease.TERM = float(sys.argv[2])
with lease.changing(fo.load_dataset(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


DATABASE_DIES = """
import json, os, sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from isolated import settings
from mongod import candidates, start

folder = Path(sys.argv[2])
mongod = next(path for path in candidates() if path.is_file())
database, uri = start(mongod, folder)
os.environ.update(settings(folder, uri))
os.environ.pop("FIFTYONE_PRIVATE_DATABASE_PORT", None)
import fiftyone as fo
from pymongo.errors import ConnectionFailure
from fiftyone_dfaulo.adapter.storage.lease import changing
from fiftyone_dfaulo.errors import RunError

def revived():
    new = start(mongod, folder, int(uri.rpartition(":")[2]))[0]
    while True:
        try:
            fo.core.odm.get_db_conn().command("ping")
            return new
        except ConnectionFailure:
            pass

def attempt(dies, stumbles=False):
    global database
    try:
        with changing(dataset):
            dataset.info["written"] = dies
            dataset.save()
            if dies:
                database.kill()
                database.wait()
                database = revived()
            if stumbles:
                raise ValueError("a run with this key already exists")
        return "kept"
    except (RunError, ValueError) as error:
        return str(error)

try:
    dataset = fo.Dataset(persistent=True)
    said = [attempt(False), attempt(True), attempt(True, True), attempt(False, True)]
    print(json.dumps([*said, attempt(False)]), flush=True)
finally:
    database.kill()
    os._exit(0)  # FiftyOne would wait for its database
"""

TOOLS = Path(__file__).parents[3] / "tools"


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
    assert run_forked(DIE, dataset.name, "1000").returncode == -9
    assert leases().count_documents({"_id": dataset._doc.id}) == 1
    with changing(dataset):
        assert lease.is_held(dataset._doc.id)
    assert not lease.is_held(dataset._doc.id)


def test_elsewhere_it_ends_with_its_term(
    dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = {"$set": {"machine": "another"}}
    assert run_forked(DIE, dataset.name, "1").returncode == -9
    leases().update_one({"_id": dataset._doc.id}, away)
    with changing(dataset):
        assert leases().count_documents({"_id": dataset._doc.id}) == 1

    assert run_forked(DIE, dataset.name, "1000").returncode == -9
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

    assert run_forked(DIE, dataset.name, "1000").returncode == -9
    leases().update_one({"_id": dataset._doc.id}, {"$set": {"machine": "another"}})
    with pytest.raises(Cancelled), changing(dataset, stop):
        pass


def test_a_database_that_dies_meanwhile_and_is_back_is_no_success(
    tmp_path: Path,
) -> None:
    """pymongo connects anew without a word, and FiftyOne's writes may be lost."""
    said = last_json(run_python(DATABASE_DIES, str(TOOLS), str(tmp_path)))
    assert [said[0], said[4]] == ["kept", "kept"]
    assert "database was away for a moment" in said[1]
    assert "database was away for a moment" in said[2]
    assert said[3] == "a run with this key already exists"


def test_a_lease_that_has_ended_is_no_success(dataset: Any) -> None:
    """As where a computer slept, and another has taken it over."""
    with pytest.raises(RunError, match="or this computer slept"), changing(dataset):
        leases().delete_many({"_id": dataset._doc.id})


def test_it_is_renewed_as_long_as_it_is_held(
    dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "TERM", 1.5)
    with changing(dataset):
        first = leases().find_one({"_id": dataset._doc.id})["until"]
        for _ in range(600):
            time.sleep(0.1)
            lease.clear_ended()  # as another process that makes a copy
            assert lease.is_held(dataset._doc.id)
            if leases().find_one({"_id": dataset._doc.id})["until"] > first:
                break
        else:
            pytest.fail("it was not renewed in a minute")
