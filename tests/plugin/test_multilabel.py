"""The form, the panel and the operators where samples have several tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
import pytest
from fiftyone.operators.executor import ExecutionError

from fiftyone_dfaulo import (
    compute_suspiciousness,
    record_verdicts,
    suspicious_view,
)
from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.plugin.app.summaries import show_summary, summarize
from fiftyone_dfaulo.plugin.forms.injection import add_kind
from fiftyone_dfaulo.plugin.operators.corrections import ApplySuggestions
from fiftyone_dfaulo.plugin.operators.injection import EvaluateRanking
from fiftyone_dfaulo.plugin.panel.facts import describe, filtered, read_facts
from fiftyone_dfaulo.plugin.panel.prompts import of_run
from tests.plugin.forms.test_compute import form, labels_of, problems
from tests.plugin.panel.test_panel import Opened
from tests.plugin.plugin_tools import URI, context, snapshot
from tests.tagged import build_pairs, draw_pairs

COUNT = 200


@pytest.fixture
def plain(tmp_path: Path) -> Any:
    """200 pairs of digits with their tags, of which 20 have faults; their pixels."""
    pairs = draw_pairs(COUNT, 20)
    dataset = build_pairs(tmp_path / "pairs", pairs)
    dataset.set_values("pixels", list(pairs.pixels[..., 0].reshape(COUNT, -1) / 255))
    yield dataset
    dataset.delete()


@pytest.fixture
def tagged(plain: Any) -> Any:
    compute_suspiciousness(plain, "digits", embeddings="pixels", progress=False)
    return plain


def test_the_form_offers_tags_and_what_scores_them(plain: Any) -> None:
    shown = form(plain, advanced=True)
    assert problems(plain) == {}
    assert set(labels_of(shown["label_field"])) == {"digits"}
    ways = {"network", "embeddings", "backbone", "zoo", "file"}
    assert set(labels_of(shown["source"])) == ways
    assert set(labels_of(shown["method"])) == {"dfaulo"}
    assert "depth" not in shown
    file = form(plain, source="file", advanced=True)
    assert not {"classes", "out_of_sample"} & set(file)


def test_the_form_says_which_tags_cannot_be_scored(plain: Any) -> None:
    same = plain.limit(1)
    said = problems(same)["label_field"]
    assert said.startswith("all 1 samples have the same labels in 'digits'")


@pytest.mark.parametrize(
    "asked", [{"depth": "full"}, {"method": "paper"}, {"predictions": "other"}]
)
def test_what_makes_no_sense_for_tags_is_refused(
    plain: Any, asked: dict[str, str]
) -> None:
    (name, value) = next(iter(asked.items()))
    before = snapshot(plain)
    said = problems(plain, **asked)["source"]
    assert said.startswith(f"{name}={value!r} is for samples of one class each")
    with pytest.raises(ExecutionError, match=f"{name}="):
        foo.get_operator(URI)(plain, "digits", **asked)
    assert snapshot(plain) == before


def test_planting_faults_is_refused_at_once(plain: Any) -> None:
    inputs = types.Object()
    add_kind(inputs, context(plain))
    problem = inputs.properties["problem"]
    assert problem.error_message.startswith("label_field='digits' is a Classifications")


def test_the_operator_scores_and_its_summary_counts(plain: Any) -> None:
    foo.get_operator(URI)(plain, "digits", embeddings="pixels")
    plain.reload()
    results = plain.load_brain_results("dfaulo")
    text = str(show_summary(summarize(results)).to_json())
    assert "200 samples" in text
    assert "Given tags that look wrong" in text
    assert "Most confused" not in text


def test_the_panel_counts_changes_and_shows_those_of_a_row(tagged: Any) -> None:
    panel = Opened(tagged)
    pairs = panel.facts["pairs"]
    counts = tagged.count_values("dfaulo_suggestion.label")
    assert pairs
    assert all(counts[row["looks_like"]] == row["count"] for row in pairs)
    assert pairs == sorted(pairs, key=lambda row: (-row["count"], row["looks_like"]))
    assert "Labels to change" in panel.shown()
    assert "Labelled as" not in panel.shown()
    panel.did("on_pair", row=0)
    assert len(panel.view) == pairs[0]["count"]
    labels = panel.view.values("dfaulo_suggestion.label")
    assert set(labels) == {pairs[0]["looks_like"]}
    assert f"labels to change: {labels[0]}" in panel.shown()

    ids = panel.view.values("id")
    record_verdicts(tagged, faulty=ids)
    names = [
        row["looks_like"]
        for row in read_facts(open_review(tagged, "dfaulo"), 50)["pairs"]
    ]
    assert labels[0] not in names


def test_a_batch_is_marked_and_learned_from(tagged: Any) -> None:
    panel = Opened(tagged)
    panel.did("next_batch")
    worst = suspicious_view(tagged).values("id")
    assert panel.view.values("id") == worst[:50]
    panel.did("rest_is_correct", worst[0])
    tagged.reload()
    verdicts = tagged.count_values("dfaulo_verdict")
    assert verdicts == {"faulty": 1, "correct": 49, None: COUNT - 50}
    assert not set(panel.view.values("id")) & set(worst[:50])


def test_a_reason_narrows_the_grid(tagged: Any) -> None:
    chosen = {"reason": "tag looks missing"}
    count = read_facts(open_review(tagged, "dfaulo"), 50)["reasons"][
        "tag looks missing"
    ]
    assert len(filtered(tagged, open_review(tagged, "dfaulo"), chosen)) == count
    assert describe(chosen) == "tag looks missing"


def test_correcting_offers_the_suggestions_only(tagged: Any) -> None:
    worst = suspicious_view(tagged, limit=1).first()
    request = {"selected": [worst.id], "selected_samples": [{"id": worst.id}]}
    ctx = context(tagged, request=request, brain_key="dfaulo", set_to="class")
    shown = ApplySuggestions().resolve_input(ctx).type.properties
    assert "which" in shown
    assert not {"set_to", "class", "problem"} & set(shown)
    foo.get_operator("@dfaulo/dfaulo/apply_suggestions")(tagged, ids=[worst.id])
    tagged.reload()
    assert tagged[worst.id].dfaulo_original_label is not None
    assert tagged[worst.id].digits != worst.digits


def test_evaluating_offers_boolean_fields_only(tagged: Any) -> None:
    tagged.set_values("truth", ["3"] * COUNT)
    shown = EvaluateRanking().resolve_input(context(tagged, brain_key="dfaulo"))
    assert set(labels_of(shown.type.properties["fault_field"])) == {"fault"}
    ctx = context(tagged, brain_key="dfaulo", fault_field="truth")
    asked = EvaluateRanking().resolve_input(ctx).type.properties["fault_field"]
    assert "pass a boolean field" in asked.error_message


def test_running_again_asks_for_the_same(tagged: Any) -> None:
    config = tagged.get_brain_info("dfaulo").config
    assert of_run(config) == {
        "label_field": "digits",
        "source": "embeddings",
        "embeddings": "pixels",
    }
