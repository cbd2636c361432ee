"""FiftyOne's own models, of the zoo or passed in, as embedders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack

import fiftyone as fo
import fiftyone.core.models as fom
import fiftyone.core.utils as fou
import numpy as np
import torch
from fiftyone.utils.torch import TorchImageModel
from torch import nn

from fiftyone_dfaulo.config import Settings
from fiftyone_dfaulo.engine.cache.digest import digest
from fiftyone_dfaulo.engine.device import surroundings
from fiftyone_dfaulo.engine.images.batches import median_side
from fiftyone_dfaulo.engine.images.decoding import Source
from fiftyone_dfaulo.engine.models.embedder import PROBES, Embedder, noise
from fiftyone_dfaulo.engine.models.identity import class_code, identify
from fiftyone_dfaulo.engine.signals import log_softmax
from fiftyone_dfaulo.errors import InputError, WeightsError, one_line

_MOST = 512  # pixels of an image's side that a model gets, before its own transform


def load_zoo(name: str) -> fom.Model:
    """A zoo model, downloaded if need be.

    Raises:
        WeightsError: if it cannot be loaded.
    """
    import fiftyone.zoo as foz

    try:
        return foz.load_zoo_model(name)
    except Exception as error:  # requirements, downloads and files fail in many ways
        raise WeightsError(
            f"zoo model {name!r} cannot be loaded ({one_line(error)}); load it once by "
            f"fiftyone.zoo.load_zoo_model({name!r}), or use another model"
        ) from error


class FiftyOneEmbedder(Embedder):
    """A FiftyOne model that gives embeddings, logits, or both.

    Images are squashed to squares of their usual size, at most 512 pixels, or of
    ``settings.preprocessing``'s; the model's own transform does the rest. Where it has
    no embeddings, the log-probabilities of its classes serve as such.

    Args:
        model: the model.
        name: how a message calls it.
        paths: the images that it is to run over.
        settings: batch size, classes and preprocessing are used.

    Raises:
        InputError: if the model has neither embeddings nor logits, or is not for
            images.
    """

    def __init__(
        self, model: fom.Model, name: str, paths: Sequence[Source], settings: Settings
    ) -> None:
        if model.media_type != "image" or not (
            model.has_embeddings or model.has_logits
        ):
            raise InputError(
                f"model={name} is a model of media type {model.media_type!r} with "
                "neither embeddings nor logits; expected an image model with one of "
                "them"
            )
        self.name, self._model = name, model
        chosen = settings.preprocessing
        self.size = (
            chosen.size if chosen else int(min(median_side(paths) or 224, _MOST))
        )
        self.step = settings.batch_size
        self.classes = getattr(model, "classes", None) if model.has_logits else None
        known = settings.classes if self.classes is None else self.classes
        self.outputs = len(known or ())

    def identity(self) -> str | None:
        """See :meth:`.Embedder.identity`; of FiftyOne's own models around torch."""
        model = self._model
        network = getattr(model, "_model", None)
        if not (isinstance(model, TorchImageModel) and isinstance(network, nn.Module)):
            return None
        try:
            own = identify(network)
            config = json.dumps(model.config.serialize(), sort_keys=True, default=repr)
            code = [*class_code(type(model))]
            said = self(noise(PROBES, self.size), with_logits=model.has_logits)
        except Exception:  # noqa: BLE001 - it may be somebody's model
            return None
        if own is None:
            return None
        known = self.classes and list(self.classes)
        parts = (own, fo.__version__, type(model).__qualname__, code, config, known)
        return digest(parts, said, surroundings(torch.device(model.device)))

    def running(self) -> AbstractContextManager[object]:
        """Has the model ready, and keep its logits if it has any."""
        with ExitStack() as context:
            if self._model.has_logits:
                context.enter_context(fou.SetAttributes(self._model, store_logits=True))
            context.enter_context(self._model)
            return context.pop_all()

    def __call__(
        self, pixels: np.ndarray, *, with_logits: bool = True
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """See :meth:`.Embedder.__call__`."""
        model = self._model
        try:
            images = list(pixels)
            vectors = model.embed_all(images) if model.has_embeddings else None
            if vectors is not None and not with_logits:
                return _flat(vectors, len(pixels)), None
            found = [prediction.logits for prediction in model.predict_all(images)]
            logits = np.asarray(np.stack(found), np.float32)
        except Exception as error:  # it is somebody's model
            side = pixels.shape[1]
            raise InputError(
                f"model={self.name} failed on images of {side} x {side} pixels "
                f"({type(error).__name__}: {one_line(error)}); pass preprocessing="
                "Preprocessing(size=...) if it needs others"
            ) from error
        if vectors is None:
            vectors = log_softmax(logits)
        return _flat(vectors, len(pixels)), logits


def _flat(vectors: np.ndarray, count: int) -> np.ndarray:
    return np.asarray(vectors, np.float32).reshape(count, -1)
