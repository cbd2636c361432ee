"""What the detector is to see, by hand, and its loss."""

from __future__ import annotations

import pytest
import torch

from fiftyone_dfaulo.engine.detector.lessons import Lesson, draw, loss
from fiftyone_dfaulo.engine.detector.network import STRIDE, seeded_detector


def test_the_heat_is_one_at_the_centre_and_distances_lead_to_the_edges() -> None:
    lesson = draw(torch.tensor([[0.25, 0.25, 0.75, 0.5]]), 8)

    assert lesson.heat[3, 4] == 1  # the centre (4, 3) in cells; its cell's middle is
    assert lesson.heat[3, 4] > lesson.heat[3, 5] == lesson.heat[3, 3]  # (4.5, 3.5)
    assert lesson.heat[0, 0] < 1e-6
    assert lesson.distances[:, 3, 4].tolist() == [2.5, 1.5, 1.5, 0.5]
    assert lesson.weight[3, 4] == pytest.approx(1 / 8)  # of 4 x 2 cells
    assert lesson.weight[0, 0] == 0


def test_a_cell_belongs_to_the_nearer_box_and_order_changes_nothing() -> None:
    boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.25, 0.25, 1.0, 1.0]])
    first, second = draw(boxes, 16), draw(boxes.flip(0), 16)

    assert torch.equal(first.heat, second.heat)
    assert torch.equal(first.distances, second.distances)
    assert first.distances[:, 4, 4].tolist() == [4.5, 4.5, 3.5, 3.5]
    assert first.distances[:, 10, 10].tolist() == [6.5, 6.5, 5.5, 5.5]


def test_more_boxes_than_are_drawn_at_once() -> None:
    corners = torch.rand(200, 2, generator=torch.Generator().manual_seed(1)) * 0.8
    boxes = torch.cat([corners, corners + 0.1], 1)
    one_by_one = torch.stack([draw(box[None], 16).heat for box in boxes]).amax(0)

    assert torch.equal(draw(boxes, 16).heat, one_by_one)


@pytest.mark.parametrize(
    "boxes", [[], [[1.2, 0.1, 1.5, 0.4]], [[0.5, 0.5, 0.5001, 0.9]]]
)
def test_nothing_to_see(boxes: list[list[float]]) -> None:
    lesson = draw(torch.tensor(boxes).reshape(-1, 4), 8)

    assert lesson.heat.sum() == lesson.weight.sum() == 0
    blank = Lesson(*(part[None] for part in lesson))
    log_odds, distances = torch.full((1, 8, 8), -20.0), torch.ones(1, 4, 8, 8)
    assert loss(log_odds, distances, blank) < 1e-6


def test_the_loss_is_least_where_the_network_is_right() -> None:
    lesson = draw(torch.tensor([[0.25, 0.25, 0.75, 0.75]]), 8)
    some = Lesson(*(part[None] for part in lesson))
    right = torch.where(some.heat == 1, 20.0, -20.0)
    exact = loss(right, some.distances, some)

    assert exact < 1e-5
    assert loss(right, 2 * some.distances, some) > 1  # 5 times 1 - 1 / 4, or more
    assert loss(-right, some.distances, some) > exact + 1


@pytest.mark.parametrize("side", [64, 96])
def test_the_network_sees_cells_of_four_pixels(side: int) -> None:
    log_odds, distances = seeded_detector(1)(torch.randn(2, 3, side, side))

    assert log_odds.shape == (2, side // STRIDE, side // STRIDE)
    assert distances.shape == (2, 4, side // STRIDE, side // STRIDE)
    assert (distances > 0).all()
    assert log_odds.sigmoid().mean() < 0.1
