"""Tells FiftyOne about the plugin of the installed package.

FiftyOne finds plugins by their manifest in its plugins folder. ``register`` writes the
manifest there, entries that hand over to the installed package, and the script that the
browser loads. No Python is copied, so upgrading the package upgrades the plugin; a
manifest that has become old is reported when the plugin loads, and replaced by
``register``.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from fiftyone_dfaulo._version import __version__

PLUGIN = "@dfaulo/dfaulo"

MANIFEST = "fiftyone.yml"

ENTRY = "fiftyone_dfaulo/__init__.py"
"""The manifest's ``py_entry``; ours and a downloaded copy's differ in what it says."""

SCRIPT = "fiftyone_dfaulo/keys.js"
"""The manifest's ``js_bundle``."""

SKILLS = "skills"
"""The folder of the skills, which assistants read."""

OLD_ENTRY = "__init__.py"
"""What FiftyOnes enter that know no ``py_entry``; it says the same."""

MARK = '"""Written by `fiftyone-dfaulo register`'
"""How the entries that this command writes begin, in every version."""

ENTRY_TEXT = f'''\
{MARK}: the plugin is the installed package."""

from fiftyone_dfaulo import register as register
'''


class RegistrationError(Exception):
    """The plugins folder holds something that this command must not touch."""


class State(NamedTuple):
    """What FiftyOne's plugins folder holds of this plugin."""

    folder: Path  # where register writes
    ours: bool  # it holds what register wrote
    current: bool  # and that belongs to this version
    others: list[Path]  # folders of the same plugin that register did not write
    disabled: bool  # the user has switched the plugin off


def look() -> State:
    """Looks into FiftyOne's plugins folder."""
    import fiftyone as fo
    import fiftyone.plugins as fop

    root = Path(fo.config.plugins_dir)
    folder = root.joinpath(*PLUGIN.split("/"))
    entry = _read(folder / ENTRY)
    ours = entry.startswith(MARK)
    found = fop.list_plugins(enabled="all", builtin=False, shadowed="all")
    folders = {Path(plugin.directory) for plugin in found if plugin.name == PLUGIN}
    if folder.is_dir() and any(folder.iterdir()):
        folders.add(folder)
    return State(
        folder=folder,
        ours=ours,
        current=entry == ENTRY_TEXT
        and _read(folder / SCRIPT) == _read(_script())
        and _copied(folder) == _copied(_source()),
        others=sorted(folders - ({folder} if ours else set())),
        disabled=PLUGIN in fop.list_disabled_plugins(),
    )


def register() -> str:
    """Makes FiftyOne load the plugin from the installed package.

    Doing it again does no harm, and is needed after an upgrade that adds operators.

    Returns:
        what was done, in words.

    Raises:
        RegistrationError: if the plugin is there in another way.
    """
    state = look()
    if state.others:
        raise RegistrationError(
            f"{state.others[0]} is there already, and this command did not write it. "
            "If it is a downloaded copy of the plugin: that works, and runs the "
            f"installed package. To replace it, run `fiftyone plugins delete {PLUGIN}` "
            "first"
        )
    (state.folder / ENTRY).parent.mkdir(parents=True, exist_ok=True)
    for entry in (ENTRY, OLD_ENTRY):
        (state.folder / entry).write_text(ENTRY_TEXT, encoding="utf-8")
    shutil.copyfile(_script(), state.folder / SCRIPT)
    shutil.copyfile(_source() / MANIFEST, state.folder / MANIFEST)
    shutil.rmtree(state.folder / SKILLS, ignore_errors=True)
    shutil.copytree(_source() / SKILLS, state.folder / SKILLS)
    return f"Registered {PLUGIN} {__version__} in {state.folder}{_switched_off(look())}"


def unregister() -> str:
    """Takes back what :func:`register` did.

    Returns:
        what was done, in words.

    Raises:
        RegistrationError: if the plugin is there, but not from this command.
    """
    state = look()
    if state.ours:
        shutil.rmtree((state.folder / ENTRY).parent)
        shutil.rmtree(state.folder / SKILLS, ignore_errors=True)
        for name in (MANIFEST, OLD_ENTRY):
            (state.folder / name).unlink(missing_ok=True)
        for folder in (state.folder, state.folder.parent):
            if not any(folder.iterdir()):
                folder.rmdir()
        return f"Removed {PLUGIN} from {state.folder}"
    if state.others:
        raise RegistrationError(
            f"{state.others[0]} was not written by this command; to remove a "
            f"downloaded copy, run `fiftyone plugins delete {PLUGIN}`"
        )
    return f"{PLUGIN} is not registered"


def status() -> str:
    """How FiftyOne finds the plugin, in words."""
    state = look()
    if state.others:
        return f"{PLUGIN} is a copy in {state.others[0]}{_switched_off(state)}"
    if not state.ours:
        return f"{PLUGIN} is not registered; run `fiftyone-dfaulo register`"
    if not state.current:
        return (
            f"{PLUGIN} is registered in {state.folder}, but by another version than "
            f"{__version__}; run `fiftyone-dfaulo register` again"
        )
    where = f"{state.folder}{_switched_off(state)}"
    return f"{PLUGIN} {__version__} is registered in {where}"


def _switched_off(state: State) -> str:
    if not state.disabled:
        return ""
    return f"; it is switched off: run `fiftyone plugins enable {PLUGIN}`"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _copied(folder: Path) -> dict[Path, str]:
    """What ``register`` copies from a folder, and where to."""
    files = [folder / MANIFEST, *sorted((folder / SKILLS).rglob("*.md"))]
    return {file.relative_to(folder): _read(file) for file in files}


def _script() -> Path:
    """The script that the browser loads."""
    return Path(__file__).resolve().parents[1] / Path(SCRIPT).name


def _source() -> Path:
    """Where manifest and skills are: in an installed package, or beside it."""
    package = Path(__file__).resolve().parents[1]
    return package if (package / MANIFEST).exists() else package.parent
