"""Parts of images: what is cut out, and how often an image is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiftyone_dfaulo.engine.images import decoding
from fiftyone_dfaulo.engine.images.batches import choose_size, decode_images
from fiftyone_dfaulo.engine.images.decoding import Crop, Reader, size_of

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.fixture
def quarters(tmp_path: Path) -> str:
    """An image of 80 x 40: red and green above, blue and white below."""
    pixels = np.empty((40, 80, 3), np.uint8)
    pixels[:20, :40], pixels[:20, 40:] = RED, GREEN
    pixels[20:, :40], pixels[20:, 40:] = BLUE, WHITE
    path = str(tmp_path / "quarters.png")
    Image.fromarray(pixels).save(path)
    return path


def colours(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """The colours that a crop consists of, those at its inner seams left out."""
    found, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    return [tuple(c) for c, n in zip(found.tolist(), counts) if n > len(pixels)]


@pytest.mark.parametrize(
    ("box", "colour"),
    [
        ((0.0, 0.0, 0.4, 0.4), RED),
        ((0.6, 0.0, 0.4, 0.4), GREEN),
        ((0.0, 0.6, 0.4, 0.4), BLUE),
        ((0.6, 0.6, 0.4, 0.4), WHITE),
        ((0.8, 0.8, 0.9, 0.9), WHITE),
        ((-0.3, -0.3, 0.5, 0.5), RED),
        ((0.999, 0.001, 0.0001, 0.0001), GREEN),
    ],
)
def test_a_crop_holds_what_is_in_its_box(
    quarters: str, box: tuple[float, float, float, float], colour: tuple[int, ...]
) -> None:
    pixels = Reader().decode(Crop(quarters, box), 8)

    assert pixels.shape == (8, 8, 3)
    assert colours(pixels) == [colour]


def test_a_crop_has_a_margin_of_a_tenth_on_each_side(quarters: str) -> None:
    box = (0.25, 0.0, 0.25, 0.5)  # the right half of the red quarter

    pixels = Reader().decode(Crop(quarters, box), 12)

    # 24 pixels wide, the last two of them green, and 22 high, the last two blue
    assert (pixels[:10, :10] == RED).all()
    assert pixels[4, 11, 1] > 150
    assert pixels[11, 4, 2] > 150


def test_the_margin_ends_at_the_edge_of_the_image(quarters: str) -> None:
    whole = Reader().decode(Crop(quarters, (0.0, 0.0, 1.0, 1.0)), 8)

    assert (whole == Reader().decode(quarters, 8)).all()


def test_boxes_are_of_the_upright_image(quarters: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    path = str(tmp_path / "turned.png")
    with Image.open(quarters) as image:
        image.save(path, exif=exif)
    upper_left = Crop(path, (0.0, 0.0, 0.4, 0.4))

    pixels = Reader().decode(upper_left, 8)

    assert colours(pixels) == [BLUE]  # the lower left of what is stored
    assert size_of(Crop(path, (0.0, 0.0, 1.0, 0.5))) == (40, 40)


def test_crops_of_one_image_in_a_row_open_it_once(
    quarters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    open_image = decoding.open_image

    def open_and_note(path: str) -> Any:
        opened.append(path)
        return open_image(path)

    monkeypatch.setattr(decoding, "open_image", open_and_note)
    reader = Reader()
    for left in (0.0, 0.2, 0.5):
        reader.decode(Crop(quarters, (left, 0.0, 0.2, 0.2)), 8)

    assert opened == [quarters]


def test_crops_of_a_damaged_image_are_named_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    crops = [Crop(str(tmp_path / "bad.png"), (0.0, 0.0, 1.0, 1.0))] * 3

    images = decode_images(crops, size=8, workers=1, memory_budget=10**6)

    assert images.unreadable == dict.fromkeys(
        range(3), "not an image, or a damaged one"
    )


def test_the_size_is_chosen_by_the_crops(quarters: str) -> None:
    assert choose_size([Crop(quarters, (0.0, 0.0, 0.2, 0.2))]) == 16
    assert choose_size([Crop(quarters, (0.0, 0.0, 0.1, 0.1))]) == 8
    assert choose_size([quarters]) == 64
