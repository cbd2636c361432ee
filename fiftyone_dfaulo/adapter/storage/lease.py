"""A lease on a dataset: only who holds it changes its runs and their fields.

A document in the database for each dataset that is being changed. It is renewed while
it is held; where its holder dies, it ends by itself, at once where that was on the
same machine, and the next one takes it over.
It binds this package alone: other tools do not know of it.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import fiftyone.core.odm as foo
from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.write_concern import WriteConcern

from fiftyone_dfaulo.adapter.host import Dataset, Documents
from fiftyone_dfaulo.adapter.storage.documents import JOURNALLED
from fiftyone_dfaulo.adapter.storage.refresh import dataset_id
from fiftyone_dfaulo.errors import DFauLoError, RunError

TERM = 30.0
"""Seconds after which a lease ends that is not renewed; renewed after a third."""

PATIENCE = 120.0
"""Seconds that are waited for another's lease: several times what a dead one lasts."""

_held = threading.local()


@contextmanager
def changing(
    dataset: Dataset, waiting: Callable[[], object] | None = None
) -> Iterator[None]:
    """Holds the lease of a dataset; who holds it already may ask again.

    What was written under it, by FiftyOne too, is on the database's disk when it ends.

    Args:
        dataset: the dataset, whose id counts.
        waiting: called while another holds it; what it raises ends the waiting.

    Raises:
        RunError: if another has held it all the time for :data:`PATIENCE`; at the end,
            if the database was started anew meanwhile, which may have lost what it
            had acknowledged, or if the lease has ended.
    """
    with unbroken(), holding(dataset_id(dataset), waiting):
        yield


@contextmanager
def holding(one: object, waiting: Callable[[], object] | None = None) -> Iterator[None]:
    """As :func:`changing`, of anything that has an id or a name of its own."""
    mine: set[object] = _held.__dict__.setdefault("ids", set())
    if one in mine:
        yield
        return
    owner = uuid.uuid4().hex
    _wait_for(one, owner, waiting)
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(one, owner, over), daemon=True)
    try:
        mine.add(one)
        renewing.start()
        yield
        if not _give_back(one, owner):
            raise RunError(_BROKEN)
    except BaseException:
        with suppress(PyMongoError):  # else it ends by itself
            _give_back(one, owner)
        raise
    finally:
        mine.discard(one)
        over.set()


_BROKEN = (
    "the database was away for a moment while it was being changed, or this computer "
    "slept, so that it is not certain that all of it was kept. What was done before is "
    "kept; look at the dataset and try again"
)


@contextmanager
def unbroken() -> Iterator[None]:
    """Makes sure at the end that it is still the same process of the database.

    One that dies may lose what it has acknowledged in the last tenth of a second, and
    pymongo connects to the next one without a word. What comes last in here must be
    journalled. What is forgotten may also make FiftyOne stumble in here.

    Raises:
        RunError: if it is another one.
    """
    server = _server()
    try:
        yield
    except (DFauLoError, PyMongoError):
        raise
    except Exception as error:
        if _server() != server:
            raise RunError(_BROKEN) from error
        raise
    if _server() != server:
        raise RunError(_BROKEN)


def _server() -> object:
    """What tells one process of the database from another; None if it is a router."""
    hello = foo.get_db_conn().command("hello")
    if hello.get("msg") == "isdbgrid":  # there may be several
        return None
    return hello.get("topologyVersion", {}).get("processId")


def _give_back(one: object, owner: str) -> bool:
    """Ends a lease, and has the disk keep all before it; False if it had ended."""
    mine = {"_id": one, "owner": owner}
    return bool(_leases(JOURNALLED).delete_one(mine).deleted_count)


def is_held(one: object) -> bool:
    """Whether a process that lives holds this lease."""
    _free_if_dead(one)
    query = {"_id": one, "$expr": {"$gte": ["$until", "$$NOW"]}}
    return _leases().find_one(query) is not None


def clear_ended() -> None:
    """Deletes what is left of leases that have ended by themselves."""
    _leases().delete_many({"$expr": {"$lt": ["$until", "$$NOW"]}})


def _leases(write_concern: WriteConcern | None = None) -> Documents:
    leases: Documents = foo.get_db_conn()["dfaulo_leases"]
    return leases.with_options(write_concern=write_concern)


def _wait_for(one: object, owner: str, waiting: Callable[[], object] | None) -> None:
    start = time.monotonic()
    while not _take(one, owner):
        _free_if_dead(one)
        if time.monotonic() - start > PATIENCE:
            raise RunError(
                f"another process has been changing this dataset for {PATIENCE:.0f} "
                "seconds; nothing was changed. Try again once it is done"
            )
        if waiting is not None:
            waiting()
        time.sleep(random.uniform(0.01, 0.05))


def _take(one: object, owner: str) -> bool:
    """Takes a lease that is free, or has ended by the database's clock."""
    until = {"$add": ["$$NOW", int(1000 * TERM)]}
    who = {"owner": owner, "machine": _machine(), "pid": os.getpid()}
    taken = [{"$set": {**who, "until": until}}]
    ended = {"_id": one, "$expr": {"$lt": ["$until", "$$NOW"]}}
    if _leases().update_one(ended, taken).matched_count:
        return True
    try:
        free = {"_id": one, "owner": {"$exists": False}}
        _leases().update_one(free, taken, upsert=True)
    except DuplicateKeyError:
        return False
    return True


def _free_if_dead(one: object) -> None:
    """Ends a lease at once whose holder ran on this machine and is dead."""
    found = _leases().find_one({"_id": one, "machine": _machine()})
    if found is None or os.name != "posix":
        return
    try:
        os.kill(found["pid"], 0)  # which only looks
    except ProcessLookupError:
        _leases().delete_one({"_id": one, "owner": found["owner"]})
    except PermissionError:
        return  # another user's, alive


def _machine() -> str:
    """What numbers processes as this process sees them."""
    try:
        numbering = os.readlink("/proc/self/ns/pid")  # a container has its own
    except OSError:
        numbering = ""
    return f"{socket.gethostname()} {uuid.getnode()} {numbering}"


def _renew(one: object, owner: str, over: threading.Event) -> None:
    until = {"$add": ["$$NOW", int(1000 * TERM)]}
    while not over.wait(TERM / 3):
        with suppress(PyMongoError):  # the database may be back by the next time
            _leases().update_one(
                {"_id": one, "owner": owner}, [{"$set": {"until": until}}]
            )
