"""Files that the user asked for: whole, or not there."""

from __future__ import annotations

import glob
import os
import re
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from fiftyone_dfaulo.adapter.storage.lease import holding, is_held
from fiftyone_dfaulo.errors import InputError


def check_target(
    path: str | os.PathLike[str],
    *endings: str,
    overwrite: bool = False,
    folder: Path | None = None,
) -> Path:
    """The file that a path names, in full; a leading ``~`` is the user's own folder.

    Args:
        path: the path.
        *endings: those that the file's name may have.
        overwrite: whether a file of that name may be replaced.
        folder: what a relative path is in; None is the current folder.

    Raises:
        InputError: if it is no path, ends in none of the endings, or lies in no folder;
            or if something of that name exists that may not be replaced.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"path={path!r} is no path; expected one to a file")
    if Path(path).suffix.lower() not in endings:
        raise InputError(f"path={str(path)!r} does not end in {' or '.join(endings)}")
    try:
        target = (folder or Path.cwd()) / Path(path).expanduser()
        there = target.parent.is_dir()
        _check_taken(target, overwrite)
    except InputError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # too long, no such user, NUL
        raise InputError(f"path={str(path)[:200]!r} cannot be used: {error}") from None
    if not there:
        raise InputError(f"path={str(path)!r}: folder {target.parent} does not exist")
    return target


def _check_taken(target: Path, overwrite: bool) -> None:
    """Refuses what must not be replaced: a link's target may be anything."""
    try:
        mode = target.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISLNK(mode) or not stat.S_ISREG(mode):
        what = "a link" if stat.S_ISLNK(mode) else "no regular file"
        raise InputError(f"path={str(target)!r} is {what}; pass another path")
    if not overwrite:
        raise InputError(
            f"path={str(target)!r} exists; pass another path, or overwrite=True to "
            "replace the file"
        )


def replace_file(
    target: Path, write: Callable[[BinaryIO], object], *, overwrite: bool = False
) -> None:
    """Writes a file, which has its name once all is written.

    Args:
        target: a file that :func:`check_target` accepts.
        write: writes it.
        overwrite: whether a file of that name is replaced.

    Raises:
        InputError: if it cannot be written; what was there stays.
    """
    # made as any new file is, with the permissions that the umask leaves
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with holding(str(temporary)):
            _sweep(target)
            with open(temporary, "xb") as file:
                write(file)
            _check_taken(target, overwrite)  # another process may have written it
            os.replace(temporary, target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(
                f"path={str(target)!r} cannot be written: {error}"
            ) from error
        raise


def _sweep(target: Path) -> None:
    """Deletes what processes have left that died while they wrote this file."""
    for piece in target.parent.glob(f".{glob.escape(target.name)}.*"):
        ours = re.fullmatch(r"\.[0-9a-f]{16}", piece.suffix)
        if ours and not is_held(str(piece)):
            piece.unlink(missing_ok=True)
