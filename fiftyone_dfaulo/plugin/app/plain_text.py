"""Text from datasets in the App's markdown: shown as it is, and never interpreted.

The App renders the labels and descriptions of notices, the labels and descriptions of
fields, and all markdown by GitHub's rules, which make links of bare addresses too.
"""

from __future__ import annotations

import re

_SIGNS = re.compile(r"([\\`*_{}\[\]<>#|~&!])")

_LINK_PARTS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)", re.IGNORECASE)
"""Where an address is cut in two, so that none is found in it."""

_JOINER = "\N{WORD JOINER}"  # takes no room and breaks no line

_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069]"
)
"""Control characters, and marks that change the direction of the text around them."""


def plain(text: str) -> str:
    """The text as markdown that is shown as it is, in one line.

    Signs of markdown and entities are escaped, addresses make no links, and control
    characters and marks of direction are written out, as ``<U+202E>``.
    """
    shown = _INVISIBLE.sub(_written_out, " ".join(text.split()))
    return _LINK_PARTS.sub(_JOINER, _SIGNS.sub(r"\\\1", shown))


def code(text: str) -> str:
    """The text as markdown's code, in one line."""
    shown = _INVISIBLE.sub(_written_out, " ".join(text.split()))
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _written_out(match: re.Match[str]) -> str:
    return f"<U+{ord(match.group()):04X}>"
