"""What the environment of the App's server, or of a worker, lets operators run.

FiftyOne has no login, and a foreign web page can send a request to an App that runs on
the same machine. So nothing in a request decides which code runs here: these variables
do. SECURITY.md documents them.
"""

from __future__ import annotations

import os
from pathlib import Path

from fiftyone_dfaulo.errors import InputError

MODELS = "DFAULO_TRUSTED_MODELS"
"""Variable: folders whose model files may hold code, as in PATH."""

FACTORIES = "DFAULO_FACTORIES"
"""Variable: names of functions that may build networks, separated by commas."""

_TORCHVISION = "torchvision.models:"


def is_trusted(path: str) -> bool:
    """Whether a model's file lies in a folder whose files may run; links are followed.

    Args:
        path: of the file, which need not exist.
    """
    try:
        file = Path(path).expanduser().resolve()
        folders = [
            Path(folder).expanduser().resolve()
            for folder in os.environ.get(MODELS, "").split(os.pathsep)
            if folder.strip()
        ]
    except (OSError, RuntimeError, ValueError):  # a check of the path says what it is
        return False
    return any(folder in file.parents for folder in folders)


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
