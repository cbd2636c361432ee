"""How many pixels are decoded at once, however many threads decode."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from PIL import Image

_USUAL = 89_478_485
"""Pillow's own ``MAX_IMAGE_PIXELS``, where it was set to None."""


_MANY = 8  # threads that decode, at most, unless a user asks for more


class Pixels:
    """Pixels that are in memory at once: at most as many as one image may have.

    Pillow refuses an image of more than twice ``MAX_IMAGE_PIXELS``, which few bytes can
    ask for. So any number of threads needs no more memory than one may need anyway.
    """

    def __init__(self) -> None:
        self._held = 0
        self._change = threading.Condition()

    @contextmanager
    def take(self, size: tuple[int, int]) -> Iterator[None]:
        """Waits until there is room for an image of this width and height.

        Who holds one must not wait for another.
        """
        pixels = size[0] * size[1]
        large = _MANY * pixels > _most()
        with self._change:
            self._change.wait_for(lambda: self._fits(pixels))
            self._held += pixels
        try:
            yield
        finally:
            if large:
                _trim()(0)
            with self._change:
                self._held -= pixels
                self._change.notify_all()

    def _fits(self, pixels: int) -> bool:
        return not self._held or self._held + pixels <= _most()


def _most() -> int:
    return 2 * (Image.MAX_IMAGE_PIXELS or _USUAL)


@cache
def _trim() -> Callable[[int], object]:
    """What has the C library return freed memory to the system.

    That of GNU keeps what a thread has freed for the same thread, image after image.
    """
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return lambda _: None
    return trim


AT_ONCE = Pixels()
"""Those of this process."""
