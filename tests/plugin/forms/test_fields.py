"""Dropdowns and radio buttons, as the App gets them."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types
import pytest

from fiftyone_dfaulo.plugin.forms.fields import dropdown, radio_group


def sent(name: str, inputs: types.Object) -> dict[str, Any]:
    """What the App gets of a field."""
    prop: dict[str, Any] = inputs.to_json()["properties"][name]
    return prop


@pytest.mark.parametrize(
    ("choices", "labels", "descriptions"),
    [
        (["a", "b"], ["a", "b"], [None, None]),
        ({"a": "First", "b": "Second"}, ["First", "Second"], [None, None]),
        ({"a": ("First", "1"), "b": ("Second", "2")}, ["First", "Second"], ["1", "2"]),
    ],
)
@pytest.mark.parametrize("add", [dropdown, radio_group])
def test_choices_may_have_labels_and_descriptions(
    add: Any, choices: Any, labels: list[str], descriptions: list[str | None]
) -> None:
    inputs = types.Object()
    add(inputs, "one", choices, label="One of these")
    prop = sent("one", inputs)
    view = prop["view"]
    assert prop["type"]["values"] == ["a", "b"]
    assert view["label"] == "One of these"
    assert [choice["label"] for choice in view["choices"]] == labels
    assert [choice["description"] for choice in view["choices"]] == descriptions


def test_only_radio_buttons_start_with_the_first_choice() -> None:
    inputs = types.Object()
    assert dropdown(inputs, "a", ["x", "y"], label="A").default is None
    assert radio_group(inputs, "b", ["x", "y"], label="B").default == "x"
    assert dropdown(inputs, "c", ["x", "y"], label="C", default="y").default == "y"
    assert radio_group(inputs, "d", ["x", "y"], label="D", default="y").default == "y"


def test_a_dropdown_may_be_required_and_described() -> None:
    inputs = types.Object()
    dropdown(inputs, "a", ["x"], label="A", description="Why", required=True)
    prop = sent("a", inputs)
    assert prop["required"] is True
    assert prop["view"]["description"] == "Why"
