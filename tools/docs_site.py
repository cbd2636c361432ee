"""What MkDocs does to the pages in docs/ beside building them: see ``mkdocs.yml``.

1. Formulas become MathML, which browsers show without scripts. They are written as
   GitHub shows them, too: ``$$`` around a block, ``$`...`$`` within a sentence.
2. A figure and its spread, as ".95 ± .01", stay on one line.
3. Notebooks become pages. They are shown as they were saved, not run.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_BLOCK = re.compile(r"^\$\$\n(.+?)\n\$\$$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"\$`([^`]+)`\$")
_SPREAD = re.compile(r"(?<=\d) ± (?=[.\d])")
_TO_NOTEBOOK = re.compile(r"(\]\([^)\s]+)\.ipynb(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for each notebook."""
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            text = Path(str(file.abs_src_path)).read_text(encoding="utf-8")
            name = file.src_uri.replace(".ipynb", ".md")
            files.append(File.generated(config, name, content=as_markdown(text)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Turns formulas into MathML, and leads links to notebooks to their pages."""
    markdown = _SPREAD.sub("\u00a0±\u00a0", markdown)
    markdown = _BLOCK.sub(lambda found: convert(found[1], display="block"), markdown)
    markdown = _INLINE.sub(lambda found: convert(found[1]), markdown)
    return _TO_NOTEBOOK.sub(r"\1.md", markdown)


def as_markdown(notebook: str) -> str:
    """The cells of a notebook and what they have shown.

    Args:
        notebook: the text of its file.
    """
    parts = []
    for cell in json.loads(notebook)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            parts.append(f"```python\n{source}\n```")
            parts.extend(map(_shown, cell["outputs"]))
        else:
            parts.append(source)
    return "\n\n".join(parts)


def _shown(output: dict[str, Any]) -> str:
    """What a cell has shown: a picture, or text."""
    data = output.get("data", {})
    if "image/png" in data:
        png = "".join(data["image/png"]).replace("\n", "")
        return (
            f'<img alt="What the cell above shows" src="data:image/png;base64,{png}">'
        )
    text = "".join(data.get("text/plain", output.get("text", "")))
    return f"```text\n{text.rstrip()}\n```"
