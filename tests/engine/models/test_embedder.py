"""Any embedder, run over image files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fiftyone_dfaulo.engine.cache.folder import Folder, RunOf
from fiftyone_dfaulo.engine.cache.work import Keeper, Work
from fiftyone_dfaulo.engine.features import Features
from fiftyone_dfaulo.engine.images import shards
from fiftyone_dfaulo.engine.images.decoding import Reader
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


class Counting(Means):
    """Counts the images that it is asked about; ``known_as`` tells which it is."""

    outputs, known_as = 2, "one"

    def __init__(self) -> None:
        self.asked = 0

    def identity(self) -> str | None:
        assert self.runs
        return self.known_as

    def __call__(
        self, pixels: np.ndarray, *, with_logits: bool = True
    ) -> tuple[np.ndarray, np.ndarray | None]:
        self.asked += len(pixels)
        means, _ = super().__call__(pixels)
        place = np.arange(len(means), dtype=np.float32)  # the bits tell of the batch
        rows = np.column_stack([means, place])
        return rows, np.column_stack([means, -means]) if with_logits else None


class Scene:
    """Seven images in shards of four, the third unreadable, and a folder of work."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shards, "SHARD", 4)
        self.folder, self.paths = folder, list[str]()
        for number in range(7):
            self.paths.append(str(folder / f"{number}.png"))
            self.draw(number, 10 * number)
        Path(self.paths[2]).write_bytes(b"no image")

    def draw(self, number: int, value: int) -> None:
        Image.new("RGB", (8, 8), (value,) * 3).save(self.paths[number])

    def embed(
        self, model: Counting, paths: list[str] | None = None, columns: Any = None
    ) -> tuple[Features, int, tuple[str, ...]]:
        """What is found, how many images the model was asked about, and the notes."""
        place = Folder(self.folder / "cache")
        work = Work(Keeper(place, RunOf("5f", "photos", "dfaulo")))
        before = model.asked
        found = embed_images(
            paths or self.paths,
            model,
            settings=settings(),
            columns=columns,
            work=work,
        )
        fresh = embed_images(
            paths or self.paths, type(model)(), settings=settings(), columns=columns
        )
        same(found, fresh)
        return found, model.asked - before, work.notes


def same(found: Features, fresh: Features) -> None:
    for name in ("embeddings", "index", "logits"):
        one, other = getattr(found, name), getattr(fresh, name)
        assert (one is None) == (other is None)
        assert one is None or one.tobytes() == other.tobytes()
    assert found.unreadable == fresh.unreadable
    assert list(found.unreadable) == list(fresh.unreadable)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


def test_what_was_embedded_is_taken_with_the_same_bits(scene: Scene) -> None:
    model = Counting()
    found, asked, notes = scene.embed(model)
    assert (asked, notes, list(found.unreadable)) == (6, (), [2])
    found, asked, notes = scene.embed(model)
    assert asked == 0
    assert notes == ("Embedded by earlier runs: 7 of 7 images.",)
    # other images after, before, and in between
    assert scene.embed(model, scene.paths[:4])[1] == 0
    assert scene.embed(model, scene.paths[4:] + scene.paths[:4])[1] == 6
    assert scene.embed(model, [*scene.paths[:4], scene.paths[0]])[1] == 1


def test_only_shards_with_a_changed_file_are_made_anew(scene: Scene) -> None:
    model = Counting()
    scene.embed(model)
    scene.draw(5, 200)
    found, asked, _ = scene.embed(model)
    assert asked == 3
    assert found.embeddings[4, 0] == 200
    scene.draw(2, 77)  # it can be read by now
    assert scene.embed(model)[1] == 4
    Path(scene.paths[6]).unlink()
    assert scene.embed(model)[1] == 2


def test_an_image_that_can_be_read_by_now_is_read_though_its_file_is_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, one = Counting(), scene.paths[1]
    decode = Reader.decode

    def fail(self: Any, source: Any, size: int) -> np.ndarray:
        if source == one:
            raise OSError("the network is away")
        return decode(self, source, size)

    with monkeypatch.context() as patch:
        patch.setattr(Reader, "decode", fail)
        found, asked, _ = scene.embed(model)
        assert (asked, found.unreadable[1]) == (5, "the network is away")
        assert scene.embed(model)[1] == 0
    assert scene.embed(model)[1] == 3


def test_logits_that_are_kept_serve_any_classes(scene: Scene) -> None:
    model = Counting()
    scene.embed(model)
    assert scene.embed(model, columns=np.array([1]))[1] == 6  # there were none
    assert scene.embed(model, columns=np.array([1, 0]))[1] == 0
    assert scene.embed(model)[1] == 0
    kept = [*(scene.folder / "cache" / "work").rglob("*.kept")]
    with_logits = [one for one in kept if b"logits" in one.read_bytes()]
    assert (len(kept), len(with_logits)) == (4, 2)
    for one in {*kept} - {*with_logits}:
        one.unlink()
    assert scene.embed(model)[1] == 0  # those with logits do as well


def test_another_model_or_batch_shares_nothing(scene: Scene) -> None:
    model = Counting()
    scene.embed(model)
    for name, value in (("known_as", "two"), ("step", 4), ("size", 4)):
        other = type("Other", (Counting,), {name: value})()
        assert scene.embed(other)[1] == 6
    unknown = type("Unknown", (Counting,), {"known_as": None})()
    assert scene.embed(unknown)[1] == scene.embed(unknown)[1] == 6
    assert "not kept" in scene.embed(unknown)[2][0]


def test_what_was_embedded_before_an_error_is_kept(scene: Scene) -> None:
    class Failing(Counting):
        def __call__(
            self, pixels: np.ndarray, *, with_logits: bool = True
        ) -> tuple[np.ndarray, np.ndarray | None]:
            if self.asked >= 5:
                raise InputError("out of memory")
            return super().__call__(pixels, with_logits=with_logits)

    with pytest.raises(InputError, match="out of memory"):
        scene.embed(Failing())
    assert scene.embed(Counting())[1] == 3
