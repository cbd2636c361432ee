"""The answers that ask for a run again, as the form and the operator take them."""

from __future__ import annotations

from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.config import Settings
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
from fiftyone_dfaulo.plugin.host import JsonDict


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
