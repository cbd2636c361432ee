"""FiftyOne's types, by the short names that signatures here use."""

from __future__ import annotations

from fiftyone.operators.executor import ExecutionContext as Context
from fiftyone.operators.message import GeneratedMessage as Message
from fiftyone.operators.types import Object as Inputs
from fiftyone.operators.types import Property

__all__ = ["Context", "Inputs", "Message", "Property"]
