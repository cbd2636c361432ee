"""Starts a database server of one's own, which FiftyOne then uses.

FiftyOne joins any database that another process of the same user has already started,
whatever ``FIFTYONE_DATABASE_DIR`` says. Only a server of one's own, named by
``FIFTYONE_DATABASE_URI``, is sure not to be the one with the user's datasets.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pymongo
from pymongo.errors import PyMongoError

OLDEST = (6, 0)
"""The oldest server version that FiftyOne accepts."""

PATIENCE = 60.0
"""Seconds that a server may take to answer; a first start on a slow disk is slow."""


class MongodError(Exception):
    """A database server does not start, does not answer, or is too old."""


def fiftyone_mongod() -> Path:
    """Where FiftyOne looks for its mongod; the file need not exist."""
    spec = importlib.util.find_spec("fiftyone")
    if spec is None or spec.origin is None:
        raise MongodError("fiftyone is not installed in this Python environment")
    name = "mongod.exe" if os.name == "nt" else "mongod"
    return Path(spec.origin).parent / "db" / "bin" / name


def candidates() -> list[Path]:
    """The mongods of this machine: FiftyOne's own first, then the one on PATH."""
    on_path = shutil.which("mongod")
    return [fiftyone_mongod(), *([Path(on_path)] if on_path else [])]


def check_server(uri: str, patience: float = 5.0) -> None:
    """Returns if a server that FiftyOne accepts answers at this address.

    Raises:
        MongodError: if none answers within ``patience`` seconds, or it is too old.
    """
    milliseconds = int(patience * 1000)
    try:
        client: pymongo.MongoClient[dict[str, object]]
        with pymongo.MongoClient(uri, serverSelectionTimeoutMS=milliseconds) as client:
            version = str(client.server_info()["version"])
    except PyMongoError as error:
        raise MongodError(str(error).split(", Timeout:")[0]) from error
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise MongodError(f"is version {version}; FiftyOne needs {oldest} or later")


@contextmanager
def running(directory: Path, mongods: Sequence[Path] | None = None) -> Iterator[str]:
    """Runs the first mongod that starts, until the block is left.

    Args:
        directory: holds the data and the log; made if missing, kept afterwards.
        mongods: the executables to try, in this order; None is :func:`candidates`.

    Yields:
        the server's address, for ``FIFTYONE_DATABASE_URI``.

    Raises:
        MongodError: if none starts; the message has a line for each.
    """
    directory.mkdir(parents=True, exist_ok=True)
    failures = []
    for mongod in candidates() if mongods is None else mongods:
        try:
            process, uri = start(mongod, directory)
        except MongodError as error:
            failures.append(f"{mongod}: {error}")
            continue
        try:
            yield uri
        finally:
            _stop(process)
        return
    raise MongodError("\n".join(failures) or "there is no mongod to try")


def start(
    mongod: Path, directory: Path, port: int | None = None
) -> tuple[subprocess.Popen[bytes], str]:
    """Starts this mongod; returns its process, which is the caller's, and its address.

    Args:
        mongod: the executable.
        directory: as of :func:`running`; must exist.
        port: where it listens; None for one that is free.

    Raises:
        MongodError: if it doesn't start.
    """
    if not mongod.is_file():
        raise MongodError("there is no such file")
    if not os.access(mongod, os.X_OK):
        raise MongodError("the file is not executable")
    port = port or _free_port()
    log = directory / "mongod.log"
    command = [str(mongod), "--dbpath", str(directory), "--port", str(port)]
    command += ["--bind_ip", "127.0.0.1", "--nounixsocket"]
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the program that uses it
            )
        except OSError as error:
            raise MongodError(str(error)) from error
    uri = f"mongodb://127.0.0.1:{port}"
    try:
        _await_answer(process, uri, log)
    except BaseException:
        _stop(process)
        raise
    return process, uri


def _await_answer(process: subprocess.Popen[bytes], uri: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return check_server(uri, patience=0.5)
        except MongodError as error:
            if process.poll() is not None:
                reason = _last_words(log)
                raise MongodError(
                    f"ended with code {process.returncode}: {reason}"
                ) from None
            if not isinstance(error.__cause__, PyMongoError):
                raise  # it answers, but is too old
            if time.monotonic() > deadline:
                raise MongodError(
                    f"did not answer within {PATIENCE:.0f} s: {_last_words(log)}"
                ) from None


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_words(log: Path) -> str:
    """The error in a mongod's output: its last line marked so, else its last line."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    marked = [line for line in lines if '"s":"E"' in line or '"s":"F"' in line]
    words = (marked or lines or ["it said nothing"])[-1]
    return words if len(words) <= 500 else words[:500] + "..."
