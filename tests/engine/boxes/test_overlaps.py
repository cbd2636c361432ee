"""How much boxes overlap."""

from __future__ import annotations

import numpy as np
import pytest

from fiftyone_dfaulo.engine.boxes import overlaps
from fiftyone_dfaulo.engine.boxes.overlaps import (
    Boxes,
    covered,
    find_pairs,
    intersection_over_union,
)


def boxes(*rows: list[float], images: list[int] | None = None) -> Boxes:
    return Boxes(np.array(images or [0] * len(rows)), np.array(rows, float))


def by_hand(first: Boxes, second: Boxes) -> dict[tuple[int, int], float]:
    """All pairs, one by one."""
    found = {}
    for i, (one, (x, y, w, h)) in enumerate(zip(first.images, first.boxes)):
        for j, (other, (u, v, s, t)) in enumerate(zip(second.images, second.boxes)):
            wide = min(x + w, u + s) - max(x, u)
            high = min(y + h, v + t) - max(y, v)
            if one == other and wide > 0 and high > 0:
                both = wide * high
                found[i, j] = both / (w * h + s * t - both)
    return found


def test_known_overlaps() -> None:
    one = np.array([[0, 0, 0.2, 0.2]] * 4)
    other = np.array(
        [[0, 0, 0.2, 0.2], [0.1, 0, 0.2, 0.2], [0.2, 0, 0.2, 0.2], [0, 0, 0.1, 0.1]]
    )

    assert intersection_over_union(one, other) == pytest.approx([1, 1 / 3, 0, 0.25])


@pytest.mark.parametrize("seed", range(5))
def test_the_pairs_are_those_of_a_look_at_all(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlaps, "BLOCK", 40)  # several blocks
    rng = np.random.default_rng(seed)
    sets = [
        Boxes(
            rng.integers(0, 4, n),
            np.column_stack(
                [rng.uniform(-0.2, 1, (n, 2)), rng.uniform(0.01, 0.5, (n, 2))]
            ),
        )
        for n in (30, 50)
    ]
    pairs = find_pairs(*sets)
    found = {(int(a), int(b)): iou for a, b, iou in zip(*pairs)}

    assert found == pytest.approx(by_hand(*sets))
    assert (np.diff(pairs.first) >= 0).all()


def test_the_largest_overlaps_are_kept_where_there_are_too_many() -> None:
    many = boxes(*([0.0, 0.0, 1.0, (n + 1) / 100] for n in range(100)))
    pairs = find_pairs(boxes([0, 0, 1, 1]), many)

    assert len(pairs.iou) == overlaps.MOST
    assert set(pairs.second) == set(range(100 - overlaps.MOST, 100))


def test_no_boxes_make_no_pairs() -> None:
    none = Boxes(np.zeros(0, np.int64), np.zeros((0, 4)))

    assert len(find_pairs(none, boxes([0, 0, 1, 1])).iou) == 0
    assert len(find_pairs(boxes([0, 0, 1, 1]), none).iou) == 0


def test_the_share_that_others_cover() -> None:
    some = boxes([0, 0, 0.2, 0.2], [0.5, 0.5, 0.2, 0.2], [0.9, 0.9, 0.1, 0.1])
    by = boxes([0, 0, 0.1, 0.2], [0.4, 0.4, 0.5, 0.5])

    assert covered(some, by) == pytest.approx([0.5, 1, 0])
