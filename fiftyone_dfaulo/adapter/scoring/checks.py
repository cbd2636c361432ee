"""Whether a run can be computed: said before anything is."""

from __future__ import annotations

import fiftyone as fo

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading.detections import (
    check_detections,
    check_no_patches,
    list_detections,
)
from fiftyone_dfaulo.adapter.reading.embeddings import check_embeddings
from fiftyone_dfaulo.adapter.reading.label_fields import check_label_field
from fiftyone_dfaulo.adapter.reading.media import check_samples
from fiftyone_dfaulo.adapter.reading.predictions import (
    check_predictions,
    list_predictions,
)
from fiftyone_dfaulo.adapter.review.carrying import check_source
from fiftyone_dfaulo.adapter.runs.keys import check_key
from fiftyone_dfaulo.adapter.scoring.auto import resolve
from fiftyone_dfaulo.adapter.scoring.models import check_model
from fiftyone_dfaulo.adapter.scoring.request import (
    MADE_HERE,
    Request,
    as_sources,
    is_auto,
)
from fiftyone_dfaulo.adapter.storage.refresh import refresh
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.detector.target import BoxTarget
from fiftyone_dfaulo.adapter.targets.kinds import by_classes, target_to_judge
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cluster.connection import check_cluster
from fiftyone_dfaulo.errors import InputError


def check(request: Request) -> None:
    """Makes sure that :func:`.compute.run` can take this; computes and writes nothing.

    Raises:
        InputError: if samples, field, embeddings or settings cannot be used.
        RunError: if the key or a field of the run is taken, or holds verdicts.
        ClusterError: if there is no Ray, or nothing at the address of the cluster.
    """
    samples, label_field = request.samples, request.label_field
    settings = request.settings
    check_cluster(request.cluster)
    check_samples(samples)
    check_label_field(samples, label_field)
    dataset = samples._root_dataset
    target = target_to_judge(samples, label_field, settings)
    refresh(dataset)  # runs may have been made by another process
    target.check_writable(dataset)
    check_key(dataset, request.brain_key, target=target, overwrite=request.overwrite)
    if request.learn_from is not None:
        check_source(dataset, target, request.brain_key, request.learn_from)
    check_kind(target, settings)
    embeddings = resolve(request, target).embeddings
    vectors = [] if is_auto(embeddings) else as_sources(embeddings)
    if vectors:
        _check_vectors_allowed(settings)
    for one in vectors:
        check_embeddings(samples, one, target)
    given = [*vectors, request.original, settings.predictions, settings.train or None]
    if sum(one is not None for one in given) > 1:
        trained = settings.predictions in MADE_HERE
        _check_several_allowed(by_classes(target) if trained else target)
    check_model(request.original, settings)
    if settings.predictions is not None:
        check_prediction_field(samples, settings.predictions, target)
    if settings.device is not None:
        from fiftyone_dfaulo.engine.device import pick_device

        pick_device(settings.device)


def check_kind(target: LabelTarget, settings: Settings) -> None:
    """Makes sure that the settings are for labels of this kind.

    Raises:
        InputError: if they are not.
    """
    target.check_settings(settings)
    made = settings.predictions
    if made in MADE_HERE and not isinstance(target, BoxTarget):
        raise InputError(
            f"predictions={made!r} trains networks on boxes, and "
            f"{target.label_field!r} holds labels of whole images; leave predictions "
            "out, or pass a field"
        )


def check_prediction_field(samples: Samples, field: str, target: LabelTarget) -> None:
    """Makes sure that a field holds predictions that can judge these labels.

    Args:
        samples: a dataset or view.
        field: name of the field, or one of :data:`MADE_HERE`.
        target: the labels.

    Raises:
        InputError: if it does not.
    """
    if field in MADE_HERE:
        check_no_patches(samples)
        return
    checks = {fo.Classification: check_predictions, fo.Detections: check_detections}
    if target.predictions_type is not None:
        checks[target.predictions_type](samples, field, target.label_field)


def list_prediction_fields(samples: Samples, target: LabelTarget) -> dict[str, str]:
    """The fields that may hold such predictions, each with what they hold."""
    lists = {fo.Classification: list_predictions, fo.Detections: list_detections}
    if target.predictions_type is None:
        return {}
    return lists[target.predictions_type](samples, target.label_field)


def _check_vectors_allowed(settings: Settings) -> None:
    """Makes sure that embeddings are of use to the method."""
    for name in ("method", "depth"):
        value = getattr(settings, name)
        if value not in ("dfaulo", "head"):
            raise InputError(
                f"embeddings cannot be combined with {name}={value!r}, which makes "
                "its own; leave one of them out"
            )


def _check_several_allowed(target: LabelTarget) -> None:
    """Makes sure that these labels can be scored from several sources together."""
    if not target.labels_type.several_sources:
        raise InputError(
            f"the {target.noun}s in {target.label_field!r} can be scored from one "
            "source at a time; pass one of embeddings, model, predictions and train"
        )
