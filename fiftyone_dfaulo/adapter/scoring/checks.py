"""Whether a run can be computed: said before anything is."""

from __future__ import annotations

from typing import Any

from fiftyone_dfaulo.adapter.reading.embeddings import check_embeddings
from fiftyone_dfaulo.adapter.reading.label_fields import check_label_field, find_place
from fiftyone_dfaulo.adapter.reading.media import check_samples
from fiftyone_dfaulo.adapter.reading.predictions import check_predictions
from fiftyone_dfaulo.adapter.runs.keys import check_key
from fiftyone_dfaulo.adapter.scoring.models import check_model
from fiftyone_dfaulo.adapter.scoring.tag_scoring import check_tag_settings
from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.errors import InputError


def check(
    samples: Any,
    label_field: str,
    *,
    brain_key: str,
    embeddings: Any = None,
    model: Any = None,
    settings: Settings,
    overwrite: bool = False,
) -> None:
    """Makes sure that :func:`.compute.run` can take these; computes and writes nothing.

    Raises:
        InputError: if samples, field, embeddings or settings cannot be used.
        RunError: if the key or a field of the run is taken, or holds verdicts.
    """
    check_samples(samples)
    check_label_field(samples, label_field, objects=True)
    dataset, place = samples._root_dataset, find_place(samples, label_field)
    dataset.reload()  # runs may have been made by another process
    _check_writable(dataset, place)
    check_key(dataset, brain_key, place=place, overwrite=overwrite)
    check_tag_settings(place, settings)
    if embeddings is not None:
        for name in ("model", "predictions", "method", "depth"):
            value = getattr(settings, name)
            if value not in (None, "dfaulo", "head"):
                raise InputError(
                    f"embeddings cannot be combined with {name}={value!r}, which makes "
                    "its own; leave one of them out"
                )
        check_embeddings(samples, embeddings, place)
    check_model(settings.model if model is None else model, settings)
    if settings.predictions is not None:
        _check_whole(place, settings.predictions)
        check_predictions(samples, settings.predictions, label_field)
    if settings.device is not None:
        from fiftyone_dfaulo.engine.device import pick_device

        pick_device(settings.device)


def _check_writable(dataset: Any, place: Place) -> None:
    at = place.list_path or place.tags_path
    if at and place.storage(dataset).is_read_only(at):
        raise InputError(
            f"label_field={place.label_field!r} is read-only, and what is found is "
            "written to its labels, one by one; set its read_only to False and save it "
            "first"
        )


def _check_whole(place: Place, predictions: str) -> None:
    if place.list_path:
        raise InputError(
            f"predictions={predictions!r} are of whole images, and "
            f"{place.label_field!r} holds objects; leave predictions out, or pass the "
            "model or embeddings of the objects"
        )
