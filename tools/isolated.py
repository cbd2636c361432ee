"""Runs a command with a FiftyOne of its own: database, folders and settings.

    python tools/isolated.py [--directory FOLDER] COMMAND [ARGUMENT ...]

Nothing of the user's own FiftyOne is read or written. With ``--directory`` everything
is kept in that folder for the next command, else it is thrown away at the end.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from mongod import MongodError, check_server, running


def settings(directory: Path, uri: str) -> dict[str, str]:
    """The environment variables that keep FiftyOne to a folder and a database.

    Args:
        directory: where FiftyOne is to keep its files.
        uri: the address of the database server.
    """
    return {
        "DFAULO_CACHE_DIR": str(directory / "cache"),
        "FIFTYONE_APP_CONFIG_PATH": str(directory / "app_config.json"),
        "FIFTYONE_CONFIG_PATH": str(directory / "config.json"),
        "FIFTYONE_DATABASE_DIR": str(directory / "database"),
        "FIFTYONE_DATABASE_NAME": "fiftyone_dfaulo",
        "FIFTYONE_DATABASE_URI": uri,
        "FIFTYONE_DATABASE_VALIDATION": "false",  # done here; FiftyOne's only warns
        "FIFTYONE_DEFAULT_DATASET_DIR": str(directory / "datasets"),
        "FIFTYONE_DO_NOT_TRACK": "1",
        "FIFTYONE_PLUGINS_DIR": str(directory / "plugins"),
    }


@contextmanager
def database(directory: Path) -> Iterator[str]:
    """Runs a database in the folder and yields its address.

    Where no mongod starts, the server of ``FIFTYONE_DATABASE_URI`` is used, under the
    database name of :func:`settings`, which is not FiftyOne's usual one.

    Raises:
        MongodError: if there is neither.
    """
    with ExitStack() as stack:
        try:
            uri = stack.enter_context(running(directory / "database"))
        except MongodError:
            uri = os.environ.get("FIFTYONE_DATABASE_URI", "")
            if not uri:
                raise
            check_server(uri)
        yield uri


def run(command: Sequence[str], directory: Path) -> int:
    """Runs the command in its own FiftyOne and returns its exit status."""
    (directory / "plugins").mkdir(parents=True, exist_ok=True)
    with database(directory) as uri:
        env = {**os.environ, **settings(directory, uri)}
        # a FiftyOne that is running sets this for its children, and it comes first
        env.pop("FIFTYONE_PRIVATE_DATABASE_PORT", None)
        return _run(command, env)


def _run(command: Sequence[str], env: dict[str, str]) -> int:
    child = subprocess.Popen(command, env=env)
    try:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                pass  # the command got the Ctrl-C too, and may have an end to make
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--directory", type=Path, help="keep everything here")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    if not options.command:
        parser.error("a command to run is missing")
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _leave)
    try:
        if options.directory:
            return run(options.command, options.directory.resolve())
        with tempfile.TemporaryDirectory(prefix="dfaulo-") as folder:
            return run(options.command, Path(folder))
    except MongodError as error:
        print(f"No database server starts:\n{error}", file=sys.stderr)
        if "DBPathInUse" in str(error):
            print(f"Something else uses {options.directory}; end it", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
