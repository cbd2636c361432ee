"""``embeddings="auto"``: what labels are scored from where nobody says.

All embeddings that the dataset has, of fields and brain runs, vote together with a
network that is trained here where that is quick. Photos without embeddings get those of
a pretrained network. What turns out to be of no use is left out. The results say what
was used. Where there is nothing, or images are small, a network is trained.

Predictions are never used unless they are named: nobody knows whether that model has
seen these labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fiftyone_dfaulo.adapter.host import Samples
from fiftyone_dfaulo.adapter.reading.embeddings import list_embeddings
from fiftyone_dfaulo.adapter.scoring.features import ScoringContext
from fiftyone_dfaulo.adapter.scoring.request import AUTO, Request, is_auto
from fiftyone_dfaulo.adapter.targets.base import LabelTarget
from fiftyone_dfaulo.adapter.targets.kinds import by_classes
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.images.decoding import Source
from fiftyone_dfaulo.errors import InputError

BACKBONE = "mobilenet_v3_large"
"""The pretrained network that looks at photos: a quick one, with weights of 21 MB. The
benchmark's photos are judged by embeddings of such a network."""

LOOKED_AT = 64  # samples that tell whether a dataset has photos

QUICK = 5e8
"""Training is quick up to so many pixels, of all images and epochs: about five minutes
on two cores. It is not timed, so that the same data give the same scores. On a GPU it
is always quick."""

TRAINING = 300.0 / QUICK  # seconds a pixel, on two cores
LOOKING = 0.01  # seconds a photo that BACKBONE looks at, on two cores


def resolve(request: Request, target: LabelTarget) -> Request:
    """The request, with ``"auto"`` only where it means anything, else with None.

    It does not where something else is given, there are neither embeddings nor photos,
    or labels of this kind are judged by one source.
    """
    if not is_auto(request.embeddings):
        return request
    settings = request.settings
    predictions = settings.predictions
    if predictions == AUTO:  # a detector that tells no classes
        target, predictions = by_classes(target), None
    other = request.original or predictions or settings.train
    own = settings.method != "dfaulo" or settings.depth != "head"
    if other or own or not has_something(request.samples, target):
        return replace(request, embeddings=None)
    return request


def has_something(samples: Samples, target: LabelTarget) -> bool:
    """Whether there is anything to use together with a network that is trained here."""
    return bool(find_embeddings(samples, target)) or shows_photos(samples, target)


def shows_photos(samples: Samples, target: LabelTarget) -> bool:
    """Whether images are larger than a network that is trained here sees them.

    The first :data:`LOOKED_AT` samples tell it. False where labels of this kind are
    judged by one source.
    """
    from fiftyone_dfaulo.engine.images.batches import LARGEST, median_side

    if not target.labels_type.several_sources:
        return False
    return (median_side(_some_images(samples, target)) or 0) > LARGEST


def _some_images(samples: Samples, target: LabelTarget) -> list[Source]:
    try:
        return [source for _, source, _ in target.read(samples[:LOOKED_AT]).rows]
    except InputError:  # told where all are read
        return []


def seconds_of_training(
    samples: Samples, target: LabelTarget, count: int, settings: Settings
) -> float:
    """About how long it takes to train a network on some items, on two cores.

    Args:
        samples: where they are; the first :data:`LOOKED_AT` tell how large images are.
        target: which they are.
        count: how many.
        settings: ``image_size`` and ``epochs`` are looked at.
    """
    return TRAINING * _pixels(_some_images(samples, target), count, settings)


def seconds(
    samples: Samples, target: LabelTarget, count: int, settings: Settings
) -> float:
    """About how long it takes to score them from whatever there is, on two cores.

    Args:
        samples, target, count, settings: as of :func:`seconds_of_training`.
    """
    training = seconds_of_training(samples, target, count, settings)
    looking = 0.0 if find_embeddings(samples, target) else count * LOOKING
    return looking + (training if training <= QUICK * TRAINING else 0.0)


def find_embeddings(samples: Samples, target: LabelTarget) -> list[str]:
    """The fields and brain runs that are used.

    Brain runs that were made from one of the fields, or from another run, are not; nor
    is anything where labels of this kind are judged by one source.
    """
    if not target.labels_type.several_sources:
        return []
    found = list_embeddings(samples, target)
    fields = {one.name for one in found if one.kind == "field"}
    dataset = samples._root_dataset

    def is_new(run: str) -> bool:
        config = dataset.get_brain_info(run).config
        made_of = str(getattr(config, "embeddings_field", None))
        copied = made_of.removeprefix(target.path("")) in fields
        return not copied and getattr(config, "similarity_index", None) is None

    return [one.name for one in found if one.kind == "field" or is_new(one.name)]


def is_quick(context: ScoringContext) -> bool:
    """Whether a network is trained soon enough to do it beside something else."""
    from fiftyone_dfaulo.engine.device import pick_device

    settings, paths = context.settings, context.labelled.paths
    if pick_device(settings.device).type != "cpu":
        return True
    return _pixels(paths, len(paths), settings) <= QUICK


def _pixels(images: Sequence[Source], count: int, settings: Settings) -> int:
    """What a network that is trained on ``count`` such images sees, in all epochs."""
    from fiftyone_dfaulo.engine.images.batches import choose_size

    side = settings.image_size or choose_size(images)
    return count * side**2 * settings.epochs
