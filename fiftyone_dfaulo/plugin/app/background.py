"""Runs long work beside an operator and hands its progress on as it comes."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Generator
from typing import Generic, NamedTuple, TypeVar

from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.errors import Cancelled

logger = logging.getLogger(__name__)

PERIOD = 0.25
"""Seconds between two messages about the same stage."""

HEARTBEAT = 1.0
"""Seconds after which the last message is repeated, so that a client who has gone
away is noticed although the work has nothing new to say."""

PATIENCE = 3.0
"""Seconds without a reader after which to find out whether there still is one."""

T = TypeVar("T")
M = TypeVar("M")


class Progress(NamedTuple):
    """A stage's name, and the fraction of the whole run done, in [0, 1]."""

    stage: str
    fraction: float


class _Mailbox(Generic[T]):
    """Between the thread that works and the generator that tells."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.unread: list[Progress] = []
        self.read_at = time.monotonic()
        self.cancelled = False
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def report(self, stage: str, fraction: float) -> None:
        """Leaves one message a stage, the latest; raises Cancelled when told so."""
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
        reference cycle: only the garbage collector closes it, and it may be long in
        coming. A reader that is merely slow is not disturbed.
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
                logger.warning("Stopped a run: nobody waits for it any more")
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


def in_background(
    task: Callable[[Report], T], message: Callable[[str, float], M]
) -> Generator[M, None, T]:
    """Runs a task in a thread and yields messages on its progress.

    Every stage is told at least once, the same stage at most every :data:`PERIOD`
    seconds, and something at least every :data:`HEARTBEAT` seconds.

    Closing the generator cancels: the task's next report raises
    :class:`~fiftyone_dfaulo.errors.Cancelled` inside the task. Closing does not wait
    for that, as a server may close from the thread that serves everybody. Any other
    exception that reaches the generator, such as KeyboardInterrupt, cancels too, and
    waits for the task to end.

    Args:
        task: takes a :data:`.progress.Report`.
        message: makes a message of a stage's name and the fraction of the whole done.

    Yields:
        the messages, in the order of the reports.

    Returns:
        what the task returns.

    Raises:
        BaseException: what the task raises.
    """
    mailbox: _Mailbox[T] = _Mailbox()
    thread = threading.Thread(
        target=mailbox.work, args=(task,), name="dfaulo-run", daemon=True
    )
    thread.start()
    try:
        for news in _tell(mailbox):
            yield message(*news)
    except GeneratorExit:
        mailbox.cancelled = True
        raise
    except BaseException:
        mailbox.cancelled = True
        thread.join()
        raise
    if mailbox.error is not None:
        raise mailbox.error
    return mailbox.result  # type: ignore[return-value]


def _tell(mailbox: _Mailbox[T]) -> Generator[Progress, None, None]:
    last: Progress | None = None
    told = time.monotonic()
    while True:
        done = mailbox.done
        unread = mailbox.read()
        if not unread and last and time.monotonic() - told >= HEARTBEAT:
            unread = [last]
        for last in unread:
            told = time.monotonic()
            yield last
        if done:
            return


def throttled(send: Report, *, period: float = PERIOD) -> Report:
    """A report that passes on every new stage, and else one message a period.

    Args:
        send: told what passes.
        period: seconds between two messages about the same stage.
    """
    last = Progress("", -1.0)
    told = 0.0

    def report(stage: str, fraction: float) -> None:
        nonlocal last, told
        now = time.monotonic()
        news = Progress(stage, fraction)
        due = stage != last.stage or fraction >= 1.0 or now - told >= period
        if due and news != last:
            last, told = news, now
            send(stage, fraction)

    return report
