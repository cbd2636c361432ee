"""What a person reads at the end."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types
import pytest

from fiftyone_dfaulo.errors import InputError
from fiftyone_dfaulo.plugin.app.summaries import show_failure, show_summary


@pytest.fixture
def summary() -> dict[str, Any]:
    return {
        "brain_key": "dfaulo",
        "label_field": "ground_truth",
        "scored": 12345,
        "unlabeled": 4,
        "unreadable": 1,
        "vanished": 0,
        "estimated_faults": 678,
        "faults_low": 120,
        "faults_high": 1450,
        "most_confused": ["cat_1", "dog|2", 9],
        "notes": ["class 'x' has one sample"],
        "seconds": {"Training the network": 9.0, "Reading labels": 0.1},
        "examples": {
            "unlabeled": ["a.png", "b.png", "c.png"],
            "unreadable": ["d.png (the file is empty)"],
            "vanished": [],
        },
    }


def text(outputs: types.Property) -> str:
    """The markdown of a summary."""
    return str(outputs.type.properties["summary"].default)


def test_summary_says_what_was_scored_left_out_and_found(summary: Any) -> None:
    assert text(show_summary(summary)).splitlines()[2:] == [
        "| **Scored** | 12,345 samples |",
        "|---|---|",
        "| **Probably faults** | about 678 (120 to 1,450) |",
        r"| **Most confused** | **cat_1** that look like **dog\|2** (9 samples) |",
        "| **Left out** | 4 without a label: a.png, b.png, c.png, …; "
        "1 that could not be read: d.png (the file is empty) |",
        "| **Took** | 9.1 s (Training the network 9.0) |",
        "",
        "- class 'x' has one sample",
    ]


def test_summary_leaves_out_what_there_is_not(summary: Any) -> None:
    nothing = {"unlabeled": 0, "unreadable": 0, "most_confused": None, "notes": []}
    shown = text(show_summary({**summary, **nothing}))
    assert "Left out" not in shown
    assert "Most confused" not in shown


def test_failure_shows_the_message() -> None:
    view = show_failure(InputError("no *such* field")).type.properties["failure"].view
    assert view.description == r"no \*such\* field"
    assert "the dataset is as it was" in view.label
    nameless = show_failure(KeyError()).type.properties["failure"].view
    assert nameless.description == "KeyError"
