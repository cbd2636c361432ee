"""FiftyOne's types, by the short names that signatures here use.

What releases before 1.22 lack is made up for here, so that no other file asks which
FiftyOne it runs on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from fiftyone.operators.executor import ExecutionContext as Context
from fiftyone.operators.message import GeneratedMessage as Message
from fiftyone.operators.operations import Operations
from fiftyone.operators.types import Object as Inputs
from fiftyone.operators.types import Property

if TYPE_CHECKING:
    from fiftyone.operators.types import RiskLevel
else:
    try:
        from fiftyone.operators.types import RiskLevel
    except ImportError:  # before 1.22, which ignores what an operator declares
        from enum import Enum

        class RiskLevel(Enum):
            """What an operator can do to a dataset."""

            LOW = "low"
            MEDIUM = "medium"
            HIGH = "high"


__all__ = ["Context", "Inputs", "JsonDict", "Message", "Property", "RiskLevel"]

ALT_SELECTION = hasattr(Operations, "set_sample_selection_style")
"""Whether Alt+click selects in a second way."""

TARGET_IS_ANSWER = not hasattr(Context, "get_unavailable_view_targets")
"""Whether the choice of samples is one of a form's answers, and not of the request; a
call from Python is on the whole dataset then, unless the answers say otherwise."""

DOWNLOADS = hasattr(Operations, "browser_download")
"""Whether an operator can have the browser download something."""

JsonDict: TypeAlias = dict[str, Any]
"""What FiftyOne sends and stores as JSON: values are what JSON can hold."""


def selected_samples(ctx: Context) -> list[JsonDict]:
    """What is selected in the grid, with its type; none where there is one type."""
    return getattr(ctx, "selected_samples", None) or []


def chosen_target(ctx: Context) -> str | None:
    """What a form's choice of samples says; None where it was not asked."""
    given = ctx.request_params.get("view_target") or ctx.params.get("view_target")
    return None if given is None else str(given)


def style_selection(ctx: Context) -> None:
    """Has the grid mark a selection with x, and one by Alt+click with a check mark."""
    if ALT_SELECTION:
        ctx.ops.set_sample_selection_style(default="x", alt="green-checkmark")


def unstyle_selection(ctx: Context) -> None:
    """Takes :func:`style_selection` back."""
    if ALT_SELECTION:
        ctx.ops.clear_sample_selection_style()
