"""Whether a worker that would run what is scheduled runs on this machine."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

import psutil

_DATABASE = ("FIFTYONE_DATABASE_URI", "FIFTYONE_DATABASE_DIR", "FIFTYONE_DATABASE_NAME")
_LAUNCH = re.compile(r"\bfiftyone(\.\w+)? delegated launch\b")
_KEPT = 10.0
"""Seconds for which the last answer is good."""

_last: tuple[float, bool] | None = None


def worker_runs_here() -> bool:
    """Whether a ``fiftyone delegated launch`` for this database runs on this machine.

    FiftyOne keeps no record of its workers. So this looks through the machine's
    processes, at most every ten seconds. It does not see workers on other machines.
    """
    global _last
    now = time.monotonic()
    if _last is None or now - _last[0] > _KEPT:
        _last = now, any(_same_database(process) for process in _workers())
    return _last[1]


def _workers() -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["cmdline"]):
        words = [os.path.basename(word) for word in process.info["cmdline"] or ()]
        if _LAUNCH.search(" ".join(words)):
            yield process


def _same_database(process: psutil.Process) -> bool:
    """False only if the process is known to use another database."""
    try:
        environment = process.environ()
    except psutil.Error:
        return True  # another user's: its settings cannot be read
    return all(environment.get(name) == os.environ.get(name) for name in _DATABASE)
