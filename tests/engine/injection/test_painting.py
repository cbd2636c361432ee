"""Images are painted as asked, each like the one that it replaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_dfaulo.engine.injection.painting import paint, read_shapes, write_images
from fiftyone_dfaulo.engine.injection.plans import (
    BLACK,
    COPY,
    FOREIGN,
    GREY,
    NOISE,
    WHITE,
    Plan,
)
from fiftyone_dfaulo.errors import InputError


@pytest.mark.parametrize("shape", [(8, 8), (8, 9, 3), (700, 30, 3), (500, 900), (1, 1)])
def test_painted_images_have_the_shape_asked_for(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for what in (FOREIGN, BLACK, GREY, WHITE, NOISE):
        image = paint(what, shape, rng)
        assert image.shape == shape
        assert image.dtype == np.uint8
    tones = [paint(what, shape, rng) for what in (BLACK, GREY, WHITE)]
    assert [set(tone.ravel().tolist()) for tone in tones] == [{0}, {128}, {255}]


def test_a_copy_is_its_source_with_a_little_noise() -> None:
    source = np.full((40, 40), 100, np.uint8)
    copy = paint(COPY, (40, 40), np.random.default_rng(0), source).astype(int)
    assert 0 < np.abs(copy - 100).mean() < 10


def test_foreign_images_differ_from_one_another() -> None:
    rng = np.random.default_rng(0)
    crops = {paint(FOREIGN, (12, 12, 3), rng).tobytes() for _ in range(20)}
    assert len(crops) == 20


@pytest.mark.parametrize(
    ("mode", "shape"),
    [("L", (6, 9)), ("RGB", (6, 9, 3)), ("I;16", (6, 9)), ("P", None)],
)
def test_a_new_image_is_like_the_one_it_replaces(
    tmp_path: Path, mode: str, shape: tuple[int, ...] | None
) -> None:
    old, other = tmp_path / "old.png", tmp_path / "other.png"
    Image.new(mode, (9, 6)).save(old)
    Image.new("RGB", (30, 20), "red").save(other)
    paths, what = [str(old), str(other)], {0: COPY}
    planned = Plan(np.array([0, 1]), np.array([True, False]), what, {0: 1})
    shapes = read_shapes(paths, planned)
    assert shapes == {0: shape or (6, 9, 3)}
    rng = np.random.default_rng(0)
    write_images(paths, planned, shapes, rng, {0: tmp_path / "new.png"})
    with Image.open(tmp_path / "new.png") as new:
        assert new.size == (9, 6)
        assert new.mode == ("L" if len(shapes[0]) == 2 else "RGB")
        red = np.asarray(new.convert("RGB")).mean((0, 1))
    assert (red > [50, 0, 0]).all()


def test_an_image_on_its_side_is_replaced_by_one_that_stands_upright(
    tmp_path: Path,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "side.jpg"
    Image.new("RGB", (9, 6)).save(path, exif=exif)
    planned = Plan(np.array([0]), np.array([True]), {0: NOISE})
    assert read_shapes([str(path)], planned) == {0: (9, 6, 3)}


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"no image")
    planned = Plan(np.array([0]), np.array([True]), {0: NOISE})
    with pytest.raises(InputError, match="torn.png cannot be read .not an image"):
        read_shapes([str(tmp_path / "torn.png")], planned)
