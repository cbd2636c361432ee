"""The operator that mends what runs have left."""

from __future__ import annotations

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.executor import ExecutionResult

from fiftyone_dfaulo.adapter.doors import check_given
from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.runs.repair import Repair, look, repair
from fiftyone_dfaulo.plugin.app.plain_text import plain
from fiftyone_dfaulo.plugin.forms.trust import confirmation
from fiftyone_dfaulo.plugin.host import Context, Inputs, Property, RiskLevel
from fiftyone_dfaulo.plugin.operators.base import Operator
from fiftyone_dfaulo.plugin.operators.running import Messages, run_or_notify


class RepairRuns(Operator):
    """Mends what interrupted runs, other tools and clones of views have left."""

    name_ = "repair"
    label = "Repair what runs have left"
    description = "Mend what interrupted runs, other tools and clones have left"
    icon = "healing"
    risk = RiskLevel.HIGH  # deletes values, if that is said yes to

    def __call__(
        self, samples: Samples, *, adopt: bool = False, drop: bool = False
    ) -> ExecutionResult:
        """Executes the operator from Python.

        Args:
            samples: the dataset, or any view into it.
            adopt, drop: as :func:`fiftyone_dfaulo.repair` takes them.
        """
        check_given(samples)
        dataset = samples._root_dataset
        params = {"adopt": adopt, confirmation(dataset, "drop"): drop}
        return foo.execute_operator(self.uri, {"dataset": dataset, "params": params})

    def ask(self, inputs: Inputs, ctx: Context) -> None:
        """Says what was found, and asks what is to be done with what holds values."""
        found = look(ctx.dataset)
        text = "; ".join(plain(one.what) for one in found)
        label = "Found at first sight" if found else "At first sight all is whole"
        more = f"{text}. " if found else ""
        more += "Repairing looks at each sample, too, and keeps verdicts and labels"
        inputs.view("found", types.Notice(label=label, description=more))
        if any(one.adopt is not None for one in found):
            inputs.bool(
                "adopt",
                default=False,
                label="Keep the fields: take over the run that they are of",
                view=types.CheckboxView(),
            )
        inputs.bool(
            confirmation(ctx.dataset, "drop"),
            default=False,
            label="Delete unfinished runs, and values that no run here has made",
            description="With the verdicts that are in them",
            view=types.CheckboxView(),
        )

    def execute(self, ctx: Context) -> Messages[None]:
        """Repairs, and has the App show what was done."""

        def mend() -> Repair:
            sure = bool(ctx.params.get(confirmation(ctx.dataset, "drop")))
            adopt = bool(ctx.params.get("adopt"))
            return repair(ctx.dataset, adopt=adopt, drop=sure)

        found = yield from run_or_notify(ctx, mend)
        yield ctx.ops.reload_dataset()
        yield ctx.ops.show_output(_show(found).to_json(), {})


def _show(found: Repair) -> Property:
    lines = [f"- mended: {plain(what)}" for what in found.mended]
    lines += [f"- found, and left alone: {plain(what)}" for what in found.offered]
    outputs = types.Object()
    outputs.md("\n".join(lines) or "Nothing had to be repaired.", name="repair")
    return types.Property(outputs)
