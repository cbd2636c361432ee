"""Work in a thread: what is told of it, and how it ends."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fiftyone_dfaulo.engine.progress import Report
from fiftyone_dfaulo.errors import Cancelled
from fiftyone_dfaulo.plugin.app import background
from fiftyone_dfaulo.plugin.app.background import Progress, in_background, throttled

SOON = 300.0
"""Seconds that a test waits for what should happen at once, before it fails."""


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PERIOD", 0.001)


class Endless:
    """Work that reports until it is stopped, and keeps what stopped it."""

    def __init__(self) -> None:
        self.stopped_by: BaseException | None = None
        self.ended = threading.Event()

    def __call__(self, report: Report) -> None:
        try:
            while True:
                report("Working", 0.5)
        except BaseException as error:
            self.stopped_by = error
            raise
        finally:
            self.ended.set()


def test_every_stage_is_told_however_short_and_in_order() -> None:
    told = [Progress(stage, n / 5) for n, stage in enumerate("aabcd")]

    def work(report: Report) -> None:
        for news in told:
            report(*news)

    heard = list(in_background(work, Progress))
    assert list(dict.fromkeys(news.stage for news in heard)) == list("abcd")
    assert heard == sorted(heard, key=told.index)
    assert heard[-1] == told[-1]


def test_result_of_the_work_is_the_generators() -> None:
    def work(report: Report) -> str:
        report("Working", 1.0)
        return "done"

    def collect() -> Iterator[Any]:
        yield (yield from in_background(work, Progress))

    assert list(collect()) == [Progress("Working", 1.0), "done"]


def test_error_of_the_work_is_raised_after_what_it_told() -> None:
    def work(report: Report) -> None:
        report("Working", 0.5)
        raise ValueError("no good")

    messages = in_background(work, Progress)
    assert next(messages) == Progress("Working", 0.5)
    with pytest.raises(ValueError, match="no good"):
        next(messages)


def test_closing_stops_the_work_at_its_next_report() -> None:
    work = Endless()
    messages = in_background(work, Progress)
    next(messages)
    messages.close()
    assert work.ended.wait(SOON)
    assert isinstance(work.stopped_by, Cancelled)


def test_work_is_stopped_if_its_reader_goes_away_without_closing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "PATIENCE", 0.01)

    class Request:
        """As a server leaves it behind: in a cycle with what it was reading."""

        def __init__(self, messages: Any) -> None:
            self.messages, self.itself = messages, self

    work = Endless()
    request = Request(in_background(work, Progress))
    next(request.messages)
    gc.disable()
    try:
        del request
        assert work.ended.wait(SOON)
    finally:
        gc.enable()
    assert isinstance(work.stopped_by, Cancelled)


def test_work_goes_on_while_its_reader_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PATIENCE", 0.01)
    work = Endless()
    messages = in_background(work, Progress)
    next(messages)
    assert not work.ended.wait(0.2)
    next(messages)
    messages.close()
    assert work.ended.wait(SOON)


def test_interrupt_stops_the_work_and_waits_for_its_end() -> None:
    work = Endless()
    messages = in_background(work, Progress)
    next(messages)
    with pytest.raises(KeyboardInterrupt):
        messages.throw(KeyboardInterrupt)
    assert work.ended.is_set()
    assert isinstance(work.stopped_by, Cancelled)


def test_last_message_is_repeated_while_the_work_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "HEARTBEAT", 0.01)
    go = threading.Event()

    def work(report: Report) -> None:
        report("Working", 0.5)
        go.wait(SOON)

    messages = in_background(work, Progress)
    assert [next(messages) for _ in range(3)] == [Progress("Working", 0.5)] * 3
    go.set()
    assert set(messages) <= {Progress("Working", 0.5)}


@pytest.fixture
def heard() -> list[Progress]:
    return []


@pytest.fixture
def to_heard(heard: list[Progress]) -> Callable[[str, float], None]:
    return lambda stage, fraction: heard.append(Progress(stage, fraction))


def test_throttled_report_passes_on_new_stages_and_the_end(
    heard: list[Progress], to_heard: Report
) -> None:
    report = throttled(to_heard, period=1e9)
    for n in range(5):
        report("a", n / 10)
    report("b", 0.5)
    report("b", 0.6)
    report("b", 1.0)
    report("b", 1.0)
    assert heard == [Progress("a", 0.0), Progress("b", 0.5), Progress("b", 1.0)]


def test_throttled_report_passes_on_news_once_a_period(
    heard: list[Progress], to_heard: Report
) -> None:
    report = throttled(to_heard, period=0.0)
    for fraction in (0.1, 0.1, 0.2):
        report("a", fraction)
    assert heard == [Progress("a", 0.1), Progress("a", 0.2)]


def test_work_is_cancelled_by_its_name() -> None:
    work = Endless()
    messages = in_background(work, Progress, "mine")
    assert next(messages) == ("Working", 0.5)
    assert not background.cancel("another's")
    assert background.cancel("mine")
    with pytest.raises(Cancelled, match="the dataset is as it was"):
        list(messages)
    assert work.ended.is_set()
    assert not background.cancel("mine")  # it has ended
