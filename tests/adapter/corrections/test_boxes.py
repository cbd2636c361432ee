"""Corrections of each kind of fault of boxes, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from fiftyone_dfaulo import (
    RunError,
    apply_suggestions,
    compute_suspiciousness,
    export_review,
    preview_corrections,
    record_verdicts,
    revert_suggestions,
    review_status,
    suspicious_view,
    update_suspiciousness,
)
from fiftyone_dfaulo.adapter.results.boxes import (
    ANOTHER_BOX,
    DEEDS,
    MISSING_OBJECT,
    NO_OBJECT,
)
from tests.boxes import make_boxes, planted, raw


@pytest.fixture
def dataset() -> Iterator[Any]:
    """60 objects with faults of every kind, scored."""
    given, found, _ = planted(60)
    dataset = make_boxes(given, found)
    compute_suspiciousness(dataset, "boxes", predictions="predictions", progress=False)
    yield dataset
    dataset.delete()


def groups(dataset: Any) -> dict[str, list[str]]:
    """What looks like each deed, or like another class (``""``)."""
    ids = dataset.load_brain_results("dfaulo").ids
    found: dict[str, list[str]] = {name: [] for name in ("", *DEEDS)}
    for group in preview_corrections(dataset, ids=ids).groups:
        if group.new is not None:
            found[group.new if group.new in DEEDS else ""] += group.ids
    return found


def objects(dataset: Any, field: str = "boxes") -> dict[str, Any]:
    lists = dataset.values(f"{field}.detections")
    return {one.id: one for some in lists for one in some or ()}


def test_each_kind_is_corrected_in_its_own_way(dataset: Any) -> None:
    before, found = objects(dataset), groups(dataset)
    assert all(found.values())
    some = {kind: ids[0] for kind, ids in found.items()}
    gap = objects(dataset, "dfaulo_missing")[some[MISSING_OBJECT]]

    done = apply_suggestions(dataset, ids=[*some.values()], by="Ann")

    after = objects(dataset)
    assert (done.applied, done.skipped) == (4, {})
    wrong, moved = some[""], some[ANOTHER_BOX]
    assert after[wrong].label == before[wrong].dfaulo_suggestion
    assert after[wrong].bounding_box == before[wrong].bounding_box
    assert after[moved].label == before[moved].label
    assert after[moved].bounding_box == before[moved].dfaulo_better_box
    assert some[NO_OBJECT] not in after
    (added,) = after.keys() - before.keys()
    assert (after[added].label, after[added].bounding_box, after[added].tags) == (
        gap.label,
        gap.bounding_box,
        ["corrected"],
    )
    status = review_status(dataset)
    assert (status.faulty, status.corrected, status.stale) == (4, 4, 0)
    removed = objects(dataset, "dfaulo_removed")[some[NO_OBJECT]]
    assert removed.dfaulo_history[0]["by"] == "Ann"


def test_all_come_back_byte_for_byte_in_any_order(dataset: Any) -> None:
    before, found = raw(dataset), groups(dataset)
    everyone = [one for ids in found.values() for one in ids]
    assert apply_suggestions(dataset, ids=everyone).applied == len(everyone)
    # two more from one sample: their places depend on each other
    sample = dataset.match(fo.ViewField("boxes.detections").length() > 3).first()
    two = [one.id for one in sample.boxes.detections if one.id not in everyone][:3]
    two = [one for one in two if "corrected" not in objects(dataset)[one].tags]
    apply_suggestions(dataset, ids=two, label=NO_OBJECT)
    assert raw(dataset) != before

    order = np.random.default_rng(51).permutation([*everyone, *two]).tolist()
    for one in order[:6]:
        assert revert_suggestions(dataset, ids=[one]).reverted == 1
    undone = revert_suggestions(dataset)

    assert (undone.reverted, undone.edited) == (len(order) - 6, [])
    assert raw(dataset) == before


def test_what_was_edited_since_is_left_alone(dataset: Any) -> None:
    found = groups(dataset)
    moved, gap = found[ANOTHER_BOX][0], found[MISSING_OBJECT][0]
    there = objects(dataset).keys()
    apply_suggestions(dataset, ids=[moved, gap])
    (added,) = objects(dataset).keys() - there
    boxes = dataset.values("boxes.detections.bounding_box")
    ids = dataset.values("boxes.detections.id")
    changed = [
        [[0.0, 0.0, 0.5, 0.5] if one in (moved, added) else box for one, box in rows]
        for rows in (list(zip(*row)) for row in zip(ids, boxes))
    ]
    dataset.set_values("boxes.detections.bounding_box", changed)
    before = raw(dataset)

    undone = revert_suggestions(dataset)

    assert {*undone.edited} == {moved, gap}
    assert raw(dataset) == before


def test_a_missing_object_can_get_another_class_and_any_object_can_go(
    dataset: Any,
) -> None:
    before, found = objects(dataset), groups(dataset)
    gap, fine = found[MISSING_OBJECT][0], next(iter(before))
    name = "a" if objects(dataset, "dfaulo_missing")[gap].label != "a" else "b"

    apply_suggestions(dataset, ids=[gap], label=name)
    apply_suggestions(dataset, ids=[fine], label=NO_OBJECT)

    after = objects(dataset)
    (added,) = after.keys() - before.keys()
    assert after[added].label == name
    assert fine not in after
    skipped = apply_suggestions(dataset, ids=[gap, fine]).skipped
    assert all("corrected already" in why for why in skipped.values())


def test_masks_and_lost_boxes_are_named(dataset: Any) -> None:
    moved = groups(dataset)[ANOTHER_BOX][0]
    sample = dataset.match_labels(ids=[moved]).first()
    one = next(one for one in sample.boxes.detections if one.id == moved)
    one.mask = np.ones((2, 2), bool)
    sample.save()
    fine = next(o.id for o in objects(dataset).values() if not o.dfaulo_better_box)

    done = apply_suggestions(dataset, ids=[moved, fine], label=ANOTHER_BOX)

    assert done.applied == 0
    assert "mask would no longer fit" in done.skipped[moved]
    assert "sees no object" in done.skipped[fine]


def test_verdicts_on_missing_objects_count_and_are_learned(
    dataset: Any, tmp_path: Any
) -> None:
    gap, *others = groups(dataset)[MISSING_OBJECT]
    record_verdicts(dataset, faulty=[gap], correct=others)
    update_suspiciousness(dataset)
    gaps = objects(dataset, "dfaulo_missing")

    assert gaps[gap].dfaulo_suspiciousness == 1
    assert [gaps[one].dfaulo_suspiciousness for one in others] == [0] * len(others)
    assert review_status(dataset).faulty == 1
    samples = dataset.match_labels(ids=[gap], fields="dfaulo_missing")
    assert samples.values("dfaulo_suspiciousness") == [1]
    path = tmp_path / "review.json"
    assert export_review(dataset, path) == 1 + len(others)
    assert MISSING_OBJECT in path.read_text()


def test_the_grid_shows_missing_objects_among_the_others(dataset: Any) -> None:
    gaps = objects(dataset, "dfaulo_missing").keys()
    target = dataset.get_brain_info("dfaulo").config.target
    view = suspicious_view(target.shown(dataset), limit=20)

    assert {*view.values("id")} & gaps
    assert len({*view.values("boxes.dfaulo_suggestion")} & {*DEEDS}) == 3
    scores = view.values("boxes.dfaulo_suspiciousness")
    assert scores == sorted(scores, reverse=True)
    some = target.select(dataset, view.values("id")[::-1])
    assert some.values("id") == view.values("id")[::-1]
    own = some.values(["id", "boxes.dfaulo_suggestion", "dfaulo_better_boxes"])
    for one, suggestion, better in zip(*own):
        shown = better.detections if better else []
        assert [label.id for label in shown] == [one] * (suggestion == ANOTHER_BOX)
    assert record_verdicts(dataset, faulty=some)["faulty"] == 20
    assert apply_suggestions(view, verdict="faulty").applied > 0


def test_a_run_that_has_removed_objects_is_not_replaced(dataset: Any) -> None:
    apply_suggestions(dataset, ids=groups(dataset)[NO_OBJECT][:1])

    with pytest.raises(RunError, match="1 original labels of corrected objects"):
        compute_suspiciousness(
            dataset, "boxes", predictions="predictions", progress=False
        )
