"""Whether a run can be computed: said before anything is."""

from __future__ import annotations

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.adapter.reading.embeddings import check_embeddings
from fiftyone_dfaulo.adapter.reading.label_fields import check_label_field, find_place
from fiftyone_dfaulo.adapter.reading.media import check_samples
from fiftyone_dfaulo.adapter.reading.predictions import check_predictions
from fiftyone_dfaulo.adapter.runs.keys import check_key
from fiftyone_dfaulo.adapter.scoring.models import check_model
from fiftyone_dfaulo.adapter.scoring.request import Request
from fiftyone_dfaulo.adapter.targets.base import Place
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.errors import InputError

NOT_OF_TAGS = ("method", "depth", "predictions", "classes", "out_of_sample")
"""Settings that have to be the usual ones where samples have several tags."""


def check(request: Request) -> None:
    """Makes sure that :func:`.compute.run` can take this; computes and writes nothing.

    Raises:
        InputError: if samples, field, embeddings or settings cannot be used.
        RunError: if the key or a field of the run is taken, or holds verdicts.
    """
    samples, label_field = request.samples, request.label_field
    settings = request.settings
    check_samples(samples)
    check_label_field(samples, label_field, objects=True)
    dataset, target = samples._root_dataset, find_place(samples, label_field)
    dataset.reload()  # runs may have been made by another process
    _check_writable(dataset, target)
    check_key(dataset, request.brain_key, place=target, overwrite=request.overwrite)
    check_tag_settings(target, settings)
    if request.embeddings is not None:
        _check_alone(settings)
        check_embeddings(samples, request.embeddings, target)
    check_model(request.original, settings)
    if settings.predictions is not None:
        _check_whole(target, settings.predictions)
        check_predictions(samples, settings.predictions, label_field)
    if settings.device is not None:
        from fiftyone_dfaulo.engine.device import pick_device

        pick_device(settings.device)


def check_tag_settings(target: Place, settings: Settings) -> None:
    """Makes sure that tags can be scored so; nothing is checked without tags.

    Raises:
        InputError: if a setting is for labels of one class each.
    """
    usual = Settings()
    for name in NOT_OF_TAGS if target.tags_path else ():
        value = getattr(settings, name)
        if value != getattr(usual, name):
            raise InputError(
                f"{name}={value!r} is for samples of one class each, and "
                f"{target.label_field!r} holds several tags a sample; leave {name} out"
            )


def _check_alone(settings: Settings) -> None:
    """Makes sure that nothing else is to give embeddings."""
    for name in ("model", "predictions", "method", "depth"):
        value = getattr(settings, name)
        if value not in (None, "dfaulo", "head"):
            raise InputError(
                f"embeddings cannot be combined with {name}={value!r}, which makes "
                "its own; leave one of them out"
            )


def _check_writable(dataset: Dataset, place: Place) -> None:
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
