"""What the operator base makes of a subclass's attributes."""

from __future__ import annotations

from typing import Any

import pytest
from fiftyone.operators.categories import Categories

from fiftyone_dfaulo.plugin import OPERATORS
from fiftyone_dfaulo.plugin.host import RiskLevel
from fiftyone_dfaulo.plugin.operators.base import DelegableOperator, Operator
from fiftyone_dfaulo.plugin.panel.panel import ReviewPanel
from tests.plugin.plugin_tools import context


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_config_says_what_the_class_says(operator: Any) -> None:
    assert issubclass(operator, Operator)
    config = operator().config
    assert (config.name, config.label) == (operator.name_, operator.label)
    assert config.description == operator.description
    assert config.icon == operator.icon
    if hasattr(config, "risk_level"):  # FiftyOne 1.22 and later
        assert config.risk_level == operator.risk
    assert config.execute_as_generator is operator.sends_messages
    delegable = issubclass(operator, DelegableOperator)
    assert config.allow_delegated_execution is delegable
    assert config.allow_immediate_execution


def test_the_app_is_told_which_operators_run_code_or_change_labels() -> None:
    high = {cls.name_ for cls in OPERATORS if cls.risk is RiskLevel.HIGH}
    assert high == {
        "apply_suggestions",
        "compute_suspiciousness",
        "estimate_quality",
        "repair",
    }


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_form_has_the_operators_label(operator: Any, scored: Any) -> None:
    form = operator().resolve_input(context(scored))
    assert (form is not None) is operator.has_form
    if form is not None:
        assert form.view.label == operator.label


def found_first(query: str) -> str:
    """What Enter executes in the App's operator browser, by the App's own rule.

    It takes those with the words in label, name or description, the first letter of
    the description first.
    """
    configs = [operator().config for operator in OPERATORS]
    found = [
        one
        for one in configs
        if any(query in text.lower() for text in (one.label, one.name, one.description))
    ]
    return str(min(found, key=lambda one: ord(one.description[0])).label)


@pytest.mark.parametrize("query", ["mislabel", "label errors", "noisy", "suspicious"])
def test_the_run_is_found_by_the_words_that_people_use(query: str) -> None:
    assert found_first(query) == "Find suspicious labels"


def test_the_panel_stands_under_curate() -> None:
    assert ReviewPanel().config.to_json()["category"] == str(Categories.CURATE)
