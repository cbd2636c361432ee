"""Runs long work in a thread, and passes its progress on as it comes."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Generic, NamedTuple, TypeVar

from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.errors import Cancelled

logger = logging.getLogger(__name__)

PERIOD = 0.25
"""Seconds between two messages about the same stage."""

HEARTBEAT = 1.0
"""Seconds after which the last message is repeated, so that a client who has left is
noticed even if the work reports nothing new."""

PATIENCE = 3.0
"""Seconds without a read after which to find out whether there still is a reader."""

T = TypeVar("T")
M = TypeVar("M")


class Progress(NamedTuple):
    """A stage's name, and the fraction of the whole run done, in [0, 1]."""

    stage: str
    fraction: float


class _Mailbox(Generic[T]):
    """Holds what the thread reports until the generator reads it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.unread: list[Progress] = []
        self.read_at = time.monotonic()
        self.cancelled = False
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def report(self, stage: str, fraction: float) -> None:
        """Keeps the latest progress of each stage; raises Cancelled if cancelled."""
        self._look_for_reader()
        if self.cancelled:
            raise Cancelled("The run was cancelled; the dataset is as it was.")
        with self.changed:
            if self.unread and self.unread[-1].stage == stage:
                self.unread.pop()
            self.unread.append(Progress(stage, fraction))

    def _look_for_reader(self) -> None:
        """Closes the generator if nobody holds it any more.

        A server whose client has left stops reading, but keeps the generator in a
        reference cycle. Only the garbage collector closes it, which may not run for
        long. A reader that is merely slow is not disturbed.
        """
        if time.monotonic() - self.read_at > PATIENCE and not self.cancelled:
            self.read_at = time.monotonic()
            gc.collect()

    def work(self, task: Callable[[Report], T]) -> None:
        """Runs the task to its end and keeps what it returns or raises."""
        try:
            self.result = task(self.report)
        except BaseException as error:  # noqa: BLE001  the generator raises it
            self.error = error
            if self.cancelled:
                logger.warning("Stopped a run: cancelled, or nobody waits for it")
        with self.changed:
            self.done = True
            self.changed.notify_all()

    def read(self) -> list[Progress]:
        """What came since the last call, after at most :data:`PERIOD` seconds."""
        with self.changed:
            if not self.done:
                self.changed.wait(PERIOD)
            unread, self.unread = self.unread, []
            self.read_at = time.monotonic()
            return unread


_cancellable: dict[str, _Mailbox[Any]] = {}
"""What works in this process now, by the name that it was given."""


def cancel(name: str) -> bool:
    """Stops the work of this name at its next report; False if there is none."""
    mailbox = _cancellable.get(name)
    if mailbox is not None:
        mailbox.cancelled = True
    return mailbox is not None


def in_background(
    task: Callable[[Report], T], message: Callable[[str, float], M], name: str = ""
) -> Generator[M, None, T]:
    """Runs a task in a thread and yields messages on its progress.

    Every stage has at least one message. The same stage has at most one in
    :data:`PERIOD` seconds, and there is at least one in :data:`HEARTBEAT` seconds.

    Closing the generator cancels: the task's next report raises
    :class:`~fiftyone_dfaulo.errors.Cancelled` inside the task. Closing does not wait
    for that: a server may close the generator in the thread that serves all clients.
    Any other exception that reaches the generator, such as KeyboardInterrupt, cancels
    too, and waits for the task to end.

    Args:
        task: takes a :data:`.progress.Report`.
        message: makes a message from a stage's name and the done fraction of the run.
        name: unique, for :func:`cancel`.

    Yields:
        the messages, in the order of the reports.

    Returns:
        what the task returns.

    Raises:
        BaseException: what the task raises.
    """
    mailbox: _Mailbox[T] = _Mailbox()
    _cancellable[name] = mailbox
    thread = threading.Thread(
        target=mailbox.work, args=(task,), name="dfaulo-run", daemon=True
    )
    thread.start()
    try:
        for news in _read_all(mailbox):
            yield message(*news)
    except GeneratorExit:
        mailbox.cancelled = True
        raise
    except BaseException:
        mailbox.cancelled = True
        thread.join()
        raise
    finally:
        _cancellable.pop(name, None)
    if mailbox.error is not None:
        raise mailbox.error
    return mailbox.result  # type: ignore[return-value]


def _read_all(mailbox: _Mailbox[T]) -> Generator[Progress, None, None]:
    """The progress as it comes, until the task is done."""
    last: Progress | None = None
    sent_at = time.monotonic()
    while True:
        done = mailbox.done
        unread = mailbox.read()
        if not unread and last and time.monotonic() - sent_at >= HEARTBEAT:
            unread = [last]
        for last in unread:
            sent_at = time.monotonic()
            yield last
        if done:
            return


def throttled(send: Report, *, period: float = PERIOD) -> Report:
    """A report that passes on every new stage, but few messages about the same one.

    Args:
        send: the report that gets them.
        period: seconds between two messages about the same stage.
    """
    last = Progress("", -1.0)
    sent_at = 0.0

    def report(stage: str, fraction: float) -> None:
        nonlocal last, sent_at
        now = time.monotonic()
        news = Progress(stage, fraction)
        due = stage != last.stage or fraction >= 1.0 or now - sent_at >= period
        if due and news != last:
            last, sent_at = news, now
            send(stage, fraction)

    return report
