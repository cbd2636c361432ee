"""Files that the user asked for: whole, or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from fiftyone_dfaulo.errors import InputError


def check_target(path: str | os.PathLike[str], *endings: str) -> Path:
    """The file that a path names; a leading ``~`` is the user's own folder.

    Raises:
        InputError: if it is no path, ends in none of the endings, or lies in no folder.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"path={path!r} is no path; expected one to a file")
    target = Path(path).expanduser()
    if target.suffix.lower() not in endings:
        raise InputError(f"path={str(path)!r} does not end in {' or '.join(endings)}")
    if not target.parent.is_dir():
        raise InputError(f"path={str(path)!r}: folder {target.parent} does not exist")
    return target


def replace_file(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a file, which takes the place of one of that name once all is written.

    Raises:
        InputError: if it cannot be written; what was there stays.
    """
    name = None
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with open(handle, "wb") as file:
            write(file)
        os.chmod(name, 0o644)  # as any new file, not a temporary one's
        os.replace(name, target)
    except BaseException as error:
        if name is not None:
            Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(
                f"path={str(target)!r} cannot be written: {error}"
            ) from error
        raise
