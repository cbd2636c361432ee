"""One image file, or a part of one, to pixels, whatever its kind."""

from __future__ import annotations

import math
import os
import stat
from contextlib import ExitStack
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from fiftyone_dfaulo.engine.images.at_once import AT_ONCE
from fiftyone_dfaulo.engine.images.noise import heard, quiet

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation to what undoes it."""

_SIDEWAYS = [_UPRIGHT[orientation] for orientation in (5, 6, 7, 8)]
"""The ones that swap width and height."""

_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""What HEIC and HEIF files say they are."""

_LONGEST = 200  # characters of what libraries say of a file

_AT_ONCE = 2**20  # values that are scaled at once, as float64

MARGIN = 0.1
"""What is added to a crop on each side, as a share of its box."""


class Crop(NamedTuple):
    """A part of an image file.

    Attributes:
        path: the file.
        box: x and y of the upper left corner, width and height, all as shares of the
            upright image; what sticks out of the image is cut off.
    """

    path: str
    box: tuple[float, float, float, float]


Source: TypeAlias = str | Crop
"""An image file's path, or a part of one."""


class Reader:
    """Decodes sources one after another; crops of one image in a row open it once.

    Close it: until then it may hold an image.
    """

    def __init__(self) -> None:
        self._whole: tuple[str, Image.Image] | None = None
        self._held = ExitStack()

    def close(self) -> None:
        """Forgets the image that it holds."""
        self._whole = None
        self._held.close()

    def decode(self, source: Source, size: int) -> np.ndarray:
        """A source as uint8 (size, size, 3): RGB, upright, squashed to the square.

        A crop has :data:`MARGIN` around its box, as far as the image reaches.

        Raises:
            Exception: of any kind, if it cannot be read; see :func:`reason`.
        """
        if not isinstance(source, Crop):
            self.close()
            return decode(source, size)
        if self._whole is None or self._whole[0] != source.path:
            self.close()
            self._whole = source.path, _whole(source.path, self._held)
        image = self._whole[1]
        part = image.resize(
            (size, size),
            Image.Resampling.BILINEAR,
            box=_pixels(source.box, image.size),
            reducing_gap=2.0,
        )
        return np.asarray(_on_white(part))


@quiet()
def _whole(path: str, held: ExitStack) -> Image.Image:
    """The image, upright; its pixels are taken from those at once until all is over."""
    with open_image(path) as image:
        held.enter_context(AT_ONCE.take(image.size))
        image.load()
        turn = _turn(image)
        upright = _to_8_bit(image)
    return upright if turn is None else upright.transpose(turn)


def _pixels(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a crop in pixels, a pixel wide at least."""
    sides = []
    for start, length, limit in zip(box[:2], box[2:], size):
        low = max((start - MARGIN * length) * limit, 0.0)
        high = min((start + (1 + MARGIN) * length) * limit, float(limit))
        if high - low < 1:
            low = min(max((low + high - 1) / 2, 0.0), limit - 1.0)
            high = low + 1
        sides.append((low, high))
    (left, right), (top, bottom) = sides
    return left, top, right, bottom


@quiet()
def size_of(source: Source) -> tuple[float, float]:
    """Width and height of a source in pixels, by its header; of a crop, as upright.

    Raises:
        Exception: of any kind, if it cannot be read.
    """
    if not isinstance(source, Crop):
        with open_image(source) as image:
            return image.size
    with open_image(source.path) as image:
        width, height = image.size
        if _turn(image) in _SIDEWAYS:
            width, height = height, width
    return width * source.box[2], height * source.box[3]


@quiet()
def decode(path: str, size: int) -> np.ndarray:
    """An image file as uint8 (size, size, 3): RGB, upright, squashed to the square.

    Raises:
        Exception: of any kind, if it cannot be read; see :func:`reason`.
    """
    with open_image(path) as image:
        # A JPEG decodes several times faster at a fraction of its size; twice the
        # side leaves the resize enough to average over.
        image.draft(None, (2 * size, 2 * size))
        with AT_ONCE.take(image.size):
            image.load()
            # Read only now: Pillow itself turns a TIFF upright while loading it.
            turn = _turn(image)
            square = _to_8_bit(image).resize(
                (size, size), Image.Resampling.BILINEAR, reducing_gap=2.0
            )
            image.close()  # the pixels too
    return np.asarray(_on_white(square if turn is None else square.transpose(turn)))


def decode_whole(source: Source) -> Image.Image:
    """A source at its own size: RGB, upright; a crop has :data:`MARGIN` around it.

    Raises:
        Exception: of any kind, if it cannot be read; see :func:`reason`.
    """
    path, box = source if isinstance(source, Crop) else (source, None)
    with ExitStack() as held:
        image = _on_white(_whole(path, held))
    if box is None:
        return image
    left, top, right, bottom = _pixels(box, image.size)
    return image.crop((int(left), int(top), math.ceil(right), math.ceil(bottom)))


@quiet()
def read_shape(path: str) -> tuple[int, ...]:
    """The shape of an image by its header, upright: (H, W) if grey, else (H, W, 3).

    Raises:
        Exception: of any kind, if it cannot be read; see :func:`reason`.
    """
    with open_image(path) as image:
        width, height = image.size
        if _turn(image) in _SIDEWAYS:
            width, height = height, width
        grey = image.mode in ("1", "L", "LA", "F") or image.mode.startswith("I")
    return (height, width) if grey else (height, width, 3)


def open_image(path: str) -> Image.Image:
    """Opens an image and reads its header, if it is a file with something in it."""
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise OSError("it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is not a regular file")  # opening a pipe would hang
    if not status.st_size:
        raise OSError("the file is empty")
    try:
        return Image.open(path)
    except UnidentifiedImageError:
        if not _is_heif(path):
            raise
    return _open_heif(path)


def _is_heif(path: str) -> bool:
    with open(path, "rb") as file:
        head = file.read(12)
    return head[4:8] == b"ftyp" and head[8:] in _HEIF


def _open_heif(path: str) -> Image.Image:
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise OSError(
            "it is a HEIC or HEIF image, which takes pillow-heif to read: "
            "pip install 'fiftyone-dfaulo[heif]'"
        ) from None
    image: Image.Image = HeifImageFile(path)
    Image._decompression_bomb_check(image.size)  # which Image.open() would do
    return image


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What turns the image upright, by its EXIF orientation."""
    try:
        return _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - damaged EXIF data around sound pixels
        return None


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """The image as RGB, or as RGBA where it has transparency."""
    if image.mode == "F" or image.mode.startswith("I"):
        values = np.asarray(image)
        if image.format == "PPM" and image.mode == "I":  # 16 bits, in Pillow as 32
            values = values.astype(np.uint16)
        return Image.fromarray(_scale(values)).convert("RGB")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _scale(values: np.ndarray) -> np.ndarray:
    """Grey values of more than 8 bits as uint8.

    16-bit files say what white is: 65535. 32-bit files do not, so white is the
    smallest of 1 (for floats), 255 and 65535 that holds all values; values beyond
    those, or below 0, are stretched from the image's darkest to its brightest.
    """
    if values.dtype.itemsize == 2:
        return np.asarray(values >> 8, np.uint8)
    count = min(len(values), -(-values.size // _AT_ONCE))
    parts = np.array_split(values, count)  # of rows
    low = min(_finite(part).min() for part in parts)
    high = max(_finite(part).max() for part in parts)
    whites = (1, 255, 65535) if values.dtype.kind == "f" else (255, 65535)
    white = next((white for white in whites if high <= white), None)
    if low >= 0 and white is not None:
        low, high = 0.0, float(white)
    factor = 255 / max(high - low, 1e-12)
    return np.concatenate(
        [np.rint((_finite(part) - low) * factor).astype(np.uint8) for part in parts]
    )


def _finite(values: np.ndarray) -> np.ndarray:
    floats = values.astype(np.float64)
    floats[~np.isfinite(floats)] = 0
    return floats


def reason(error: Exception) -> str:
    """Why a file could not be read, in one line, without its path."""
    said = "; ".join(heard(error))[:_LONGEST]
    if isinstance(error, UnidentifiedImageError):
        text = "not an image, or a damaged one"
    else:
        text = getattr(error, "strerror", None) or " ".join(str(error).split())
        text = str(text) or type(error).__name__
    return f"{text}: {said}" if said else text
