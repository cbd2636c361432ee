"""Views of patches, and whether they show the objects that a run has scored."""

from __future__ import annotations

from typing import Any

import fiftyone as fo

from fiftyone_dfaulo.adapter.runs.brain_run import DFauLoConfig
from fiftyone_dfaulo.errors import InputError


def is_patches(samples: Any, config: DFauLoConfig) -> bool:
    """Whether a view shows the objects of a run as patches, one each.

    Raises:
        InputError: if it shows other patches.
    """
    if not samples._is_patches:
        return False
    if config.list_path and shows_objects(samples, config.label_field):
        return True
    raise InputError(
        "this view shows patches that this brain run has not scored; it scored the "
        f"{config.place.noun}s in {config.label_field!r}. Pass the dataset, a view of "
        "it, or of a run that scored objects a view by to_patches() of that field"
    )


def shows_objects(samples: Any, label_field: str) -> bool:
    """Whether a view of patches shows the objects of a field, one a patch."""
    stage = samples._patches_stage
    kind = getattr(samples.get_field(label_field), "document_type", None)
    single = kind is not None and issubclass(kind, (fo.Detection, fo.Polyline))
    return isinstance(stage, fo.ToPatches) and stage.field == label_field and single
