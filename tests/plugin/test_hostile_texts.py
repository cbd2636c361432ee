"""Labels, file names and reviewers' names in the App: no link, tag or mark works."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import pytest

from fiftyone_dfaulo import (
    DFauLoError,
    apply_suggestions,
    compute_suspiciousness,
    record_verdicts,
)
from fiftyone_dfaulo.plugin import OPERATORS
from fiftyone_dfaulo.plugin.panel.panel import ReviewPanel
from tests.plugin.plugin_tools import context

LINK, TAG = "[x](http://evil.example)", "<img src=//evil.example>\u202e"
WORKING = re.compile(r"(?<!\\)(\]\(|<img)|\u202e|://evil")
RENDERED = ("label", "description")
"""What the App renders by markdown's rules, besides markdown; see plain_text."""


@pytest.fixture
def hostile(scored: Any) -> Any:
    """The dataset of ``scored`` whose classes, files and reviewer have such names."""
    names = {"a": LINK, "b": TAG, None: None}
    labels = [names[label] for label in scored.values("ground_truth.label")]
    scored.set_values("ground_truth.label", labels)
    paths = [f"{path}-{LINK}-{TAG}.png" for path in scored.values("filepath")]
    scored.set_values("filepath", paths)
    compute_suspiciousness(scored, embeddings="vectors", progress=False)
    ids = scored.values("id")
    record_verdicts(scored, faulty=ids[7:8], correct=ids[:3], by=LINK)
    apply_suggestions(scored)
    return scored


def texts(shown: Any) -> Iterator[str]:
    """What the App renders of a form, an output or the panel."""
    if isinstance(shown, list):
        for one in shown:
            yield from texts(one)
    if not isinstance(shown, dict):
        return
    view = shown.get("view") or {}
    if view.get("name") == "MarkdownView":
        yield str(shown.get("default"))
    for name, value in shown.items():
        if name in RENDERED and isinstance(value, str):
            yield value
        elif name not in ("choices", "values"):  # a list to choose from is plain
            yield from texts(value)


def assert_harmless(shown: Any) -> None:
    found = list(texts(json.loads(json.dumps(shown))))
    assert found
    assert [text for text in found if WORKING.search(text)] == []


def test_what_would_work_is_found() -> None:
    bad = {"view": {"name": "MarkdownView"}, "default": f"see {LINK}"}
    with pytest.raises(AssertionError):
        assert_harmless({"properties": [bad]})


@pytest.mark.parametrize("operator", [cls for cls in OPERATORS if cls.has_form])
def test_in_forms_and_outputs(operator: Any, hostile: Any) -> None:
    ids = hostile.values("id")
    request = {"selected_samples": [{"id": one, "type": "alt"} for one in ids[8:10]]}
    params = {"embeddings": "vectors", "set_to": "class", "name": LINK}
    for given in ({}, params, {**params, "label_field": LINK, "path": LINK}):
        ctx = context(hostile, prompt=str(given), request=request, **given)
        assert_harmless(operator().resolve_input(ctx).to_json())

    try:
        sent = list(operator().execute(context(hostile, embeddings="vectors")) or ())
    except DFauLoError:
        return  # what it said is shown by FiftyOne as it is
    for one in sent:
        if one.body.operator_uri == "show_output":
            assert_harmless(one.body.params)
    for name in set(fo.list_datasets(glob_patt=f"{hostile.name}-*")):
        fo.delete_dataset(name)


@pytest.mark.parametrize("chosen", [None, {"given": LINK, "looks_like": TAG}])
def test_on_the_panel(chosen: Any, hostile: Any) -> None:
    state: dict[str, Any] = {"filter": chosen, "by": LINK}
    ctx = context(hostile, panel_id="panel", panel_state=state)
    panel = ReviewPanel()
    panel.on_load(ctx)
    assert_harmless(panel.render(ctx).to_json())
