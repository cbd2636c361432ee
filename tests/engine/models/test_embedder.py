"""Any embedder, run over image files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fiftyone_dfaulo.engine.models.embedder import Embedder, embed_images
from fiftyone_dfaulo.errors import InputError
from tests.engine.models.test_torch_embedder import Net, embedder, pixels, settings


class Means(Embedder):
    """The mean of an image; usable only while it runs."""

    name, size, step, outputs, notes = "means", 8, 2, 1, ("assumed",)
    runs = False

    def running(self) -> AbstractContextManager[object]:
        return self._run()

    @contextmanager
    def _run(self) -> Iterator[None]:
        self.runs = True
        yield
        self.runs = False

    def __call__(
        self, pixels: np.ndarray, *, with_logits: bool = True
    ) -> tuple[np.ndarray, np.ndarray | None]:
        assert self.runs
        means = pixels.mean((1, 2, 3))[:, None].astype(np.float32)
        return means, -means if with_logits else None


def test_every_call_is_made_while_the_model_runs(tmp_path: Path) -> None:
    paths = []
    for value in (10, 20, 30):
        paths.append(str(tmp_path / f"{value}.png"))
        Image.new("RGB", (8, 8), (value,) * 3).save(paths[-1])
    model = Means()

    plain = embed_images(paths, model, settings=settings())
    both = embed_images(paths, model, settings=settings(), columns=np.array([0]))

    assert plain.embeddings.tolist() == [[10.0], [20.0], [30.0]]
    assert plain.logits is None
    assert both.logits is not None
    assert both.logits.tolist() == [[-10.0], [-20.0], [-30.0]]
    assert both.notes == ("assumed",)
    assert not model.runs


def test_nan_for_one_image_is_an_error_that_names_it(tmp_path: Path) -> None:
    module = Net()
    module.body[1].register_forward_hook(
        lambda _, args, out: torch.where(
            args[0].mean(1, keepdim=True) > 0.99, np.nan, out
        )
    )
    paths = []
    for number, value in enumerate((10, 200, 255)):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.new("RGB", (8, 8), (value,) * 3).save(paths[-1])
    one = embedder(module)
    assert embed_images(paths[:2], one, settings=settings()).embeddings.shape == (2, 5)
    with pytest.raises(InputError, match=r"embeddings of NaN or infinity, .*/2\.png"):
        embed_images(paths, one, settings=settings())


def test_kept_logits_are_the_columns_asked_for(tmp_path: Path) -> None:
    paths = []
    for number, image in enumerate(pixels()):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(image).save(paths[-1])
    paths.insert(1, str(tmp_path / "missing.png"))
    one = embedder(Net())
    found = embed_images(paths, one, settings=settings(), columns=np.array([2, 0]))
    _, logits = one(pixels())
    assert logits is not None
    assert found.logits is not None
    np.testing.assert_allclose(found.logits, logits[:, [2, 0]], rtol=1e-5)
    assert found.index.tolist() == [0, 2, 3]
    assert list(found.unreadable) == [1]
