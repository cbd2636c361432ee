"""How easy texts are to read: Flesch's reading ease, of Markdown files.

    python tools/readability.py FILE ...

    206.835 - 1.015 * words / sentences - 84.6 * syllables / words

100 is very easy, 60 plain English, 30 a law (Flesch, "A new readability yardstick",
Journal of Applied Psychology, 1948). Prose alone counts: headings, tables, code and
addresses are left out. A name in code within a sentence counts as one word of two
syllables. Syllables are counted by rule, so that the figure is good to a few points.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

LEAST = 55.0
"""What the README and the guides have to reach."""

_LEFT_OUT = (
    r"\A---\n.*?\n---\n",
    r"<!--.*?-->",
    r"```.*?```",
    r"\$\$.*?\$\$",
    r"<(svg|figure)\b.*?</\1>",
)
_NO_PROSE = r"^(    | *(\||#|!\[|:::|!!!|--8<--)).*$"
_CODE = "itself"  # two syllables
_TWO_VOWELS = r"i[ae](?!l)|io(?!n|us)|[^q]u[ae]|eo(?!p)|uou|eat[ei]"
"""Neighbours that are spoken apart, as in "idea", "quiet" and "created"."""


def prose(markdown: str) -> str:
    """The sentences of a page."""
    for pattern in _LEFT_OUT:
        markdown = re.sub(pattern, "\n\n", markdown, flags=re.DOTALL)
    text = re.sub(_NO_PROSE, "\n", markdown, flags=re.MULTILINE)
    text = re.sub(r"^\s*([-*>]|\d+\.)\s", "\n\n", text, flags=re.MULTILINE)
    text = re.sub(r"\$`?[^$\n]+`?\$|`[^`]+`", _CODE, text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"https?://\S+", _CODE, text)


def words(text: str) -> list[str]:
    """The words of a text, numbers left out."""
    return re.findall(r"[A-Za-z]+(?:'[a-z]+)?", text)


def sentences(text: str) -> list[str]:
    """The sentences of a text; a paragraph or an item of a list ends one."""
    parts = re.split(r"(?<=[.!?])[\"')*]*\s+|\n\s*\n", text)
    return [part for part in parts if words(part)]


def syllables(word: str) -> int:
    """How many syllables an English word has, by rule."""
    plain = re.sub(r"'.*", "", word.lower())
    count = len(re.findall(r"[aeiouy]+", plain))
    if re.search(r"[^aeiouy](e|ed|es)$", plain) and not re.search(
        r"([td]ed|[^aeiouy]le|[sxz]es|[cs]hes|[cg]es)$", plain
    ):
        count -= 1  # the silent e: "make", "ranked", "files"
    count += len(
        re.findall(r"i[ae](?![l ])|io(?!n|us)|[^q]u[ae]|eo(?!p)|uou|eat(e|i)", plain)
    )
    return max(count, 1)


def reading_ease(markdown: str) -> float:
    """Flesch's reading ease of the prose of a page, which must have some."""
    text = prose(markdown)
    found = words(text)
    total = sum(map(syllables, found))
    return (
        206.835 - 1.015 * len(found) / len(sentences(text)) - 84.6 * total / len(found)
    )


def main(names: Sequence[str]) -> None:
    """Prints the figure of each file, and its number of words."""
    for name in names:
        page = Path(name).read_text(encoding="utf-8")
        count = len(words(prose(page)))
        ease = f"{reading_ease(page):5.1f}" if count else "  -  "
        print(f"{ease}  {count:5d} words  {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
