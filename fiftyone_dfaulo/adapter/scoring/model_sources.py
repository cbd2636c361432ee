"""Sources that run a network: an original model, or one trained on the items here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_dfaulo.adapter.scoring import models
from fiftyone_dfaulo.adapter.scoring.features import (
    DECODING,
    FeatureSource,
    ScoredItems,
    ScoringContext,
)
from fiftyone_dfaulo.adapter.scoring.models import Model
from fiftyone_dfaulo.adapter.targets.labels import RESCORING, SCORING
from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cluster.executor import HERE
from fiftyone_dfaulo.engine.features import Features

if TYPE_CHECKING:
    from fiftyone_dfaulo.engine.cache.work import Work
    from fiftyone_dfaulo.engine.images.batches import Images
    from fiftyone_dfaulo.engine.images.decoding import Source
    from fiftyone_dfaulo.engine.models.class_matching import Match
    from fiftyone_dfaulo.engine.models.embedder import Embedder
    from fiftyone_dfaulo.engine.models.torch_embedder import TorchEmbedder
    from fiftyone_dfaulo.engine.network.trained import Network

EMBEDDING = "Embedding images"
TRAINING = "Training the network"
OWN_EMBEDDING = "Embedding by the network"  # a stage apart: a model may embed as well
RETRAINING = "Training without the most suspicious"

UNUSED_LOGITS = (
    "out_of_sample has no effect: the model's logits cannot be used for these classes."
)


def logit_notes(
    match: Match, settings: Settings, *notes: str | None
) -> tuple[str, ...]:
    """Notes on an original model: these, and what is to say of its logits."""
    useless = settings.out_of_sample and match.columns is None
    every = (*notes, match.note, UNUSED_LOGITS if useless else None)
    return tuple(filter(None, every))


class FrozenModel(FeatureSource):
    """An original model that stays as it is; ``logits`` if these are expected of it."""

    stages = {EMBEDDING: 80, SCORING: 15}

    def __init__(self, model: Model, *, logits: bool = True) -> None:
        self._model, self._logits = model, logits
        self.name = f"model {models.describe(model)!r}"

    def read(self, context: ScoringContext) -> Features:
        from fiftyone_dfaulo.engine.models.embedder import embed_images

        settings = context.settings
        with context.stages.stage(EMBEDDING) as report:
            embedder = load_embedder(self._model, context.labelled.paths, settings)
            match = _match(embedder, context)
            found = embed_images(
                context.labelled.paths,
                embedder,
                settings=settings,
                columns=match.columns,
                work=context.work,
                executor=context.executor,
                report=report,
            )
        kept = context.labelled.labels.occurring(found.index)
        return replace(
            found,
            logits=None if found.logits is None else found.logits[:, kept],
            logits_vote=settings.out_of_sample,
            learned=found.logits is not None and not settings.out_of_sample,
            points=found.embeddings,
            notes=logit_notes(match, settings, *found.notes)
            if self._logits
            else found.notes,
        )


class RetrainedModel(FeatureSource):
    """An original model, of which a copy is trained on afterwards."""

    stages = {DECODING: 10, EMBEDDING: 20, SCORING: 15, RETRAINING: 100, RESCORING: 15}

    def __init__(self, model: Model) -> None:
        self._model = model
        self.name = f"model {models.describe(model)!r}"
        self._frozen: tuple[TorchEmbedder, Images, np.ndarray, Work] | None = None

    def read(self, context: ScoringContext) -> Features:
        from fiftyone_dfaulo.engine.models.embedder import work_of
        from fiftyone_dfaulo.engine.models.model_output import check_finite
        from fiftyone_dfaulo.engine.network import finetuning

        settings = context.settings
        embedder = _load_torch(self._model, settings)
        match = _match(embedder, context)
        finetuning.check_depth(embedder)
        items, images = context.decode(embedder.size)
        with context.stages.stage(EMBEDDING) as report:
            work = work_of(embedder, context.work)
            pixels = images.pixels
            vectors, logits = finetuning.embed_pixels(embedder, pixels, report, work)
            found = {"embeddings": vectors, "logits": logits}
            check_finite(embedder.name, found, items.ids)
        self._frozen = embedder, images, vectors, work
        own = None
        if logits is not None and match.columns is not None:
            kept = context.labelled.labels.occurring(images.index)
            own = logits[:, match.columns[kept]]
        return Features(
            vectors,
            images.index,
            images.unreadable,
            logits=own,
            logits_vote=settings.out_of_sample,
            learned=own is not None and not settings.out_of_sample,
            points=vectors,
            notes=logit_notes(match, settings, *embedder.notes),
        )

    def retrain(
        self, context: ScoringContext, items: ScoredItems, suspiciousness: np.ndarray
    ) -> Features:
        from fiftyone_dfaulo.engine.models.model_output import check_finite
        from fiftyone_dfaulo.engine.network import finetuning

        assert self._frozen is not None
        embedder, images, frozen, work = self._frozen
        labels, settings = items.labels.numbers, context.settings
        with context.stages.stage(RETRAINING) as report:
            given = embedder, images.pixels, labels, frozen, suspiciousness
            vectors, logits = finetuning.retrain_model(
                *given, settings=settings, work=work, report=report
            )
            found = {"embeddings": vectors, "logits": logits}
            check_finite(f"the full mutant of {embedder.name}", found, items.ids)
        return Features(
            vectors, np.arange(len(items.ids)), {}, logits=logits, learned=True
        )


class TrainedNetwork(FeatureSource):
    """A small network, trained on the items with their labels as they are.

    Args:
        full: whether it is trained again afterwards.
    """

    name = "the network trained here"

    def __init__(self, *, full: bool) -> None:
        own = {DECODING: 10, TRAINING: 60, OWN_EMBEDDING: 15, SCORING: 10}
        self.stages = {**own, **({RETRAINING: 100, RESCORING: 15} if full else {})}
        self._full = full
        self._images: Images | None = None
        self._network: Network | None = None
        self._side = 0

    def read(self, context: ScoringContext) -> Features:
        from fiftyone_dfaulo.engine.method import near_duplicates

        items, images, network = train(context)
        self._network, self._side = network, images.pixels.shape[1]
        pixels, size = images.pixels, context.settings.batch_size
        with context.stages.stage(OWN_EMBEDDING) as report:
            own = context.settings.device is not None
            vectors, _ = network.outputs(
                pixels,
                views=True,
                batch_size=size,
                work=context.work,
                executor=HERE if own else context.executor,
                report=report,
            )
            appearance = points = None
            if items.labels.checks_content:
                appearance = network.appearance(pixels, batch_size=size)
                points = near_duplicates.thumbnails(pixels)
        if self._full:
            self._images = images
        return Features(
            vectors,
            images.index,
            images.unreadable,
            logits=network.learning,
            learned=True,
            appearance=appearance,
            points=points,
        )

    def retrain(
        self, context: ScoringContext, items: ScoredItems, suspiciousness: np.ndarray
    ) -> Features:
        from fiftyone_dfaulo.engine.network import finetuning

        images = self._images
        assert images is not None
        with context.stages.stage(RETRAINING) as report:
            vectors, logits = finetuning.retrain_network(
                images.pixels,
                items.labels.numbers,
                suspiciousness,
                settings=context.settings,
                work=context.work,
                report=report,
            )
        return Features(
            vectors, np.arange(len(items.ids)), {}, logits=logits, learned=True
        )

    def classify(self, sources: Sequence[Source], settings: Settings) -> np.ndarray:
        """What other images, or parts of some, look like to the trained network.

        Returns:
            int64 (S,), positions among the classes that it was trained on; 0 where an
            image cannot be read.
        """
        from fiftyone_dfaulo.engine.images import batches

        assert self._network is not None
        images = batches.decode_images(
            sources,
            size=self._side,
            workers=settings.workers,
            memory_budget=settings.memory_budget,
        )
        found = np.zeros(len(sources), np.int64)
        if len(images.index):
            size = settings.batch_size
            _, logits = self._network.outputs(images.pixels, batch_size=size)
            found[images.index] = logits.argmax(1)
        return found


def train(context: ScoringContext) -> tuple[ScoredItems, Images, Network]:
    """Decodes the items and trains a network on those that could be read."""
    from fiftyone_dfaulo.engine.network import training

    items, images = context.decode(context.settings.image_size)
    with context.stages.stage(TRAINING) as report:
        network = training.train_network(
            images.pixels,
            items.labels.training_labels,
            len(items.labels.classes),
            settings=context.settings,
            work=context.work,
            executor=context.executor,
            report=report,
        )
    return items, images, network


def load_embedder(
    model: Model, paths: Sequence[Source], settings: Settings
) -> Embedder:
    """An original model of any kind, ready to run over images.

    Args:
        model: as ``compute_suspiciousness`` takes it.
        paths: the images, for models that take any size.
        settings: as of the embedder of its kind.

    Raises:
        InputError: if it cannot be loaded or run.
        WeightsError: if pretrained weights are not to be had.
    """
    if models.kind_of(model) not in (models.ZOO, models.FIFTYONE):
        return _load_torch(model, settings)
    from fiftyone_dfaulo.adapter.scoring import zoo

    name = repr(models.describe(model))
    loaded = zoo.load_zoo(str(model)) if isinstance(model, (str, Path)) else model
    return zoo.FiftyOneEmbedder(loaded, name, paths, settings)


def _load_torch(model: Model, settings: Settings) -> TorchEmbedder:
    from fiftyone_dfaulo.engine.models.torch_embedder import TorchEmbedder

    return TorchEmbedder(models.load_original(model, settings), settings)


def _match(embedder: Embedder, context: ScoringContext) -> Match:
    """Which logit belongs to which of the classes of all labelled items."""
    return context.labelled.labels.match_logits(
        embedder.outputs, given=context.settings.classes, stated=embedder.classes
    )
