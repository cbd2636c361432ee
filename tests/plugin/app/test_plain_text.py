"""That text from a dataset is shown, and never interpreted, in the App's markdown."""

from __future__ import annotations

from typing import Any

import pytest
from fiftyone.operators import types

from fiftyone_dfaulo.plugin.app.plain_text import code, plain
from fiftyone_dfaulo.plugin.app.summaries import show_failure
from fiftyone_dfaulo.plugin.forms.problems import add_problem

J = "\N{WORD JOINER}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cat_1 *and* dog|2", r"cat\_1 \*and\* dog\|2"),
        ("[a](b) ![c](d) <b>e</b>", r"\[a\](b) \!\[c\](d) \<b\>e\</b\>"),
        ("a &amp; b &lt;", r"a \&amp; b \&lt;"),
        ("http://x.y HTTPS://x.y", f"http:{J}//x.y HTTPS:{J}//x.y"),
        ("www.x.y WWW.x.y", f"www{J}.x.y WWW{J}.x.y"),
        ("ada@x.y", f"ada@{J}x.y"),
        ("a\u202egnp.exe", r"a\<U+202E\>gnp.exe"),
        (
            "\u2066a\u2069\u200f\u061c\u200b",
            r"\<U+2066\>a\<U+2069\>\<U+200F\>\<U+061C\>"
            r"\<U+200B\>",
        ),
        ("a\x00\x1b[0m", r"a\<U+0000\>\<U+001B\>\[0m"),
        ("two\nlines\r\n# head", r"two lines \# head"),
        ("Schäferhund, 犬, كلب", "Schäferhund, 犬, كلب"),
    ],
)
def test_text_is_escaped(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ground_truth", "`ground_truth`"),
        ("a`b", "`` a`b ``"),
        ("a``b`", "``` a``b` ```"),
        ("a\u202eb", "`a<U+202E>b`"),
    ],
)
def test_code_cannot_be_left(text: str, shown: str) -> None:
    assert code(text) == shown


def test_an_error_that_names_a_label_is_escaped() -> None:
    hostile = "label '[x](http://y)' is none"
    escaped = rf"label '\[x\](http:{J}//y)' is none"
    failure: Any = show_failure(ValueError(hostile)).type.properties["failure"]
    assert failure.view.description == escaped
    inputs = types.Object()
    add_problem(inputs, "No", hostile)
    assert inputs.properties["problem"].view.description == escaped
