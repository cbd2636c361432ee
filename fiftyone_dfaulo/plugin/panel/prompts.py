"""The forms that the panel opens, one of them with the answers of a run."""

from __future__ import annotations

from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.plugin.app.review_target import whole_target
from fiftyone_dfaulo.plugin.forms.params import (
    AUTO,
    DETECTOR,
    EMBEDDINGS,
    FILE,
    MODEL_SETTINGS,
    NUMBERS,
    PREDICTIONS,
    ZOO,
    way_of,
)
from fiftyone_dfaulo.plugin.host import Context, JsonDict
from fiftyone_dfaulo.plugin.panel.events import Event, guarded
from fiftyone_dfaulo.plugin.panel.parts import Handler

_PREFIX = "@dfaulo/dfaulo/"


class Prompts:
    """The events that open a form."""

    def refresh(self, event: Event, *, fresh: bool = False) -> None:
        """Reads what the panel shows."""
        raise NotImplementedError

    def on_done(self, ctx: Context) -> None:
        """An operator that the panel asked for has been executed."""
        raise NotImplementedError

    def on_corrected(self, ctx: Context) -> None:
        """The form that corrects has been executed."""
        raise NotImplementedError

    def tag(self, ctx: Context) -> None:
        """Opens the form that tags."""
        self._prompt(ctx, "tag_suspicious")

    def correct(self, ctx: Context) -> None:
        """Opens the form that corrects."""
        self._prompt(ctx, "apply_suggestions", self.on_corrected)

    def undo_corrections(self, ctx: Context) -> None:
        """Opens the form that undoes corrections."""
        self._prompt(ctx, "revert_suggestions")

    def export(self, ctx: Context) -> None:
        """Opens the form that exports."""
        self._prompt(ctx, "export_review")

    def repair(self, ctx: Context) -> None:
        """Opens the form that repairs."""
        ctx.prompt(_PREFIX + "repair", on_success=self.on_done)

    def find(self, ctx: Context) -> None:
        """Opens the form that starts a run."""
        ctx.prompt(_PREFIX + "compute_suspiciousness", on_success=self.on_done)

    @guarded
    def run_again(self, event: Event) -> None:
        """Opens that form with the answers of the run that is reviewed."""
        review = event.shown
        given = {
            # not the batch in the grid
            "view_target": whole_target(event.ctx, review),
            "brain_key": review.key,
            **of_run(review.config),
        }
        uri = _PREFIX + "compute_suspiciousness"
        event.ctx.prompt(uri, given, on_success=self.on_done)

    def _prompt(self, ctx: Context, name: str, then: Handler | None = None) -> None:
        given = {"brain_key": Event(ctx).facts.get("key")}
        ctx.prompt(_PREFIX + name, given, on_success=then or self.on_done)


def of_run(config: DFauLoConfig) -> JsonDict:
    """The form's parameters that ask for a run again.

    Embeddings that were given as an array, and a model that was given as an object, are
    not among them: a form cannot hold them. Of several sources it holds one.
    """
    stored, usual = config.settings, Settings()
    names = ("method", *NUMBERS, *MODEL_SETTINGS.keys() - {"classes", "preprocessing"})
    given = {
        name: stored[name]
        for name in names
        if stored.get(name) not in (None, getattr(usual, name))
    }
    if stored.get("classes"):
        given["classes"] = ", ".join(stored["classes"])
    for name, value in (stored.get("preprocessing") or {}).items():
        several = isinstance(value, (list, tuple))
        given[f"input_{name}"] = ", ".join(map(str, value)) if several else value
    advanced = {"advanced": True} if given else {}
    return {
        "label_field": config.label_field,
        **_source_of(config),
        **given,
        **advanced,
    }


def _source_of(config: DFauLoConfig) -> JsonDict:
    stored = config.settings
    found = config.embeddings
    names = [found] if found is None or isinstance(found, str) else found
    if stored.get("predictions") == AUTO:
        return {"source": DETECTOR}
    if names[0] == AUTO:
        return {"source": AUTO}
    if names[0] not in (None, "array"):
        return {"source": EMBEDDINGS, "embeddings": names[0]}
    if stored.get("predictions"):
        return {"source": PREDICTIONS, "predictions": stored["predictions"]}
    name = stored.get("model")
    if not name:
        return {}
    way = way_of(name)
    return {
        "source": way,
        {ZOO: "zoo_model", FILE: "model_path"}.get(way, "model"): name,
    }
