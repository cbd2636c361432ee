"""The operator behind the button "Cancel" beside the progress of a run."""

from __future__ import annotations

from fiftyone_dfaulo.plugin.app.background import cancel
from fiftyone_dfaulo.plugin.host import Context, RiskLevel
from fiftyone_dfaulo.plugin.operators.base import Operator


class CancelRun(Operator):
    """Stops a run that this server executes; the dataset stays as it was."""

    name_ = "cancel_run"
    label = "Cancel a run"
    description = "Stop a run; the dataset stays as it was"
    icon = "cancel"
    risk = RiskLevel.LOW
    is_listed = False
    has_form = False
    sends_messages = False

    def execute(self, ctx: Context) -> None:
        """Stops it, or says that it has ended."""
        found = cancel(str(ctx.params.get("run")))
        said = "Cancelling: it stops at its next step" if found else "It has ended"
        ctx.ops.notify(said, variant="info")
