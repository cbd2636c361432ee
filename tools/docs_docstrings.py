"""Makes Markdown of docstrings, for the page of the API: see ``mkdocs.yml``.

The docstrings are reStructuredText, as FiftyOne's are. Of it they use cross-references,
simple tables and the bodies that ``::`` begins.
"""

from __future__ import annotations

import re

import griffe

_ROLE = re.compile(r":\w+:`~?\.*([\w.]+)`")
_RULE = re.compile(r"=+(\s+=+)+")


class MarkdownDocstrings(griffe.Extension):
    """Converts the docstrings of all that is loaded."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Converts one docstring."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(docstring: str) -> str:
    """The docstring with Markdown in place of reStructuredText."""
    text = _ROLE.sub(lambda found: f"`{found[1].rsplit('.', 1)[-1]}`", docstring)
    text = re.sub(r"^::\n", "\n", text, flags=re.MULTILINE)
    return _with_tables(re.sub(r"(?<=\w)::\n", ":\n", text))


def _with_tables(text: str) -> str:
    """The text with tables of pipes in place of those between lines of ``===``."""
    lines: list[str] = []
    starts: list[int] = []  # of the columns, while inside a table
    for line in text.splitlines():
        if _RULE.fullmatch(line.strip()):
            if starts:
                starts = []
            else:
                starts = [found.start() for found in re.finditer(r"=+", line)]
                lines += ["| name | what |", "|---|---|"]
        elif starts:
            first, second = line[: starts[1]].strip(), line[starts[1] :].strip()
            if first:
                lines.append(f"| {first} | {second} |")
            else:  # the line before goes on
                lines[-1] = f"{lines[-1][:-2]} {second} |"
        else:
            lines.append(line)
    return "\n".join(lines)
