"""Progress of stages, put together to that of the run."""

import pytest

from fiftyone_dfaulo.engine.progress import Stages


def test_stages_share_the_whole_by_their_weights():
    reports = []
    stages = Stages({"a": 1, "b": 3}, lambda *args: reports.append(args))
    with stages.stage("a") as report:
        report(0.5)
    with stages.stage("b") as report:
        report(0.5)
    assert reports == [
        ("a", 0.0),
        ("a", 0.125),
        ("a", 0.25),
        ("b", 0.25),
        ("b", 0.625),
        ("b", 1.0),
    ]
    assert list(stages.seconds) == ["a", "b"]


def test_fractions_beyond_the_ends_are_cut():
    reports = []
    stages = Stages({"a": 1}, lambda _, fraction: reports.append(fraction))
    with stages.stage("a") as report:
        report(-1.0)
        report(2.0)
    assert reports == [0.0, 0.0, 1.0, 1.0]


def test_a_report_that_raises_stops_the_stage():
    def stop(stage, fraction):
        if fraction > 0:
            raise KeyboardInterrupt

    stages = Stages({"a": 1}, stop)
    with pytest.raises(KeyboardInterrupt), stages.stage("a") as report:
        report(0.1)
    assert stages.seconds == {}
