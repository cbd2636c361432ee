"""What a model's file holds, by its bytes, before anything is loaded.

Nothing here imports torch or unpickles, so that a form may check a path as it is typed.
"""

from __future__ import annotations

import io
import pickletools
import re
import stat
import struct
import zipfile
from pathlib import Path

from fiftyone_dfaulo.errors import InputError

TORCHSCRIPT, EXPORT, WEIGHTS, SAFETENSORS = (
    "TorchScript archive",
    "torch.export archive",
    "state dict or pickle",
    "safetensors file",
)
"""The kinds of file that a model is loaded from."""

PROGRAMS = (TORCHSCRIPT, EXPORT)
"""Those that hold code; a pickle may hold some, too."""

SAFE = (
    "save the weights alone instead, by torch.save(model.state_dict(), 'model.pt') or "
    "as safetensors, and pass factory='package.module:function' that builds the "
    "network. If you made the file yourself, pass trust_model_file=True from Python, "
    "or put it into a folder that the App's server trusts (see SECURITY.md)"
)
"""What to do rather than run a program from a file."""

_ROOM = 2**24  # bytes that an archive may unpack to, however small it is
_RATIO = (
    20  # a larger one may unpack to so many times its size; weights are not compressed
)
_ENTRIES = 200_000
_PICKLES = 4  # before the tensors in torch's older files
_HEADER = 2**27  # bytes of JSON in front of safetensors

_HARMLESS = re.compile(
    r"collections OrderedDict|torch _utils|torch\._utils \w+|torch \w*Storage|"
    r"torch \w+|torch\.nn\.parameter Parameter|torch\.storage \w+|"
    r"torch\.serialization _get_layout|numpy \w+|_codecs encode|"
    r"numpy\.(_)?core\.multiarray (scalar|_reconstruct)"
)
"""Globals that pickles of tensors name, as ``pickletools`` prints them."""


def identify(path: str) -> str:
    """The kind of a model's file: one of the four constants above.

    Raises:
        InputError: if there is no such file, it is none of these, it is damaged, or it
            unpacks to far more than its size (a zip bomb).
    """
    file = Path(path).expanduser()
    _check_file(file, path)
    with file.open("rb") as stream:
        start = stream.read(9)
    if start[:4] == b"PK\x03\x04":
        return _identify_zip(file, path)
    if _starts_safetensors(start, file.stat().st_size):
        return SAFETENSORS
    if start[:1] == b"\x80":
        return WEIGHTS
    raise InputError(
        f"model={path!r} is no archive that a model can be loaded from: it starts with "
        f"{start[:8]!r}. Expected TorchScript, torch.export (.pt2), safetensors, or a "
        "state dict of torch.save"
    )


def check_file(path: str, factory: str | None, *, trusted: bool = False) -> str:
    """:func:`identify`, and all other checks that need no loading.

    Args:
        path: the file.
        factory: as :func:`.loading.load_model` takes it.
        trusted: whether code in the file may run.

    Raises:
        InputError: as of :func:`identify`; or if the file holds a program and is not
            trusted; or if it holds weights and there is no factory, or a network and
            there is one.
    """
    kind = identify(path)
    if trusted and kind == WEIGHTS:
        return kind  # it may hold a network, which needs no factory
    if kind in PROGRAMS and not trusted:
        raise program(path, kind)
    if kind == WEIGHTS:
        strange = pickled_globals(path)
        if strange:
            raise pickled(path, f"it names {', '.join(strange[:3])}")
        check_zipped(path)
    check_factory(path, kind, factory)
    return kind


def check_factory(path: str, kind: str, factory: str | None) -> None:
    """Makes sure that a factory is given where one is needed, and only there."""
    if kind in (WEIGHTS, SAFETENSORS) and factory is None:
        raise InputError(
            f"model={path!r} holds weights but not the network they belong to; pass "
            "factory='package.module:function' as well, which builds that network"
        )
    if kind in (TORCHSCRIPT, EXPORT) and factory is not None:
        raise InputError(
            f"model={path!r} is a {kind}, which holds its network; leave out "
            f"factory={factory!r}"
        )


def check_zipped(path: str) -> None:
    """Makes sure that weights are in the format that torch saves since 1.6."""
    if not zipfile.is_zipfile(Path(path).expanduser()):
        raise InputError(
            f"model={path!r} is in a format from before torch 1.6, or a bare pickle; "
            f"load it and {SAFE}"
        )


def pickled(path: str, why: str) -> InputError:
    """The error for a file that is a pickled object."""
    return InputError(
        f"model={path!r} is a pickled object ({why}), and unpickling runs any code "
        f"that is in it; {SAFE}"
    )


def program(path: str, kind: str) -> InputError:
    """The error for a file whose network is code."""
    return InputError(
        f"model={path!r} is a {kind}, which is a program: loading or running it may do "
        f"anything; {SAFE}"
    )


def pickled_globals(path: str) -> list[str]:
    """What the file's pickle names beside tensors; it is read, never executed.

    This serves error messages alone. Torch's restricted unpickler decides whether a
    file is unpickled.
    """
    file = Path(path).expanduser()
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
                name = next(n for n in names if n.endswith("/data.pkl"))
                data = archive.read(name)
        else:
            with file.open("rb") as stream:
                data = stream.read(2**20)
        return _globals(data)
    except Exception:  # noqa: BLE001 - loading reports what is wrong with it
        return []


def _globals(data: bytes) -> list[str]:
    """In the order of their appearance; torch's older files are several pickles."""
    named: dict[str, None] = {}
    stream = io.BytesIO(data)
    for _ in range(_PICKLES):
        for code, argument, _ in pickletools.genops(stream):
            if code.name == "GLOBAL" and not _HARMLESS.fullmatch(str(argument)):
                named[str(argument).replace(" ", ".")] = None
        if named or stream.tell() >= len(data):
            break
    return list(named)


def _check_file(file: Path, path: str) -> None:
    try:
        status = file.stat()
    except OSError as error:
        raise InputError(
            f"model={path!r} cannot be opened ({error.strerror or error}); pass the "
            "path of a model's file"
        ) from None
    except ValueError as error:  # a zero byte in the name
        raise InputError(f"model={path!r} is no path ({error})") from None
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"model={path!r} is no file; pass the path of a model's file")
    if not status.st_size:
        raise InputError(f"model={path!r} is empty; save the model again")


def _starts_safetensors(start: bytes, size: int) -> bool:
    if len(start) < 9 or start[8:9] != b"{":
        return False
    (length,) = struct.unpack("<Q", start[:8])
    return length <= min(_HEADER, size - 8)


def _identify_zip(file: Path, path: str) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(
            f"model={path!r} is a damaged archive ({error}); save or copy it again"
        ) from None
    _check_bomb(path, file.stat().st_size, entries)
    names = [entry.filename for entry in entries]
    parts = [name.partition("/")[2] for name in names]
    if "constants.pkl" in parts and any(part.startswith("code/") for part in parts):
        return TORCHSCRIPT
    if "serialized_exported_program.json" in names or any(
        part.startswith("models/") and part.endswith(".json") for part in parts
    ):
        return EXPORT
    if "data.pkl" in parts:
        return WEIGHTS
    raise InputError(
        f"model={path!r} is a zip archive, but none of torch's: it holds "
        f"{', '.join(map(repr, names[:3])) or 'nothing'}. Expected TorchScript, "
        "torch.export (.pt2) or torch.save"
    )


def _check_bomb(path: str, size: int, entries: list[zipfile.ZipInfo]) -> None:
    """Refuses archives that unpack to far more than their size, or overlap."""
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    names = {entry.filename for entry in entries}
    if unpacked > max(_ROOM, _RATIO * size):
        problem = f"its {size} bytes unpack to {unpacked}, as in a zip bomb"
    elif packed > size:
        problem = "its entries overlap, as in a zip bomb"
    elif len(entries) > _ENTRIES or len(names) < len(entries):
        problem = f"its {len(entries)} entries have {len(names)} names"
    else:
        return
    raise InputError(
        f"model={path!r} is no sound archive: {problem}. Nothing of it was loaded; "
        "save the model again"
    )
