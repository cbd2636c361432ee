"""What the environment of the App's server, or of a worker, lets operators run.

FiftyOne has no login, and a foreign web page can send a request to an App that runs on
the same machine. So nothing in a request decides which code runs here: these variables
do. SECURITY.md documents them.
"""

from __future__ import annotations

import os
from pathlib import Path

import fiftyone as fo

from fiftyone_dfaulo.adapter.host import Dataset
from fiftyone_dfaulo.errors import InputError

MODELS = "DFAULO_TRUSTED_MODELS"
"""Variable: folders whose model files may hold code, as in PATH."""

FACTORIES = "DFAULO_FACTORIES"
"""Variable: names of functions that may build networks, separated by commas."""

EXPORTS = "DFAULO_EXPORTS"
"""Variable: folders that files may be exported to, as in PATH."""

_TORCHVISION = "torchvision.models:"


def is_trusted(path: str) -> bool:
    """Whether a model's file lies in a folder whose files may run; links are followed.

    Args:
        path: of the file, which need not exist.
    """
    return _lies_in(path, _folders(MODELS))


def export_folder() -> Path:
    """Where files go whose path is relative; never the folder of the App's server."""
    folder = Path(fo.config.default_dataset_dir).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def check_export(path: str) -> None:
    """Makes sure that an operator may write a file there; links are followed.

    Args:
        path: of the file; a relative one is in :func:`export_folder`.

    Raises:
        InputError: if it is neither in that folder nor in one that the environment
            names.
    """
    folders = [export_folder(), *_folders(EXPORTS)]
    if not _lies_in(path, folders, base=folders[0]):
        raise InputError(
            f"path={path!r} is outside the folders that operators may write to: "
            f"{', '.join(map(str, folders))}. Pass a path in one of them, or name its "
            f"folder in {EXPORTS} in the server's environment; export_review() in "
            "Python writes anywhere"
        )


def _folders(variable: str) -> list[Path]:
    """The folders that a variable of the environment names."""
    named = os.environ.get(variable, "").split(os.pathsep)
    return [Path(folder).expanduser() for folder in named if folder.strip()]


def _lies_in(path: str, folders: list[Path], base: Path | None = None) -> bool:
    try:
        file = ((base or Path.cwd()) / Path(path).expanduser()).resolve()
        return any(folder.resolve() in file.parents for folder in folders)
    except (OSError, RuntimeError, ValueError):  # it is no path
        return False


def confirmation(dataset: Dataset, word: str) -> str:
    """The name of a form's checkbox that a foreign web page cannot know.

    It has the dataset's random id in it: such a page can send a request, but not read
    the form.

    Args:
        dataset: the dataset.
        word: what is said yes to.
    """
    return f"{word}_{dataset._doc.id}"


def check_factory(factory: object) -> None:
    """Makes sure that an operator may call a factory; imports nothing of it.

    Args:
        factory: ``"package.module:function"``, or None.

    Raises:
        InputError: if it is neither one of torchvision's builders of classification
            networks nor named by the environment.
    """
    if factory is None:
        return
    named = [name.strip() for name in os.environ.get(FACTORIES, "").split(",")]
    if isinstance(factory, str) and factory:
        if factory in named:
            return
        if factory.startswith(_TORCHVISION):
            from fiftyone_dfaulo.engine.models.pretrained import architectures

            if factory.removeprefix(_TORCHVISION) in architectures():
                return
    raise InputError(
        f"factory={factory!r} is a function that operators may not call; expected a "
        "network of torchvision, such as 'torchvision.models:resnet18', or one that "
        f"the server's environment names in {FACTORIES}. From Python, "
        "compute_suspiciousness() takes any"
    )


def check_cluster(cluster: object) -> None:
    """Makes sure that it is no address: who answers there could run code here.

    Args:
        cluster: None, empty, ``"here"`` or ``"auto"``: the cluster that the environment
            names in RAY_ADDRESS, or one of this machine.

    Raises:
        InputError: if it is anything else.
    """
    if cluster not in (None, "", "here", "auto"):
        raise InputError(
            f"cluster={cluster!r}: operators take 'auto', which is the Ray cluster "
            "that RAY_ADDRESS names in the environment of the server or worker, or "
            "else one of its machine; compute_suspiciousness() in Python takes any "
            "address"
        )


def overwrite_name(dataset: Dataset, key: object) -> str:
    """The form's parameter that says yes to replacing a run and its review.

    It has the run's random token in its name, so that a foreign web page, which can
    send a request but not read the form, cannot say yes.

    Args:
        dataset: the dataset.
        key: of the run; there may be none.
    """
    runs = dataset.list_brain_runs()
    config = dataset.get_brain_info(key).config if key in runs else None
    return f"overwrite_{getattr(config, 'token', None)}"
