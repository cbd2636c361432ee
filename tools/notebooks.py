"""Runs the notebooks of the documentation, and keeps what they show.

    make notebooks

Tests run their cells too, and keep nothing.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "docs" / "notebooks"
PATIENCE = 300  # seconds for a cell


def run(path: Path, folder: Path) -> Any:
    """The notebook, run from top to bottom in a new kernel.

    Args:
        path: the notebook; the file is only read.
        folder: where it runs and writes files.

    Raises:
        CellExecutionError: if a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=PATIENCE, resources=where).execute()
    return notebook


def tidy(notebook: Any) -> str:
    """The text of a notebook without what differs from run to run."""
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
            for shown in cell.outputs:
                if "image/png" in shown.get("data", {}):  # once is enough
                    shown.data = {"image/png": shown.data["image/png"]}
    language = {"name": "python"}
    notebook.metadata = {"language_info": language, "kernelspec": _KERNEL}
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def main() -> None:
    """Runs all and writes them back."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            path.write_text(tidy(run(path, Path(folder))), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
