"""What Pillow and libtiff print about odd files: kept as reasons, not printed.

Pillow warns through Python's warnings and logs, libtiff writes to the process's stderr.
Each is caught in the thread that decodes, and only while it does; what others warn of
meanwhile goes where it always went.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import PIL

_HEARD = "_dfaulo_heard"
_LONGEST = 500  # bytes of a message by libtiff; its own are far shorter


class _Local(threading.local):
    """What was said in this thread; None while nobody listens."""

    messages: list[str] | None = None


_local = _Local()
_lock = threading.Lock()
_open = 0
_restore: list[Callable[[], object]] = []


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps what Pillow and libtiff print in this thread; an error gets it along."""
    if _local.messages is not None:  # nested
        yield
        return
    _local.messages = []
    _listen()
    try:
        yield
    except Exception as error:
        setattr(error, _HEARD, _local.messages)
        raise
    finally:
        _local.messages = None
        _unlisten()


def heard(error: Exception) -> list[str]:
    """What was said before an error that left :func:`quiet`, each once."""
    return list(dict.fromkeys(getattr(error, _HEARD, ())))


def _say(message: str) -> bool:
    """Keeps a message if this thread is to be quiet."""
    if _local.messages is None:
        return False
    _local.messages.append(" ".join(message.split()))
    return True


def _listen() -> None:
    global _open
    with _lock:
        _open += 1
        if _open == 1:
            _restore.extend((_catch_warnings(), _catch_libtiff()))


def _unlisten() -> None:
    global _open
    with _lock:
        _open -= 1
        if not _open:
            while _restore:
                _restore.pop()()


def _catch_warnings() -> Callable[[], object]:
    """Has Pillow's warnings come here; returns what undoes it.

    ``warnings.catch_warnings`` would do the same to all threads, and two that overlap
    would leave each other's state behind.
    """
    before = warnings.showwarning

    def show(message: Any, *args: Any, **kwargs: Any) -> None:
        if not _say(str(message)):
            before(message, *args, **kwargs)

    warnings.filterwarnings("always", module=r"PIL\.")
    added = warnings.filters[0]
    warnings.showwarning = show

    def undo() -> None:
        if warnings.showwarning is show:
            warnings.showwarning = before
        if added in warnings.filters:
            warnings.filters.remove(added)  # type: ignore[attr-defined]

    return undo


class _Filter(logging.Filter):
    """Drops what Pillow logs in a thread that is to be quiet."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno < logging.WARNING or not _say(record.getMessage())


logging.getLogger("PIL.TiffImagePlugin").addFilter(_Filter())


_HANDLER = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p
)  # module, format, va_list


@cache
def _libtiff() -> ctypes.CDLL | None:
    """The libtiff that Pillow uses; None where it cannot be reached."""
    folder = Path(PIL.__file__).parent
    bundled = [
        *folder.parent.glob("[pP]illow.libs/libtiff*"),
        *folder.glob(".dylibs/libtiff*"),
    ]
    name = str(bundled[0]) if bundled else ctypes.util.find_library("tiff")
    try:
        library = ctypes.CDLL(name) if name else None
        if library is not None:
            for part in ("Error", "Warning"):
                setter = getattr(library, f"TIFFSet{part}Handler")
                setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
            ctypes.CDLL(None).vsnprintf.restype = ctypes.c_int
        return library
    except (OSError, AttributeError, TypeError):
        return None


def _printed(module: bytes | None, form: bytes, values: int | None) -> str:
    buffer = ctypes.create_string_buffer(_LONGEST)
    ctypes.CDLL(None).vsnprintf(
        buffer, ctypes.c_size_t(_LONGEST), form, ctypes.c_void_p(values)
    )
    text = buffer.value.decode(errors="replace")
    # Pillow calls every file the same
    known = module and module != b"tempfile.tif"
    return f"{module.decode(errors='replace')}: {text}" if known and module else text


def _catch_libtiff() -> Callable[[], object]:
    """Has libtiff's messages come here; returns what undoes it."""
    undo = [_catch(setter, handler) for setter, handler in _handlers()]
    return lambda: [one() for one in undo]


@cache
def _handlers() -> list[tuple[Any, _Handler]]:
    """What sets libtiff's two handlers, and ours; kept, as libtiff may be in one."""
    library = _libtiff()
    if library is None:
        return []
    return [
        (library.TIFFSetErrorHandler, _Handler()),
        (library.TIFFSetWarningHandler, _Handler()),
    ]


class _Handler:
    """A handler of libtiff's; outside of :func:`quiet` it calls the one before."""

    def __init__(self) -> None:
        self.before: int | None = None
        self.function = _HANDLER(self._handle)

    def _handle(self, module: bytes | None, form: bytes, values: int | None) -> None:
        if _local.messages is not None:
            _say(_printed(module, form, values))
        elif self.before:
            _HANDLER(self.before)(module, form, values)


def _catch(setter: Any, handler: _Handler) -> Callable[[], object]:
    handler.before = setter(ctypes.cast(handler.function, ctypes.c_void_p))
    return lambda: setter(handler.before)
