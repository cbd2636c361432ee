"""The operator behind the button "Cancel" beside the progress of a run."""

from __future__ import annotations

import fiftyone.operators as foo
from fiftyone.operators.types import RiskLevel

from fiftyone_dfaulo.plugin.app.background import cancel
from fiftyone_dfaulo.plugin.host import Context
from fiftyone_dfaulo.plugin.operators.base import Operator


class CancelRun(Operator):
    """Stops a run that this server executes; the dataset stays as it was."""

    name_ = "cancel_run"
    label = "Cancel a run"
    description = "Stop a run; the dataset stays as it was"
    icon = "cancel"
    risk = RiskLevel.LOW
    has_form = False
    sends_messages = False

    @property
    def config(self) -> foo.OperatorConfig:
        """How FiftyOne runs this operator; it does not list it."""
        config = super().config
        config.unlisted = True
        return config

    def execute(self, ctx: Context) -> None:
        """Stops it, or says that it has ended."""
        found = cancel(str(ctx.params.get("run")))
        said = "Cancelling: it stops at its next step" if found else "It has ended"
        ctx.ops.notify(said, variant="info")
