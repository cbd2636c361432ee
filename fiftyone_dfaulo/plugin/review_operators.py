"""The operators of the review: each a thin form over the function of its name."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.types import RiskLevel

from fiftyone_dfaulo.adapter.corrections import apply_suggestions, revert_suggestions
from fiftyone_dfaulo.adapter.export import export_review
from fiftyone_dfaulo.adapter.learning import update_suspiciousness
from fiftyone_dfaulo.adapter.runs import load_config
from fiftyone_dfaulo.adapter.tagging import tag_suspicious
from fiftyone_dfaulo.adapter.verdicts import record_verdicts
from fiftyone_dfaulo.errors import DFauLoError, InputError
from fiftyone_dfaulo.plugin.current_run import current_run, list_runs
from fiftyone_dfaulo.plugin.marking import Selected, mark, read_selection

_EXAMPLES = 3
_NO_RUN = "This dataset has no run yet. Execute 'Find suspicious labels' first"


class ReviewOperator(foo.Operator):
    """A form that asks for a run and more, and one call of the adapter."""

    name_: str
    label: str
    description: str
    icon: str
    risk = RiskLevel.MEDIUM

    @property
    def config(self) -> foo.OperatorConfig:
        """How FiftyOne lists and runs this operator."""
        return foo.OperatorConfig(
            name=self.name_,
            label=self.label,
            description=self.description,
            icon=self.icon,
            dynamic=True,
            execute_as_generator=True,
            risk_level=self.risk,
        )

    def __call__(self, samples: Any, brain_key: str = "dfaulo", **params: Any) -> Any:
        """Executes the operator from Python, with the answers to its form."""
        context = {
            "dataset": samples._root_dataset,
            "view": samples.view(),
            "params": {"brain_key": brain_key, **params},
        }
        return foo.execute_operator(self.uri, context)

    def resolve_input(self, ctx: Any) -> types.Property:
        """The form, with what is wrong with the answers so far."""
        inputs = types.Object()
        try:
            key = _add_run(inputs, ctx)
            self.ask(inputs, ctx, key)
        except DFauLoError as error:
            _add_problem(inputs, str(error))
        return types.Property(inputs, view=types.View(label=self.label))

    def execute(self, ctx: Any) -> Generator[Any, None, None]:
        """Acts, and has the App show the change, or why there is none."""
        try:
            key = current_run(ctx)
            if key is None:
                raise InputError(_NO_RUN)
            said = self.act(ctx, key)
        except DFauLoError as error:
            yield ctx.ops.notify(str(error), variant="error")
            raise
        yield ctx.ops.reload_dataset()
        yield ctx.ops.notify(said, variant="success")

    def ask(self, inputs: types.Object, ctx: Any, key: str) -> None:
        """Adds to the form what there is to ask beside the run."""

    def act(self, ctx: Any, key: str) -> str:
        """Does it, and says in a sentence what was done."""
        raise NotImplementedError


def _add_run(inputs: types.Object, ctx: Any) -> str:
    runs, key = list_runs(ctx.dataset), current_run(ctx)
    if key is None:
        raise InputError(_NO_RUN)
    choices = types.Dropdown()
    for run in runs:
        choices.add_choice(run, label=run)
    inputs.enum("brain_key", runs, default=key, label="Run", view=choices)
    load_config(ctx.dataset, key)
    return key


def _add_problem(inputs: types.Object, problem: str) -> None:
    view = types.Error(label="This cannot be done", description=problem)
    prop = inputs.view("problem", view)
    prop.invalid = True
    prop.error_message = problem


def _add_choice(
    inputs: types.Object, name: str, label: str, choices: dict[str, str]
) -> None:
    """Radio buttons; the first is the default."""
    group = types.RadioGroup(orientation="vertical")
    for value, text in choices.items():
        group.add_choice(value, label=text)
    inputs.enum(
        name, list(choices), default=next(iter(choices)), label=label, view=group
    )


def _samples(count: int) -> str:
    return f"{count:,} sample" if count == 1 else f"{count:,} samples"


class RecordVerdicts(ReviewOperator):
    """Marks the selected samples faulty or correct, or takes their verdicts away."""

    name_ = "record_verdicts"
    label = "Mark labels as faulty or correct"
    description = "Record verdicts for the samples that are selected in the grid"
    icon = "rule"

    def ask(self, inputs: types.Object, ctx: Any, key: str) -> None:
        """Asks for the verdict and, if wanted, the reviewer's name."""
        if not ctx.selected:
            raise InputError("No sample is selected; select some in the grid")
        count = _samples(len(ctx.selected))
        choices = {
            "faulty": f"Faulty: the label of the {count} is wrong",
            "correct": "Correct: the label is right",
            "clear": "Clear: take the verdict away",
        }
        if read_selection(ctx).correct:
            by_type = "As selected: clicked are faulty, Alt+clicked are correct"
            choices = {"selection": by_type, **choices}
        _add_choice(inputs, "verdict", "Verdict", choices)
        inputs.str(
            "by", label="Your name", description="Kept with the verdict, if given"
        )

    def act(self, ctx: Any, key: str) -> str:
        """Records the verdicts."""
        selected, by = read_selection(ctx), ctx.params.get("by") or None
        ids = list(ctx.params.get("ids") or ctx.selected)
        if not ids:
            raise InputError("No sample is selected; select some in the grid")
        verdict = ctx.params.get("verdict") or "selection"
        if verdict == "selection":
            mark(ctx.dataset, key, selected, by=by)
        elif verdict in ("faulty", "correct"):
            record_verdicts(ctx.dataset, key, **{verdict: ids}, by=by)
        else:
            record_verdicts(ctx.dataset, key, cleared=ids, by=by)
        return f"Recorded in run {key!r}: {_samples(len(ids))}"


class _MarkButton(ReviewOperator):
    """A button in the grid's toolbar that marks the selection, without a form."""

    verdict: str

    def resolve_placement(self, ctx: Any) -> types.Placement | None:
        """In the toolbar, once the dataset has a run."""
        if ctx.dataset is None or not list_runs(ctx.dataset):
            return None
        view = types.Button(label=self.label, icon=self.icon, prompt=False)
        return types.Placement(types.Places.SAMPLES_GRID_SECONDARY_ACTIONS, view)

    def resolve_input(self, ctx: Any) -> None:
        """No form: it takes what is selected."""

    def act(self, ctx: Any, key: str) -> str:
        """Marks all that is selected."""
        ids = list(ctx.selected)
        if not ids:
            raise InputError("No sample is selected; select some in the grid first")
        faulty = self.verdict == "faulty"
        mark(ctx.dataset, key, Selected(ids if faulty else [], [] if faulty else ids))
        ctx.ops.clear_selected_samples()
        return f"Marked {self.verdict} in run {key!r}: {_samples(len(ids))}"


class MarkFaulty(_MarkButton):
    """Marks the selected samples faulty."""

    name_ = "mark_faulty"
    label = "Mark faulty"
    description = "Mark the labels of the selected samples as wrong"
    icon = "thumb_down"
    verdict = "faulty"


class MarkCorrect(_MarkButton):
    """Marks the selected samples correct."""

    name_ = "mark_correct"
    label = "Mark correct"
    description = "Mark the labels of the selected samples as right"
    icon = "thumb_up"
    verdict = "correct"


class UpdateSuspiciousness(ReviewOperator):
    """Re-ranks the samples by what the verdicts teach."""

    name_ = "update_suspiciousness"
    label = "Learn from verdicts"
    description = "Rank the unchecked samples anew, by the verdicts so far"
    icon = "model_training"

    def act(self, ctx: Any, key: str) -> str:
        """Updates the scores."""
        update_suspiciousness(ctx.dataset, key)
        return f"The ranking of run {key!r} has learned from the verdicts"


class TagSuspicious(ReviewOperator):
    """Tags samples to relabel them elsewhere."""

    name_ = "tag_suspicious"
    label = "Tag suspicious samples"
    description = "Tag samples for relabeling, and save them as a view"
    icon = "sell"

    def ask(self, inputs: types.Object, ctx: Any, key: str) -> None:
        """Asks which samples, the tag and the view's name."""
        choices = {
            "faulty": "Those marked faulty",
            "top": "The most suspicious, by number",
            "fraction": "The most suspicious, by fraction",
            "min_suspiciousness": "All above a suspiciousness",
        }
        _add_choice(inputs, "which", "Samples", choices)
        which = ctx.params.get("which")
        if which == "top":
            inputs.int("top", default=100, min=1, label="How many")
        elif which == "fraction":
            inputs.float("fraction", default=0.05, min=0, max=1, label="Fraction")
        elif which == "min_suspiciousness":
            name = "min_suspiciousness"
            inputs.float(name, default=0.5, min=0, max=1, label="Suspiciousness")
        inputs.str("tag", default="relabel", required=True, label="Tag")
        inputs.str("save_view", label="Save as a view named", description="Optional")

    def act(self, ctx: Any, key: str) -> str:
        """Tags."""
        asked = {
            name: ctx.params[name]
            for name in ("top", "fraction", "min_suspiciousness", "verdict")
            if ctx.params.get(name) is not None
        }
        tag = ctx.params.get("tag") or "relabel"
        count = tag_suspicious(
            ctx.dataset,
            key,
            tag=tag,
            save_view=ctx.params.get("save_view") or None,
            **(asked or {"verdict": "faulty"}),
        )
        return f"Tagged {tag!r}: {_samples(count)}"


class ApplySuggestions(ReviewOperator):
    """Sets the labels of faulty samples to what they look like."""

    name_ = "apply_suggestions"
    label = "Correct labels"
    description = "Set labels to the suggestion, or to a class; can be undone"
    icon = "auto_fix_high"
    risk = RiskLevel.HIGH

    def ask(self, inputs: types.Object, ctx: Any, key: str) -> None:
        """Asks which samples and which label."""
        config = load_config(ctx.dataset, key)
        verdict = config.run_fields.verdict
        faulty = ctx.dataset.count_values(verdict).get("faulty", 0)
        choices = {"faulty": f"All that are marked faulty ({faulty:,})"}
        if ctx.selected:
            chosen = {"selected": f"The selection ({len(ctx.selected):,})"}
            choices = {**chosen, **choices}
        _add_choice(inputs, "which", "Samples", choices)
        labels = {"suggestion": "What each looks like", "class": "One class for all"}
        _add_choice(inputs, "set_to", "New label", labels)
        if ctx.params.get("set_to") == "class":
            classes = types.AutocompleteView()
            for name in ctx.dataset.distinct(f"{config.label_field}.label"):
                classes.add_choice(name, label=name)
            inputs.str("class", required=True, label="Class", view=classes)
        inputs.view(
            "note",
            types.Notice(
                label=f"Changes the field {config.label_field}",
                description="The labels that were there are kept; 'Undo corrections' "
                "brings them back",
            ),
        )

    def act(self, ctx: Any, key: str) -> str:
        """Corrects."""
        label = ctx.params.get("class") if ctx.params.get("set_to") == "class" else None
        which = ctx.params.get("which") or ("selected" if ctx.selected else "faulty")
        ids = list(ctx.selected) if which == "selected" else ctx.params.get("ids")
        done = apply_suggestions(ctx.dataset, key, ids=ids, label=label)
        return f"Corrected: {_samples(_size(done.applied))}" + _named(done.skipped)


def _size(counted: Any) -> int:
    return counted if isinstance(counted, int) else len(counted)


def _named(skipped: dict[str, str]) -> str:
    """Samples left out, with the reasons of the first."""
    if not skipped:
        return ""
    reasons = sorted(set(skipped.values()))[:_EXAMPLES]
    return f"; left as they are: {_samples(len(skipped))} ({'; '.join(reasons)})"


class RevertSuggestions(ReviewOperator):
    """Brings back the labels from before the corrections."""

    name_ = "revert_suggestions"
    label = "Undo corrections"
    description = "Bring back the labels from before; edits by hand are left alone"
    icon = "undo"

    def ask(self, inputs: types.Object, ctx: Any, key: str) -> None:
        """Asks which corrections."""
        choices = {"all": "All corrections of this run"}
        if ctx.selected:
            choices = {**choices, "selected": f"The selection ({len(ctx.selected):,})"}
        _add_choice(inputs, "which", "Samples", choices)

    def act(self, ctx: Any, key: str) -> str:
        """Reverts."""
        selected = ctx.params.get("which") == "selected"
        ids = list(ctx.selected) if selected else ctx.params.get("ids")
        done = revert_suggestions(ctx.dataset, key, ids=ids)
        said = f"Brought back: the label of {_samples(_size(done.reverted))}"
        if done.edited:
            shown = ", ".join(list(done.edited)[:_EXAMPLES])
            count = _samples(len(done.edited))
            said += f"; edited by hand since, left alone: {count} ({shown})"
        return said


class ExportReview(ReviewOperator):
    """Writes the reviewed samples to a file."""

    name_ = "export_review"
    label = "Export the review"
    description = "Write verdicts, labels and suggestions to a CSV or JSON file"
    icon = "download"

    def ask(self, inputs: types.Object, ctx: Any, key: str) -> None:
        """Asks for the file."""
        text = "On the machine of the App's server; ends in .csv or .json"
        inputs.str("path", required=True, label="File", description=text)

    def act(self, ctx: Any, key: str) -> str:
        """Writes the file."""
        path = str(ctx.params.get("path") or "")
        count = export_review(ctx.dataset, path, key)
        return f"Written to {path}: {_samples(count)}"


class OpenReview(foo.Operator):
    """Opens the panel beside the grid."""

    @property
    def config(self) -> foo.OperatorConfig:
        """How FiftyOne lists and runs this operator."""
        return foo.OperatorConfig(
            name="open_review",
            label="Review suspicious labels",
            description="Open the panel DFauLo review beside the grid",
            icon="rate_review",
            risk_level=RiskLevel.LOW,
        )

    def resolve_placement(self, ctx: Any) -> types.Placement:
        """In the grid's toolbar."""
        view = types.Button(label=self.config.label, icon="rate_review", prompt=False)
        return types.Placement(types.Places.SAMPLES_GRID_SECONDARY_ACTIONS, view)

    def execute(self, ctx: Any) -> None:
        """Opens it."""
        ctx.ops.open_panel("dfaulo_review", layout="horizontal")


REVIEW_OPERATORS = [
    OpenReview,
    RecordVerdicts,
    MarkFaulty,
    MarkCorrect,
    UpdateSuspiciousness,
    TagSuspicious,
    ApplySuggestions,
    RevertSuggestions,
    ExportReview,
]
