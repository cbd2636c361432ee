"""Draws many small images with text under each, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from fiftyone_dfaulo.engine.images.decoding import Source, decode_whole, reason

SIDE = 128
"""Side in pixels of the square that an image is fitted into."""

COLUMNS = 10
_GAP = 12
_LINE = 17
_FONT = 13
_FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "Arial Unicode.ttf")
_INK, _RED, _PALE, _PAPER = "#1c1c1c", "#b3261e", "#ececec", "white"


class Tile(NamedTuple):
    """An image, or a part of one, and the lines under it.

    Attributes:
        source: the image file, or what is cut out of it.
        lines: text, each line cut to the width of the image; the second is red.
    """

    source: Source
    lines: tuple[str, ...]


def draw_sheet(title: str, tiles: Sequence[Tile]) -> Image.Image:
    """Draws the tiles in rows, under a title.

    Small images are enlarged by a whole factor, each pixel a square; large ones are
    reduced. One that cannot be read is a grey square that says so.

    Args:
        title: the heading, cut to the width of the picture.
        tiles: one or more.

    Returns:
        an RGB image.
    """
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    lines = max(len(tile.lines) for tile in tiles)
    width, height = SIDE + _GAP, SIDE + lines * _LINE + _GAP
    top = 2 * _LINE + _GAP
    size = (max(columns, 3) * width + _GAP, top + rows * height + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (_GAP, _GAP), title, size[0] - 2 * _GAP, _INK, _FONT + 4)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        left, upper = _GAP + column * width, top + row * height
        _paste(sheet, draw, tile.source, left, upper)
        for n, text in enumerate(tile.lines):
            corner = (left, upper + SIDE + 2 + n * _LINE)
            _write(draw, corner, text, SIDE, _RED if n == 1 else _INK, _FONT)
    return sheet


def _paste(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, source: Source, left: int, upper: int
) -> None:
    square = (left, upper, left + SIDE - 1, upper + SIDE - 1)
    draw.rectangle(square, fill=_PALE)
    try:
        image = _fit(decode_whole(source))
    except Exception as error:  # noqa: BLE001 - damaged files raise anything
        corner = (left + 4, upper + SIDE // 2 - _LINE)
        _write(draw, corner, "cannot be read:", SIDE - 8, _INK, _FONT)
        below = (corner[0], corner[1] + _LINE)
        _write(draw, below, reason(error), SIDE - 8, _INK, _FONT)
        return
    x, y = ((SIDE - side) // 2 for side in image.size)
    sheet.paste(image, (left + x, upper + y))


def _fit(image: Image.Image) -> Image.Image:
    longer = max(image.size)
    if longer <= SIDE:
        factor = SIDE // longer
        return image.resize(
            (image.width * factor, image.height * factor), Image.Resampling.NEAREST
        )
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return image


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of the system's that knows many scripts, else Pillow's own."""
    for name in _FONTS:
        with suppress(OSError):
            return ImageFont.truetype(name, size)
    return ImageFont.load_default(size)


def _write(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    width: int,
    colour: str,
    size: int,
) -> None:
    """Writes a line, cut to the width."""
    font = _font(size)
    shown = " ".join(text.split())
    if draw.textlength(shown, font) > width:
        while shown and draw.textlength(f"{shown}…", font) > width:
            shown = shown[:-1]
        shown = f"{shown}…"
    draw.text(corner, shown, fill=colour, font=font)
