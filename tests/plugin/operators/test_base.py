"""What the operator base makes of a subclass's attributes."""

from __future__ import annotations

from typing import Any

import pytest

from fiftyone_dfaulo.plugin import OPERATORS
from fiftyone_dfaulo.plugin.operators.base import Operator
from fiftyone_dfaulo.plugin.operators.long_running import DelegableOperator
from tests.plugin.plugin_tools import context


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_config_says_what_the_class_says(operator: Any) -> None:
    assert issubclass(operator, Operator)
    config = operator().config
    assert (config.name, config.label) == (operator.name_, operator.label)
    assert config.description == operator.description
    assert config.icon == operator.icon
    assert config.risk_level == operator.risk
    assert config.execute_as_generator is operator.sends_messages
    delegable = issubclass(operator, DelegableOperator)
    assert config.allow_delegated_execution is delegable
    assert config.allow_immediate_execution


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_form_has_the_operators_label(operator: Any, scored: Any) -> None:
    form = operator().resolve_input(context(scored))
    assert (form is not None) is operator.has_form
    if form is not None:
        assert form.view.label == operator.label
