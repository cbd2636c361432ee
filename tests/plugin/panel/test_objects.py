"""The panel and the operators on a run that scored objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_digits

from fiftyone_dfaulo import compute_suspiciousness, suspicious_view
from fiftyone_dfaulo.adapter.review.session import open_review
from fiftyone_dfaulo.plugin.app.selection import batch_of
from fiftyone_dfaulo.plugin.operators.corrections import ApplySuggestions
from fiftyone_dfaulo.plugin.operators.review import MarkFaulty
from fiftyone_dfaulo.plugin.panel import grid
from fiftyone_dfaulo.plugin.panel.facts import filtered, read_facts
from tests.objects import paste_digits
from tests.plugin.panel.test_panel import Opened
from tests.plugin.plugin_tools import context

COUNT = 200


@pytest.fixture
def objects(tmp_path: Path) -> Any:
    """200 digits on canvases, 10 with a wrong label, scored by their pixels."""
    dataset = paste_digits(tmp_path / "canvases", COUNT)
    pixels = load_digits().data[:COUNT] / 16
    compute_suspiciousness(dataset, "boxes", embeddings=pixels, progress=False)
    yield dataset
    dataset.delete()


def verdicts(dataset: Any) -> dict[str, int]:
    dataset.reload()
    return dict(dataset.count_values("boxes.detections.dfaulo_verdict"))


def ranked(dataset: Any) -> list[str]:
    return list(suspicious_view(dataset.to_patches("boxes")).values("id"))


def test_a_batch_shows_patches_and_is_marked_and_taken_back(objects: Any) -> None:
    panel = Opened(objects)
    worst = ranked(objects)

    asked = panel.did("next_batch")
    assert panel.view._is_patches
    assert batch_of(panel.view) == worst[:50]
    shown = ["boxes", *(f"boxes.dfaulo_{n}" for n in ("suggestion", "suspiciousness"))]
    assert asked["set_active_fields"]["fields"][:3] == shown

    panel.did("rest_is_correct", worst[0], worst[1])
    assert verdicts(objects) == {"faulty": 2, "correct": 48, None: COUNT - 50}
    assert not {*batch_of(panel.view)} & {*worst[:50]}
    assert panel.facts["status"]["faulty"] == 2

    panel.did("undo_marking")
    assert verdicts(objects) == {None: COUNT}
    assert batch_of(panel.view) == worst[:50]

    panel.did("mark_selected", worst[0], alt=[worst[2]])
    found = panel.view.values("boxes.dfaulo_verdict")
    assert found[:3] == ["faulty", None, "correct"]
    panel.did("next_batch")
    assert (
        batch_of(panel.view)
        == [i for i in ranked(objects) if i not in (worst[0], worst[2])][:50]
    )


def test_near_duplicates_are_patches_side_by_side(objects: Any) -> None:
    pixels = load_digits().data[:COUNT] / 16
    labels = objects.values("boxes.detections.label", unwind=True)
    other = next(n for n in range(100, COUNT) if labels[n] != labels[50])
    pixels[other] = pixels[50]
    compute_suspiciousness(objects, "boxes", embeddings=pixels, progress=False)
    panel = Opened(objects)
    panel.did("on_reason", value="near duplicate has another label")
    assert panel.view._is_patches
    ids = objects.values("boxes.detections.id", unwind=True)
    assert set(panel.view.values("id")) == {str(ids[50]), str(ids[other])}


def test_facts_count_objects(objects: Any) -> None:
    facts = read_facts(open_review(objects, "dfaulo"), 50)

    scores = objects.values("boxes.detections.dfaulo_suspiciousness", unwind=True)
    assert facts["status"]["scored"] == COUNT
    assert sum(facts["histogram"]["unchecked"]) == COUNT
    assert facts["histogram"]["unchecked"][-1] == sum(s >= 0.95 for s in scores)
    given = objects.values("boxes.detections.label", unwind=True)
    looks = objects.values("boxes.detections.dfaulo_suggestion", unwind=True)
    first = facts["pairs"][0]
    pairs = list(zip(given, looks))
    assert pairs.count((first["given"], first["looks_like"])) == first["count"]
    reasons = objects.count_values("boxes.detections.dfaulo_reasons")
    assert facts["reasons"] == {name: n for name, n in reasons.items() if name}


def test_the_grid_is_narrowed_to_the_objects_that_fit(objects: Any) -> None:
    pair = read_facts(open_review(objects, "dfaulo"), 50)["pairs"][0]
    chosen = {name: pair[name] for name in ("given", "looks_like")}
    assert (
        len(filtered(objects, open_review(objects, "dfaulo"), chosen)) == pair["count"]
    )

    scores = objects.values("boxes.detections.dfaulo_suspiciousness", unwind=True)
    view = filtered(objects, open_review(objects, "dfaulo"), {"low": 0.1, "high": 0.3})
    assert len(view) == sum(0.1 <= s < 0.3 for s in scores)

    reason, count = next(
        iter(read_facts(open_review(objects, "dfaulo"), 50)["reasons"].items())
    )
    assert (
        len(filtered(objects, open_review(objects, "dfaulo"), {"reason": reason}))
        == count
    )

    panel = Opened(objects)
    panel.did("on_pair", row=0)
    assert len(panel.view) == pair["count"]


def test_of_many_objects_the_most_suspicious_are_shown(
    objects: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "PATCHES", 30)
    panel = Opened(objects)
    said = panel.did("show_all")["notify"]["message"]
    assert said == "The 30 most suspicious of 200 objects are shown"
    assert panel.view.values("id") == ranked(objects)[:30]

    class_of = panel.facts["classes"][0]
    asked = panel.did("on_class", row=0)  # few: all of them, and nothing is said
    assert "notify" not in asked
    assert len(panel.view) == class_of["scored"]


def test_edited_objects_are_shown(objects: Any) -> None:
    sample = objects.first()
    sample.boxes.detections[1].label = "edited"
    sample.save()
    panel = Opened(objects)

    assert panel.facts["status"]["stale"] == 1
    panel.did("show_stale")
    assert panel.view.values("boxes.label") == ["edited"]


def test_selected_patches_come_before_a_label_left_selected(objects: Any) -> None:
    panel = Opened(objects)
    panel.did("next_batch")
    first, second, left = batch_of(panel.view)[:3]
    label = {"label_id": left, "field": "boxes", "sample_id": left}
    panel.did("mark_selected", first, alt=[second], labels=[label])
    assert verdicts(objects) == {"faulty": 1, "correct": 1, None: COUNT - 2}
    panel.did("mark_selected", labels=[label])
    assert verdicts(objects) == {"faulty": 2, "correct": 1, None: COUNT - 3}


def test_selected_samples_are_no_objects(objects: Any) -> None:
    panel = Opened(objects)

    asked = panel.did("mark_selected", objects.first().id)

    assert "select patches of 'boxes'" in asked["notify"]["message"]
    assert verdicts(objects) == {None: COUNT}


def test_toolbar_and_form_take_selected_patches(objects: Any) -> None:
    one = ranked(objects)[0]
    patches = objects.to_patches("boxes")
    request = {"selected": [one]}

    asked = context(patches, request=request)
    MarkFaulty().execute(asked)
    assert verdicts(objects)["faulty"] == 1
    said = asked.executor._requests[-1].params["message"]
    assert said == "Marked faulty in run 'dfaulo': 1 object"

    ctx = context(patches, request=request, set_to="class")
    form = ApplySuggestions().resolve_input(ctx).to_json()
    assert "All that are marked faulty (1)" in str(form)
    ctx.params["class"] = "7"
    list(ApplySuggestions().execute(ctx))
    objects.reload()
    assert objects.to_patches("boxes")[one].boxes.label == "7"


def test_labels_selected_in_a_sample_are_taken(objects: Any) -> None:
    one, two, *_ = objects.first().boxes.detections
    labels = [
        {"label_id": one.id, "sample_id": objects.first().id, "field": "boxes"},
        {"label_id": str(two.id), "sample_id": objects.first().id, "field": "other"},
    ]

    MarkFaulty().execute(context(objects, request={"selected_labels": labels}))

    assert verdicts(objects) == {"faulty": 1, None: COUNT - 1}
    assert objects.first().boxes.detections[0].dfaulo_verdict == "faulty"
