"""FiftyOne's types, by the short names that signatures here use."""

from __future__ import annotations

from typing import Any, TypeAlias

from fiftyone.operators.executor import ExecutionContext as Context
from fiftyone.operators.message import GeneratedMessage as Message
from fiftyone.operators.types import Object as Inputs
from fiftyone.operators.types import Property

__all__ = ["Context", "Inputs", "JsonDict", "Message", "Property"]

JsonDict: TypeAlias = dict[str, Any]
"""What FiftyOne sends and stores as JSON: values are what JSON can hold."""
