"""The panel on a run that a detector's predictions have judged."""

from __future__ import annotations

from fiftyone_dfaulo import compute_suspiciousness, suspicious_view
from fiftyone_dfaulo.plugin.app.selection import batch_of
from tests.boxes import make_boxes, planted
from tests.plugin.panel.test_panel import Opened


def test_batches_of_boxes_are_shown_marked_and_learned_from() -> None:
    given, found, _ = planted(100)
    dataset = make_boxes(given, found)
    compute_suspiciousness(dataset, "boxes", predictions="predictions", progress=False)
    target = dataset.get_brain_info("dfaulo").config.target
    patches = target.shown(dataset)
    worst = list(suspicious_view(patches).values("id"))
    gaps = dataset.values("dfaulo_missing.detections.id", unwind=True)
    assert {*gaps} & {*worst[:50]}
    panel = Opened(dataset)

    panel.did("next_batch")
    assert batch_of(panel.view) == worst[:50]

    panel.did("mark_selected", worst[0], alt=[worst[2]])
    panel.did("next_batch")
    status = panel.facts["status"]
    assert (status["faulty"], status["correct"]) == (1, 1)
    dataset.delete()
