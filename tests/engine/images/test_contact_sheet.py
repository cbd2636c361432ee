"""The contact sheet shows every image, and text that fits under it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_dfaulo.engine.images.contact_sheet import COLUMNS, SIDE, Tile, draw_sheet

TEXT = ("seven", "nine", "0.998")
RED, GREEN = (255, 0, 0), (0, 255, 0)


@pytest.fixture
def red(tmp_path: Path) -> str:
    """An image of 28 x 28 pixels, as small as MNIST's, all red but one green pixel."""
    image = Image.new("RGB", (28, 28), RED)
    image.putpixel((0, 0), GREEN)
    image.save(tmp_path / "red.png")
    return str(tmp_path / "red.png")


def count(sheet: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(sheet) == colour).all(2).sum())


def test_small_images_are_enlarged_pixel_by_pixel(red: str) -> None:
    sheet = draw_sheet("title", [Tile(red, TEXT)])
    factor = SIDE // 28
    assert count(sheet, GREEN) == factor**2
    assert count(sheet, RED) == (28 * 28 - 1) * factor**2


def test_large_images_are_reduced_and_keep_their_shape(tmp_path: Path) -> None:
    Image.new("RGB", (1000, 500), RED).save(tmp_path / "large.png")
    sheet = draw_sheet("title", [Tile(str(tmp_path / "large.png"), TEXT)])
    assert count(sheet, RED) == SIDE * SIDE // 2


def test_there_is_a_tile_for_every_sample(red: str) -> None:
    for number in (1, COLUMNS, COLUMNS + 1, 23):
        sheet = draw_sheet("title", [Tile(red, TEXT)] * number)
        assert count(sheet, GREEN) == number * (SIDE // 28) ** 2


def test_long_text_is_cut_to_its_own_tile(red: str) -> None:
    blank = Tile(red, ("", "", ""))
    short, long = (
        np.asarray(draw_sheet("title", [Tile(red, (text, "", "")), blank]))
        for text in ("a", "a very long name of a class, and longer" * 5)
    )
    assert short.shape == long.shape
    changed = np.flatnonzero((short != long).any((0, 2)))
    assert len(changed) > 50
    assert changed.max() < 12 + SIDE


def test_an_image_that_cannot_be_read_leaves_a_note(tmp_path: Path, red: str) -> None:
    sheet = draw_sheet("t", [Tile(str(tmp_path / "gone.png"), TEXT), Tile(red, TEXT)])
    assert count(sheet, GREEN) == (SIDE // 28) ** 2
    noted = np.asarray(sheet.crop((12, 46, 12 + SIDE, 46 + SIDE)))
    assert len(np.unique(noted.reshape(-1, 3), axis=0)) > 2
