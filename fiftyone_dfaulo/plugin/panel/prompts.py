"""The forms that the panel opens, one of them with the answers of a run."""

from __future__ import annotations

from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.plugin.app.review_target import whole_target
from fiftyone_dfaulo.plugin.forms.params import (
    AUTO,
    BOX_WAYS,
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

    def _tell_batch(self, event: Event) -> None:
        """Has this answer say what of a batch the grid shows."""
        raise NotImplementedError

    def on_done(self, ctx: Context) -> None:
        """An operator that the panel asked for has been executed."""
        raise NotImplementedError

    def on_corrected(self, ctx: Context) -> None:
        """The form that corrects has been executed."""
        raise NotImplementedError

    @guarded
    def tag(self, event: Event) -> None:
        """Opens the form that tags."""
        self._prompt(event, "tag_suspicious", _of_run(event))

    @guarded
    def correct(self, event: Event) -> None:
        """Opens the form that corrects."""
        self._prompt(event, "apply_suggestions", _of_run(event), self.on_corrected)

    @guarded
    def undo_corrections(self, event: Event) -> None:
        """Opens the form that undoes corrections."""
        self._prompt(event, "revert_suggestions", _of_run(event))

    @guarded
    def export(self, event: Event) -> None:
        """Opens the form that exports."""
        self._prompt(event, "export_review", _of_run(event))

    @guarded
    def repair(self, event: Event) -> None:
        """Opens the form that repairs."""
        self._prompt(event, "repair")

    @guarded
    def find(self, event: Event) -> None:
        """Opens the form that starts a run."""
        self._prompt(event, "compute_suspiciousness")

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
        self._prompt(event, "compute_suspiciousness", given)

    def _prompt(
        self,
        event: Event,
        name: str,
        given: JsonDict | None = None,
        then: Handler | None = None,
    ) -> None:
        event.ctx.prompt(_PREFIX + name, given, on_success=then or self.on_done)
        self._tell_batch(event)  # the form may be cancelled


def _of_run(event: Event) -> JsonDict:
    return {"brain_key": event.facts.get("key")}


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
    if stored.get("predictions") in BOX_WAYS:
        return {"source": BOX_WAYS[stored["predictions"]]}
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
